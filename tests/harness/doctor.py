"""`dev.py doctor`: what is installed, what is wrong, what to do.

Runs in the Python that runs ComfyUI, with nothing but the standard library: any package may be
missing there, or broken.
"""

import argparse
import importlib
import sys
from collections.abc import Sequence
from pathlib import Path

from .hosts import version_of
from .located import register

register("instantid_core")

from instantid_core.doctor import as_json, as_text, examine, has_problem  # noqa: E402
from instantid_core.doctor_machine import Host, this_machine  # noqa: E402
from instantid_core.repairs import IMPORT_FAILURES, first_line  # noqa: E402

from .host_folders import KINDS, ExtraPathsError, model_roots  # noqa: E402


def main(arguments: Sequence[str]) -> int:
    """Prints the findings; 1 when one of them is a problem."""
    parser = argparse.ArgumentParser(prog="dev.py doctor")
    parser.add_argument("--comfyui", type=Path)
    parser.add_argument("--json", action="store_true")
    parser.add_argument("--hash", action="store_true")
    options = parser.parse_args(arguments)
    host = look_at(options.comfyui) if options.comfyui else Host()
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
    return Host(version_of(comfyui), roots, [Path(folder) for folder in custom_nodes])


def defaults(comfyui: Path, unknown: str = "", broken: str = "") -> Host:
    """A ComfyUI whose configuration was not read: the folders that it has without one."""
    roots = {kind: [comfyui / "models" / kind] for kind in KINDS}
    return Host(version_of(comfyui), roots, [comfyui / "custom_nodes"], unknown, broken)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
