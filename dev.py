"""Commands for a checkout: `python3 dev.py demo|test|evaluate|bench|batch|serve|registry`.

Needs Python 3.10 or newer and its standard library. Everything else is built once in the user's
cache folder (INSTANTID_COMPOSE_CACHE names another one). COMFYUI_PATH names a ComfyUI source tree
to use instead of the pinned release.
"""

import argparse
import runpy
import signal
import sys
from collections.abc import Sequence
from pathlib import Path

REPOSITORY = Path(__file__).resolve().parent
runpy.run_path(str(REPOSITORY / "tools" / "run.py"))["make_importable"]()

from instantid_core.errors import InstantIDError
from tools import commands
from tools.batch import options as batch_options
from tools.checks import suites
from tools.checks.parts import fitting_jobs
from tools.comfyui.cache import CacheError
from tools.evaluate import options as evaluate_options
from tools.registry import command as registry

MOVED = {
    "doctor": "python -m instantid_core doctor",
    "models": "python -m instantid_core models",
}
"""Commands of earlier versions, and their replacements."""
REPLACED = {"--all-hosts": "--all", "--oldest-host": "--all"}
"""Options of `test` in earlier versions, and what to use in their place."""


def main(arguments: Sequence[str]) -> int:
    """Parses the command line, runs the command, and returns its exit code."""
    if arguments and (new := MOVED.get(arguments[0])):
        print(f"`dev.py {arguments[0]}` has moved: run `{new}` in this folder.", file=sys.stderr)
        return 2
    parser = build_parser()
    options, rest = parser.parse_known_args(arguments)
    if rest and options.command != "test":
        parser.error(f"unrecognized arguments: {' '.join(rest)}")
    # As an exception, so that unfinished work is cleaned up on the way out.
    signal.signal(signal.SIGTERM, lambda number, frame: sys.exit(128 + number))
    try:
        return options.run(options, rest)
    except (CacheError, InstantIDError) as error:
        print(f"error: {error}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        print("\nstopped", file=sys.stderr)
        return 130


def build_parser() -> argparse.ArgumentParser:
    """The command line as `--help` shows it."""
    parser = argparse.ArgumentParser(description="Develop, test and try InstantID Compose.")
    subparsers = parser.add_subparsers(dest="command", required=True)
    demo_options(subparsers.add_parser("demo", help="generate pictures from a face photo"))
    test_options(subparsers.add_parser("test", help="lint, types, tests; pytest gets the rest"))
    evaluate_command(
        subparsers.add_parser("evaluate", help="measure likeness and more; write one page")
    )
    bench_options(subparsers.add_parser("bench", help="print the benchmark table"))
    batch_commands(subparsers.add_parser("batch", help="run a file of prompts on several ComfyUI"))
    serve_options(subparsers.add_parser("serve", help="run ComfyUI with the pack until Ctrl-C"))
    registry_options(subparsers.add_parser("registry", help="build and check the archive"))
    return parser


def demo_options(parser: argparse.ArgumentParser) -> None:
    """Options of `demo`, which runs one face photo through a real ComfyUI."""
    parser.add_argument("--photo", type=Path, help="face photo (default: a drawn face)")
    parser.add_argument("--comfyui", type=Path, help="your own ComfyUI, with its real models")
    parser.add_argument("--python", type=Path, help="the Python of that ComfyUI")
    parser.add_argument("--workflow", help="file in workflows/ (default: the sheet of styles)")
    parser.add_argument("--checkpoint", help="checkpoint to use instead of the workflow's")
    parser.add_argument("--prompt", help="text instead of the workflow's")
    parser.add_argument("--seed", type=int, help="seed instead of the workflow's")
    parser.add_argument("--output", type=Path, default=REPOSITORY / "output", help="folder")
    parser.set_defaults(run=lambda options, _: commands.demo(options))


def test_options(parser: argparse.ArgumentParser) -> None:
    """`test`: lint, types, and every test suite."""
    parser.add_argument("--suite", action="append", choices=suites.SUITES, help="only this one")
    scope = parser.add_mutually_exclusive_group()
    scope.add_argument(
        "--all",
        action="store_true",
        help="also thorough tests, older ComfyUI releases, and a newer front end",
    )
    scope.add_argument(
        "--thorough-only", action="store_true", help="of --all, the part that a plain run leaves"
    )
    parser.add_argument(
        "--jobs",
        type=int,
        default=fitting_jobs(),
        metavar="N",
        help="run N suites at a time (default: as many as fit this machine)",
    )
    parser.add_argument(
        "--front-end",
        action="append",
        metavar="VERSION",
        help="the browser suite on this release of the front end, or on the 'newest'",
    )
    for name in REPLACED:
        parser.add_argument(name, action=Replaced, nargs=0, help=argparse.SUPPRESS)
    parser.set_defaults(run=commands.test)


class Replaced(argparse.Action):
    """An option of earlier versions: it says what took its place."""

    def __call__(
        self,
        parser: argparse.ArgumentParser,
        namespace: argparse.Namespace,
        values: object,
        option_string: str | None = None,
    ) -> None:
        """Ends the command."""
        name = option_string or self.option_strings[0]
        parser.error(f"`{name}` was replaced: use `{REPLACED[name]}`")


def evaluate_command(parser: argparse.ArgumentParser) -> None:
    """Options of `evaluate`, on the small world or on the user's ComfyUI."""
    evaluate_options.add_options(parser)
    parser.add_argument("--comfyui", type=Path, help="your own ComfyUI, with its real models")
    parser.add_argument("--python", type=Path, help="the Python of that ComfyUI")
    parser.set_defaults(run=lambda options, _: commands.evaluate(options))


def bench_options(parser: argparse.ArgumentParser) -> None:
    """Options of `bench`, which prints the tables of the benchmark."""
    parser.add_argument("--full", action="store_true", help="SDXL's own sizes, on a GPU or a CPU")
    parser.add_argument(
        "--dims", choices=("published", "small"), default="published", help="sizes for --full"
    )
    parser.add_argument(
        "--steps", action="store_true", help="with --full: whole steps on a CPU as well"
    )
    parser.add_argument(
        "--batch", action="store_true", help="only the throughput of batch with 1 to 3 workers"
    )
    parser.add_argument("--json", type=Path, help="also write the figures into this file")
    parser.add_argument("--out", type=Path, help="also write the tables as a Markdown page")
    parser.set_defaults(run=lambda options, _: commands.bench(options))


def batch_commands(parser: argparse.ArgumentParser) -> None:
    """Options of `batch`, which runs prompts in API format on several workers."""
    batch_options.add_options(parser)
    parser.add_argument("--comfyui", type=Path, help="start the workers from your own ComfyUI")
    parser.add_argument("--python", type=Path, help="the Python of that ComfyUI")
    parser.set_defaults(run=lambda options, _: commands.batch(options))


def registry_options(parser: argparse.ArgumentParser) -> None:
    """Options of `registry`, which builds the archive of the Comfy Registry."""
    parser.add_argument("--publish", action="store_true", help="publish the archive as well")
    parser.add_argument("--tag", metavar="vX.Y.Z", help="stop unless the pack has this version")
    parser.add_argument("--output", type=Path, default=REPOSITORY / "output", help="folder")
    parser.add_argument("--archive", type=Path, help="one that was built before")
    parser.set_defaults(
        run=lambda options, _: registry.run(
            options.output, options.publish, options.tag, options.archive
        )
    )


def serve_options(parser: argparse.ArgumentParser) -> None:
    """Options of `serve`, which runs a ComfyUI to open in a browser."""
    parser.add_argument("--port", type=int, default=0, help="default: a free one")
    parser.set_defaults(run=lambda options, _: commands.serve(options.port))


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
