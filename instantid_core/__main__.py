"""`python -m instantid_core doctor` and `python -m instantid_core models`, in the pack's folder.

Both work when ComfyUI does not start. `python instantid_core/__main__.py doctor` does the same in a
Python that ignores the current folder, such as that of ComfyUI's portable build. Standard library
only.
"""

from __future__ import annotations

import os
import sys

CORE = os.path.dirname(os.path.abspath(__file__))
if not __package__:
    # Before any other import: beside this file, `types` is not the standard library's.
    sys.path[:] = [os.path.dirname(CORE), *(entry for entry in sys.path if entry != CORE)]

import argparse  # noqa: E402
import importlib  # noqa: E402
import signal  # noqa: E402
import subprocess  # noqa: E402
from collections.abc import Sequence  # noqa: E402
from pathlib import Path  # noqa: E402
from types import ModuleType  # noqa: E402
from typing import NoReturn  # noqa: E402

COMMANDS = {
    "doctor": "check an installation without changing anything",
    "models": "list the model files and download missing ones",
}
"""Names and descriptions; each is the module `command` of the package of that name."""
PROGRAM = "python -m instantid_core"
OLDEST_PYTHON = (3, 10)
CHECK_PYTHON = "import sys; print('instantid', sys.version_info[:2] >= (3, 10))"
PYTHON_CHECK_LIMIT = 60  # seconds
INTERRUPTED, TERMINATED = 130, 143


def main(arguments: Sequence[str]) -> int:
    """Run the command, in the Python that runs ComfyUI if one is found; returns the exit code."""
    if sys.version_info < OLDEST_PYTHON:
        return _fail(f"Python 3.10 or newer is needed, found {sys.version.split()[0]}.")
    signal.signal(signal.SIGTERM, _exit_on_sigterm)
    # A path may hold characters that the console cannot show.
    for stream in (sys.stdout, sys.stderr):
        stream.reconfigure(errors="backslashreplace")  # pyright: ignore[reportAttributeAccessIssue]
    if not arguments or arguments[0] not in (*COMMANDS, "-h", "--help"):
        return _explain_commands(arguments)
    options = build_parser().parse_args(arguments)
    return _run(command_of(options.command), options, arguments)


def build_parser() -> argparse.ArgumentParser:
    """The command line, as `--help` shows it."""
    parser = argparse.ArgumentParser(prog=PROGRAM)
    subparsers = parser.add_subparsers(dest="command", required=True)
    for name, text in COMMANDS.items():
        subparser = subparsers.add_parser(name, help=text, description=text)
        comfyui = "ComfyUI's folder (default: the one around the pack)"
        subparser.add_argument("--comfyui", type=Path, metavar="DIR", help=comfyui)
        python = "the Python that runs that ComfyUI (default: the one found with it)"
        subparser.add_argument("--python", type=Path, metavar="FILE", help=python)
        subparser.add_argument("--here", action="store_true", help=argparse.SUPPRESS)
        command_of(name).add_options(subparser)
    return parser


def command_of(name: str) -> ModuleType:
    """The module of a command."""
    return importlib.import_module(f"instantid_core.{name}.command")


def _run(command: ModuleType, options: argparse.Namespace, arguments: Sequence[str]) -> int:
    errors = importlib.import_module("instantid_core.errors")
    try:
        comfyui, python = command.where(options)
        if options.here or python == Path(sys.executable):
            code: int = command.run(options, comfyui)
            sys.stdout.flush()
            return code
        return _run_in(python, comfyui, arguments)
    except errors.InstantIDError as error:
        return _fail(str(error))
    except KeyboardInterrupt:
        print(f"\n{command.STOPPED}", file=sys.stderr)
        return INTERRUPTED
    except BrokenPipeError:
        # The reader, such as `head`, has closed the pipe; Python would complain once more at exit.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 1


def _run_in(python: Path, comfyui: Path | None, arguments: Sequence[str]) -> int:
    """Run the same command in another Python; returns its exit code."""
    if fault := _fault_of(python):
        return _fail(f"{python} cannot run this command: {fault}. Name another with --python FILE.")
    found = [f"--comfyui={comfyui}"] if comfyui else []
    command = [str(python), __file__, *arguments, "--here", *found, f"--python={python}"]
    with subprocess.Popen(command) as child:
        signal.signal(signal.SIGTERM, lambda *_: child.terminate())
        while True:
            try:
                code = child.wait()
            except KeyboardInterrupt:
                continue  # Ctrl-C reaches the child as well, which then stops.
            return code if code >= 0 else 128 - code


def _fault_of(python: Path) -> str:
    """Reason why a file is not a Python that can run this; empty if it is one."""
    try:
        done = subprocess.run(
            [str(python), "-c", CHECK_PYTHON],
            capture_output=True,
            text=True,
            errors="replace",
            timeout=PYTHON_CHECK_LIMIT,
            check=False,
        )
    except (OSError, subprocess.TimeoutExpired) as error:
        return f"it does not start ({error})"
    if done.stdout.split()[:1] != ["instantid"]:
        last = (done.stderr.strip().splitlines() or ["no output"])[-1][:200]
        return f"it is not a working Python ({last}; exit code {done.returncode})"
    return "" if done.stdout.split()[1] == "True" else "Python 3.10 or newer is needed"


def _explain_commands(arguments: Sequence[str]) -> int:
    fault = f"there is no command '{arguments[0]}'" if arguments else "a command is missing"
    lines = [f"  {PROGRAM} {name:8} {text}" for name, text in COMMANDS.items()]
    return _fail("\n".join([f"{fault}. The commands are:", *lines]), code=2)


def _fail(message: str, code: int = 1) -> int:
    print(f"error: {message}", file=sys.stderr)
    return code


def _exit_on_sigterm(_number: int, _frame: object) -> NoReturn:
    sys.exit(TERMINATED)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
