"""The commands of `dev.py`: each gets the right Python ready and hands over to it.

Standard library only. What needs packages runs in that other Python, as a module of this
package.
"""

import argparse
import signal
import subprocess
import sys
from collections.abc import Mapping, Sequence
from importlib.util import find_spec
from pathlib import Path
from types import FrameType

from . import batch_options, checks, environment, evaluate_options, front_ends, hosts, installation
from .cache import cache_root
from .environment import REPOSITORY, child_environ

TESTS = REPOSITORY / "tests"
# Not `-m` with PYTHONPATH: the Python that comes with ComfyUI's portable build ignores both
# that variable and the current folder.
RUN_MODULE = (
    "import runpy, sys; sys.path.insert(0, sys.argv.pop(1)); name = sys.argv.pop(1); "
    "runpy.run_module(name, run_name='__main__', alter_sys=True)"
)


def test(options: argparse.Namespace, pytest_args: Sequence[str]) -> int:
    """Lint, types and tests."""
    newest = environment.ready()
    others = hosts.OLDER if options.all_hosts else hosts.OLDER[:1] if options.oldest_host else ()
    older = environment.older_hosts(newest, others)
    wanted = [*(options.front_end or ()), *([front_ends.TESTED] if options.all_hosts else ())]
    front = {
        version: front_ends.ready_front_end(newest.python, cache_root(), version)
        for version in wanted
    }
    suites = options.suite or ([] if options.front_end else checks.SUITES)
    return checks.run_checks(newest, suites, pytest_args, older, front, options.jobs)


def demo(options: argparse.Namespace) -> int:
    """One picture, from the small models or from the user's own installation."""
    arguments = ["--output", str(options.output.resolve())]
    if options.photo:
        arguments += ["--photo", str(options.photo.expanduser().resolve())]
    for name in ("workflow", "checkpoint", "prompt", "seed"):
        value = getattr(options, name)
        if value is not None:
            arguments += [f"--{name}={value}"]
    if options.comfyui:
        found = installation.find(options.comfyui, options.python)
        return run_module(found, "harness.demo", [*arguments, "--installed"])
    return run_module(environment.ready(), "harness.demo", arguments)


def evaluate(options: argparse.Namespace) -> int:
    """The page of figures, from the small world or from the user's own installation."""
    arguments = evaluate_options.forwarded(options)
    if options.comfyui:
        found = installation.find(options.comfyui, options.python)
        return run_module(found, "harness.evaluate", [*arguments, "--installed"])
    return run_module(environment.ready(), "harness.evaluate", arguments)


def serve(port: int) -> int:
    """A ComfyUI that stays until Ctrl-C."""
    return run_module(environment.ready(), "harness.serve", ["--port", str(port)])


def bench(options: argparse.Namespace) -> int:
    """The benchmark table."""
    arguments = [f"--{name}" for name in ("full", "batch", "steps") if getattr(options, name)]
    arguments.append(f"--dims={options.dims}")
    for name in ("json", "out"):
        path = getattr(options, name)
        arguments += [f"--{name}", str(path.expanduser().resolve())] if path else []
    return run_module(environment.ready(), "harness.bench", arguments)


def batch(options: argparse.Namespace) -> int:
    """A file of prompts on several ComfyUI, in an environment that has Ray."""
    arguments = batch_options.forwarded(options)
    if batch_options.started(options):
        host = (
            installation.find(options.comfyui, options.python)
            if options.comfyui
            else environment.ready()
        )
        own = ["--installed"] if options.comfyui else []
        arguments = [
            *(f"--host-python={host.python}", f"--host-comfyui={host.comfyui}", *own),
            *arguments,
        ]
    python = environment.ready_python(batch_options.LOCK, cache_root())
    return _run(python, "harness.batch", arguments, child_environ())


def models(options: argparse.Namespace) -> int:
    """The published files: a list, and downloads on request."""
    comfyui = options.comfyui or installation.around_the_pack()
    # ComfyUI reads extra_model_paths.yaml with it; a Python that has it needs no search for one.
    python = options.python or (Path(sys.executable) if find_spec("yaml") else None)
    arguments = [f"--only={name}" for name in options.only or ()]
    arguments += [f"--{name}" for name in ("yes", "verify") if getattr(options, name)]
    if options.mirror:
        arguments.append(f"--mirror={options.mirror}")
    return run_module(installation.find(comfyui, python), "harness.models", arguments)


def doctor(options: argparse.Namespace) -> int:
    """What is installed, what is wrong, what to do; also where there is no ComfyUI to look at."""
    comfyui = installation.to_look_at(options.comfyui)
    python = installation.python_or_this(comfyui, options.python)
    arguments = [f"--{name}" for name in ("json", "hash") if getattr(options, name)]
    if comfyui:
        arguments.append(f"--comfyui={comfyui}")
    return _run(python, "harness.doctor", arguments, child_environ())


def run_module(where: environment.Environment, module: str, arguments: Sequence[str]) -> int:
    """Runs a module of the harness in the Python of `where`, in front of the user."""
    return _run(where.python, module, arguments, child_environ(COMFYUI_PATH=str(where.comfyui)))


def _run(python: Path, module: str, arguments: Sequence[str], environ: Mapping[str, str]) -> int:
    command = [str(python), "-c", RUN_MODULE, str(TESTS), module, *arguments]
    with subprocess.Popen(command, cwd=TESTS, env=environ) as process:
        signal.signal(signal.SIGTERM, lambda number, frame: _pass_on(process, number, frame))
        return _wait(process)


def _wait(process: "subprocess.Popen[bytes]") -> int:
    # Ctrl-C reaches the child as well, which then stops its server; waiting is all to do here.
    while True:
        try:
            return process.wait()
        except KeyboardInterrupt:
            print("\nstopping", file=sys.stderr, flush=True)


def _pass_on(process: "subprocess.Popen[bytes]", _number: int, _frame: FrameType | None) -> None:
    process.terminate()
