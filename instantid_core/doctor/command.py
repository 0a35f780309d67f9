"""`python -m instantid_core doctor`: reports what is installed, what is wrong, and what to do.

Runs in the Python of that ComfyUI, with the standard library alone: any package may be missing or
broken there.
"""

from __future__ import annotations

import argparse
import importlib
from pathlib import Path

from ..libraries import IMPORT_FAILURES, first_line
from ..models import KINDS, ExtraPathsError, installation, model_roots
from .machine import Host, this_machine
from .report import as_json, as_text, examine, has_problem

STOPPED = "Stopped."


def add_options(parser: argparse.ArgumentParser) -> None:
    """Add the options of the command."""
    parser.add_argument("--json", action="store_true", help="print JSON")
    parser.add_argument("--hash", action="store_true", help="check the SHA-256 of model files")


def where(options: argparse.Namespace) -> tuple[Path | None, Path]:
    """The ComfyUI to inspect, if there is one, and the Python that runs it."""
    comfyui = installation.find_optional(options.comfyui)
    return comfyui, installation.python_or_current(comfyui, options.python)


def run(options: argparse.Namespace, comfyui: Path | None) -> int:
    """Print the findings; returns 1 if one of them is a problem."""
    host = describe_host(comfyui) if comfyui else Host()
    findings = examine(host, this_machine(), options.hash)
    print(as_json(findings) if options.json else as_text(findings))
    return 1 if has_problem(findings) else 0


def describe_host(comfyui: Path) -> Host:
    """Description of a ComfyUI that is not running."""
    try:
        roots = model_roots(comfyui)
        custom_nodes = importlib.import_module("folder_paths").get_folder_paths("custom_nodes")
    except ExtraPathsError as error:
        return with_default_folders(comfyui, broken=error.found)
    except IMPORT_FAILURES as error:
        # ComfyUI's own module needs a package that is missing.
        return with_default_folders(
            comfyui, f"extra_model_paths.yaml was not read: {first_line(error)}"
        )
    return Host(installation.version_of(comfyui), roots, [Path(folder) for folder in custom_nodes])


def with_default_folders(comfyui: Path, unknown: str = "", broken: str = "") -> Host:
    """Description of a ComfyUI whose configuration was not read: the default folders."""
    roots = {kind: [comfyui / "models" / kind] for kind in KINDS}
    return Host(
        installation.version_of(comfyui), roots, [comfyui / "custom_nodes"], unknown, broken
    )
