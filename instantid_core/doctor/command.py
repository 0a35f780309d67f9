"""`python -m instantid_core doctor`: what is installed, what is wrong, what to do.

Runs in the Python that runs ComfyUI, with nothing but the standard library: any package may be
missing there, or broken.
"""

from __future__ import annotations

import argparse
import importlib
from pathlib import Path

from ..libraries import IMPORT_FAILURES, first_line
from ..models import KINDS, ExtraPathsError, installation, model_roots
from .machine import Host, this_machine
from .report import as_json, as_text, examine, has_problem


def add_options(parser: argparse.ArgumentParser) -> None:
    """Options of the command."""
    parser.add_argument("--json", action="store_true", help="print JSON")
    parser.add_argument("--hash", action="store_true", help="check the SHA-256 of model files")


def where(options: argparse.Namespace) -> tuple[Path | None, Path]:
    """The ComfyUI to look at, if there is one, and the Python to do it in."""
    comfyui = installation.to_look_at(options.comfyui)
    return comfyui, installation.python_or_this(comfyui, options.python)


def run(options: argparse.Namespace, comfyui: Path | None) -> int:
    """Prints the findings; 1 when one of them is a problem."""
    host = look_at(comfyui) if comfyui else Host()
    findings = examine(host, this_machine(), options.hash)
    print(as_json(findings) if options.json else as_text(findings))
    return 1 if has_problem(findings) else 0


def look_at(comfyui: Path) -> Host:
    """A ComfyUI that does not run."""
    try:
        roots = model_roots(comfyui)
        custom_nodes = importlib.import_module("folder_paths").get_folder_paths("custom_nodes")
    except ExtraPathsError as error:
        return defaults(comfyui, broken=error.found)
    except IMPORT_FAILURES as error:
        # ComfyUI's own module needs a package that is missing here.
        return defaults(comfyui, f"extra_model_paths.yaml was not read: {first_line(error)}")
    return Host(installation.version_of(comfyui), roots, [Path(folder) for folder in custom_nodes])


def defaults(comfyui: Path, unknown: str = "", broken: str = "") -> Host:
    """A ComfyUI whose configuration was not read: the folders that it has without one."""
    roots = {kind: [comfyui / "models" / kind] for kind in KINDS}
    return Host(
        installation.version_of(comfyui), roots, [comfyui / "custom_nodes"], unknown, broken
    )
