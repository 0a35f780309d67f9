"""The commands of `dev.py`: each gets the right Python ready and hands over to it.

Standard library only. What needs packages runs in that other Python, as a module of `tools`.
"""

import argparse
import signal
import subprocess
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from types import FrameType

from instantid_core.models import installation
from tools.batch import options as batch_options
from tools.checks import front_ends
from tools.checks import suites as checks
from tools.comfyui import cpu_environment, environment, hosts
from tools.evaluate import options as evaluate_options

from .comfyui.cache import cache_root
from .comfyui.environment import REPOSITORY, child_environ, module_command

LEFT = (
    "Left to `dev.py test --all`: tests marked `thorough`, the older ComfyUI releases "
    f"{', '.join(hosts.OLDER)}, and the front ends {front_ends.TESTED} and {front_ends.OLDEST}."
)


def test(options: argparse.Namespace, pytest_args: Sequence[str]) -> int:
    """Lint, types and tests."""
    return checks.run_checks(plan_of(options, pytest_args), options.jobs)


def plan_of(options: argparse.Namespace, pytest_args: Sequence[str]) -> checks.Plan:
    """The suites that the command line asks for, everything that they need made ready."""
    scope = scope_of(options)
    suites = options.suite or suites_of(options, pytest_args)
    if set(suites) <= set(checks.SMALL_SUITES) and not options.front_end:
        return checks.Plan(cpu_environment.ready_for_unit_tests(), suites, pytest_args, scope)
    newest = environment.ready()
    thorough = scope is not checks.Scope.QUICK
    others = hosts.OLDER if thorough and "host" in suites else ()
    wanted = [*(options.front_end or ())]
    if thorough and "browser" in suites:
        wanted += [front_ends.TESTED, front_ends.OLDEST]
    front = {
        version: front_ends.ready_front_end(newest.python, cache_root(), version)
        for version in wanted
    }
    older = environment.older_hosts(newest, others)
    picked = options.suite or options.front_end or checks.selects_tests(pytest_args)
    left = "" if thorough or picked else LEFT
    return checks.Plan(newest, suites, pytest_args, scope, older, front, left)


def scope_of(options: argparse.Namespace) -> checks.Scope:
    """The selection of tests that the command line asks for."""
    if options.all:
        return checks.Scope.ALL
    return checks.Scope.THOROUGH if options.thorough_only else checks.Scope.QUICK


def suites_of(options: argparse.Namespace, pytest_args: Sequence[str]) -> Sequence[str]:
    """The suites of a run that names none: those of the files that it names, else all."""
    if options.front_end:
        return ()
    thorough = scope_of(options) is checks.Scope.THOROUGH
    return checks.suites_of_files(pytest_args) or (
        checks.PYTEST_SUITES if thorough else checks.SUITES
    )


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
        found = _installed(options.comfyui, options.python)
        return run_module(found, "tools.demo.command", [*arguments, "--installed"])
    return run_module(environment.ready(), "tools.demo.command", arguments)


def evaluate(options: argparse.Namespace) -> int:
    """The page of figures, from the small world or from the user's own installation."""
    arguments = evaluate_options.forwarded(options)
    if options.comfyui:
        found = _installed(options.comfyui, options.python)
        return run_module(found, "tools.evaluate.command", [*arguments, "--installed"])
    return run_module(environment.ready(), "tools.evaluate.command", arguments)


def serve(port: int) -> int:
    """A ComfyUI that stays until Ctrl-C."""
    return run_module(environment.ready(), "tools.serve.command", ["--port", str(port)])


def bench(options: argparse.Namespace) -> int:
    """The benchmark table."""
    arguments = [f"--{name}" for name in ("full", "batch", "steps") if getattr(options, name)]
    arguments.append(f"--dims={options.dims}")
    for name in ("json", "out"):
        path = getattr(options, name)
        arguments += [f"--{name}", str(path.expanduser().resolve())] if path else []
    return run_module(environment.ready(), "tools.bench.command", arguments)


def batch(options: argparse.Namespace) -> int:
    """A file of prompts on several ComfyUI, in an environment that has Ray."""
    arguments = batch_options.forwarded(options)
    if batch_options.local_count(options):
        host = (
            _installed(options.comfyui, options.python) if options.comfyui else environment.ready()
        )
        own = ["--installed"] if options.comfyui else []
        arguments = [
            *(f"--host-python={host.python}", f"--host-comfyui={host.comfyui}", *own),
            *arguments,
        ]
    python = environment.ready_python(batch_options.LOCK, cache_root())
    return _run(python, "tools.batch.command", arguments, child_environ())


def _installed(comfyui: Path, python: Path | None) -> environment.Environment:
    return environment.Environment(*installation.find(comfyui, python))


def run_module(where: environment.Environment, module: str, arguments: Sequence[str]) -> int:
    """Runs a module in the Python of `where`, in front of the user."""
    return _run(where.python, module, arguments, child_environ(COMFYUI_PATH=str(where.comfyui)))


def _run(python: Path, module: str, arguments: Sequence[str], environ: Mapping[str, str]) -> int:
    command = module_command(python, module, *arguments)
    with subprocess.Popen(command, cwd=REPOSITORY / "tools", env=environ) as process:
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
