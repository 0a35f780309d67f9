"""`python -m instantid_core doctor` and `python -m instantid_core models`, in the pack's folder.

Both work where ComfyUI does not start. Standard library only.
"""

from __future__ import annotations

import argparse
import signal
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path
from types import ModuleType
from typing import NoReturn

from .doctor import command as doctor
from .errors import InstantIDError
from .models import command as models

COMMANDS: dict[str, tuple[ModuleType, str]] = {
    "doctor": (doctor, "look at an installation, repair nothing"),
    "models": (models, "list the model files, download missing ones"),
}
PACK = Path(__file__).resolve().parents[1]
RUN = (
    "import runpy, sys; sys.path.insert(0, sys.argv.pop(1)); "
    "runpy.run_module('instantid_core', run_name='__main__', alter_sys=True)"
)
"""Not `-m`: the Python of ComfyUI's portable build ignores the current folder."""


def main(arguments: Sequence[str]) -> int:
    """Runs the command, in the Python that runs ComfyUI where one is found; its exit code."""
    signal.signal(signal.SIGTERM, _leave)
    options = build_parser().parse_args(arguments)
    command, _ = COMMANDS[options.command]
    try:
        comfyui, python = command.where(options)
        if options.here or python == Path(sys.executable):
            return command.run(options, comfyui)
        return _hand_over(python, comfyui, arguments)
    except InstantIDError as error:
        print(f"error: {error}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        print("\nStopped. What was downloaded is kept; the same command continues from there.")
        return 130


def build_parser() -> argparse.ArgumentParser:
    """The command line as `--help` shows it."""
    parser = argparse.ArgumentParser(prog="python -m instantid_core")
    subparsers = parser.add_subparsers(dest="command", required=True)
    for name, (command, text) in COMMANDS.items():
        own = subparsers.add_parser(name, help=text, description=text)
        own.add_argument("--comfyui", type=Path, help="your ComfyUI (default: the one around)")
        own.add_argument("--python", type=Path, help="the Python of that ComfyUI")
        own.add_argument("--here", action="store_true", help=argparse.SUPPRESS)
        command.add_options(own)
    return parser


def _hand_over(python: Path, comfyui: Path | None, arguments: Sequence[str]) -> int:
    """Runs the same command in another Python, which then stays there."""
    found = [f"--comfyui={comfyui}"] if comfyui else []
    command = [str(python), "-c", RUN, str(PACK), *arguments, "--here", *found]
    try:
        return subprocess.run([*command, f"--python={python}"], check=False).returncode
    except OSError as error:
        print(f"error: {python} does not start ({error}). Name another with --python.")
        return 1


def _leave(_number: int, _frame: object) -> NoReturn:
    sys.exit(143)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
