"""The suites of `dev.py test`: lint, types, and the test suites, each in a process of its own.

Standard library only. The suites are apart because unit tests must not see ComfyUI, and host
tests must not see two of it.
"""

import json
import os
import tempfile
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from enum import Enum
from functools import partial
from pathlib import Path

from tools.comfyui.cache import CacheError
from tools.comfyui.environment import REPOSITORY, Environment, say
from tools.pictures import chromium

from . import javascript
from .front_ends import OLDEST as OLDEST_FRONT_END
from .front_ends import VARIABLE as FRONT_END
from .outcomes import Outcome, pytest_outcome, summary
from .parts import OPEN, Console, Part, at_a_time, call, one_by_one

PYTEST_SUITES = ("unit", "real", "host", "e2e", "browser")
SUITES = ("lint", "types", "js", *PYTEST_SUITES)
SMALL_SUITES = ("lint", "unit")
"""Suites that need neither ComfyUI nor its packages."""
QUICK_MINUTES = {"lint": 0.5, "js": 0.5, "unit": 3, "host": 8, "e2e": 4, "browser": 8}
THOROUGH_MINUTES = {"lint": 0, "js": 0, "unit": 3, "host": 0.5, "e2e": 25, "browser": 8}
"""About how long the tests of each mark take on a core of their own; the other suites, one."""
SELECTING = ("-k", "-m")
CONTINUOUS_INTEGRATION = "CI"
"""Set on machines where nobody watches: a suite that cannot run is a failure there."""


class Scope(Enum):
    """Selection among the tests, as an expression of pytest's marks."""

    QUICK = "not thorough"
    THOROUGH = "thorough"
    COMBINATIONS = "combination and not thorough"
    TEMPLATES = "opens_anywhere and not thorough"
    ALL = ""


@dataclass(frozen=True)
class Plan:
    """Everything that one call of `dev.py test` runs."""

    environment: Environment
    suites: Sequence[str]
    pytest_args: Sequence[str] = ()
    scope: Scope = Scope.QUICK
    older: Mapping[str, Environment] = field(default_factory=dict)
    """Further ComfyUI releases by version, the oldest first, for the host suite alone."""
    front_ends: Mapping[str, Path] = field(default_factory=dict)
    """Further front ends by version, for the browser suite alone."""
    left: str = ""
    """A sentence on what is left to another command."""

    def arguments(self, scope: Scope | None = None) -> list[str]:
        """Arguments for pytest. A user who selects tests gets them, thorough or not."""
        expression = (scope or self.scope).value
        arguments = [] if is_watched() else ["--durations=15"]
        if expression and not selects_tests(self.pytest_args):
            arguments += ["-m", expression]
        return [*arguments, *self.pytest_args]


def run_checks(plan: Plan, jobs: int = 1) -> int:
    """Runs a plan, prints a summary, returns the exit code.

    jobs: number of suites that run at a time. The output of several comes when they have ended.
    """
    started = time.monotonic()
    parts = parts_of(plan)
    alone = jobs == 1 or len(parts) == 1
    outcomes = one_by_one(parts) if alone else at_a_time(parts, jobs)
    say("\n" + summary(outcomes, time.monotonic() - started, plan.left))
    return 0 if all(outcome.ok for outcome in outcomes) else 1


def parts_of(plan: Plan) -> list[Part]:
    """The suites, then the host suite on older releases and the browser suite on front ends."""
    parts = [_suite(plan, name) for name in plan.suites]
    parts += [_on_older(plan, version) for version in plan.older]
    return [*parts, *(_with_front_end(plan, version) for version in plan.front_ends)]


def _suite(plan: Plan, name: str) -> Part:
    minutes = minutes_of(name, plan.scope)
    return Part(name, lambda console: run_suite(plan, name, console), minutes)


def minutes_of(name: str, scope: Scope) -> float:
    """About how long the selected tests of a suite take on a core of their own."""
    quick, thorough = QUICK_MINUTES.get(name, 1), THOROUGH_MINUTES.get(name, 1)
    return {
        Scope.QUICK: quick,
        Scope.THOROUGH: thorough,
        Scope.COMBINATIONS: quick / 2,
        Scope.TEMPLATES: quick / 3,
        Scope.ALL: quick + thorough,
    }[scope]


def _on_older(plan: Plan, version: str) -> Part:
    """The host suite, whole on the oldest release; on those between, the combinations alone."""
    is_oldest = version == next(iter(plan.older))
    scope = Scope.QUICK if is_oldest else Scope.COMBINATIONS

    def run(console: Console) -> Outcome:
        arguments = plan.arguments(scope)
        outcome = run_pytest(plan.older[version], "host", arguments, console=console)
        return replace(outcome, note=f"ComfyUI {version} {outcome.note}")

    return Part(f"host, ComfyUI {version}", run, minutes_of("host", scope))


def _with_front_end(plan: Plan, version: str) -> Part:
    """The browser suite, whole on a newer front end; on the oldest, the templates alone."""
    scope = Scope.TEMPLATES if version == OLDEST_FRONT_END else Scope.QUICK

    def run(console: Console) -> Outcome:
        settings = {FRONT_END: str(plan.front_ends[version])}
        arguments = plan.arguments(scope)
        outcome = run_browser(plan.environment, arguments, settings, console)
        return replace(outcome, note=f"front end {version} {outcome.note}")

    return Part(f"browser, front end {version}", run, minutes_of("browser", scope))


def run_suite(plan: Plan, name: str, console: Console = OPEN) -> Outcome:
    """Runs one suite."""
    started = time.monotonic()
    if name == "lint":
        return run_lint(plan.environment, console)
    if name == "types":
        ok = run_types(plan.environment, console)
        return Outcome(name, ok, time.monotonic() - started)
    if name == "js":
        return run_javascript(plan.environment, console)
    if name == "browser":
        return run_browser(plan.environment, plan.arguments(), {}, console)
    return run_pytest(plan.environment, name, plan.arguments(), console=console)


def run_lint(environment: Environment, console: Console = OPEN) -> Outcome:
    """Both passes of ruff, then the checks in `tests/lint`, whatever the ones before found."""
    started = time.monotonic()
    ruff = [str(environment.python), "-m", "ruff"]
    commands = [[*ruff, "check", "."], [*ruff, "format", "--check", "."]]
    codes = [call(command, console=console) for command in commands]
    outcome = run_pytest(environment, "lint", ["-q"], console=console)
    seconds = time.monotonic() - started
    note = "ruff has found something" if any(codes) else outcome.note
    return replace(outcome, ok=outcome.ok and not any(codes), seconds=seconds, note=note)


def run_types(environment: Environment, console: Console = OPEN) -> bool:
    """Pyright with the host's source tree in view, which pyproject.toml cannot name."""
    with tempfile.TemporaryDirectory() as folder:
        config = Path(folder) / "pyrightconfig.json"
        config.write_text(json.dumps(pyright_config(environment)), encoding="utf-8")
        command = [str(environment.python), "-m", "pyright", "--project", str(config)]
        # The wrapper would look for another Node.js, and for a newer release of itself.
        settings = {"PYRIGHT_PYTHON_GLOBAL_NODE": "0", "PYRIGHT_PYTHON_IGNORE_WARNINGS": "1"}
        command += ["--pythonpath", str(environment.python)]
        return call(command, settings, console) == 0


def run_javascript(environment: Environment, console: Console = OPEN) -> Outcome:
    """Types of the browser's scripts, and their unit tests even if there is a type error."""
    started = time.monotonic()
    run = partial(call, console=console)
    try:
        is_sound = javascript.check_types(environment, run)
        note = "" if is_sound else "TypeScript has found errors"
    except CacheError as error:
        is_sound, note = is_watched(), f"types did not run: {error}"
    passed, failed = javascript.run_tests(environment, run)
    seconds = time.monotonic() - started
    return Outcome("js", is_sound and not failed, seconds, passed, failed, note=note)


def pyright_config(environment: Environment) -> dict[str, object]:
    """The repository's settings, with the folders that only this machine knows."""
    return {
        "extends": str(REPOSITORY / "pyproject.toml"),
        # The repository last: its folder nodes/ must not stand in for the host's module.
        "extraPaths": [str(REPOSITORY / "tests"), str(environment.comfyui), str(REPOSITORY)],
    }


def run_browser(
    environment: Environment,
    pytest_args: Sequence[str],
    settings: Mapping[str, str],
    console: Console = OPEN,
) -> Outcome:
    """The browser suite, in a browser that is installed first if need be."""
    try:
        program = chromium.ready(environment.python)
    except chromium.NoChromiumError as error:
        return Outcome("browser", is_watched(), 0.0, note=f"did not run: {error}", ran=False)
    chosen = {**settings, chromium.VARIABLE: program}
    return run_pytest(environment, "browser", pytest_args, chosen, console)


def is_watched() -> bool:
    """Whether a person reads the summary; elsewhere a suite that cannot run is a failure."""
    return not os.environ.get(CONTINUOUS_INTEGRATION)


def run_pytest(
    environment: Environment,
    name: str,
    pytest_args: Sequence[str],
    settings: Mapping[str, str] | None = None,
    console: Console = OPEN,
) -> Outcome:
    """One test folder in its own pytest, counted from the report that it writes.

    settings: further environment variables.
    """
    started = time.monotonic()
    with tempfile.TemporaryDirectory() as scratch:
        report = Path(scratch) / "report.xml"
        # The console script: `python -m pytest` would put the repository root on sys.path,
        # where nodes/ shadows ComfyUI's nodes.py.
        own = without_other_suites(name, pytest_args)
        command = [str(environment.script("pytest")), f"--junit-xml={report}", *own]
        if not names_tests(own):
            command.append(str(REPOSITORY / "tests" / name))
        environ = {**suite_environ(environment, name), **(settings or {})}
        code = call(command, environ, console)
        return pytest_outcome(name, code, time.monotonic() - started, report)


def names_tests(pytest_args: Sequence[str]) -> bool:
    """Whether the user picked files or single tests, instead of whole suites."""
    return bool(_picked(pytest_args))


def suites_of_files(pytest_args: Sequence[str]) -> tuple[str, ...]:
    """The suites whose files the user picked, in their usual order."""
    folders = {path.parts[1] for path in _picked(pytest_args) if len(path.parts) > 1}
    return tuple(name for name in PYTEST_SUITES if name in folders)


def without_other_suites(name: str, pytest_args: Sequence[str]) -> list[str]:
    """The arguments without the files of suites other than `name`."""
    other = [one for one in pytest_args if (found := suites_of_files([one])) and name not in found]
    return [one for one in pytest_args if one not in other]


def _picked(pytest_args: Sequence[str]) -> list[Path]:
    """Files and folders among the arguments, from the repository's root."""
    named = (argument.split("::")[0] for argument in pytest_args if argument[:1] != "-")
    there = (REPOSITORY / path for path in named if (REPOSITORY / path).exists())
    return [path.relative_to(REPOSITORY) for path in there if path.is_relative_to(REPOSITORY)]


def selects_tests(pytest_args: Sequence[str]) -> bool:
    """Whether the user picked tests, by their files, names or marks."""
    return names_tests(pytest_args) or any(one.startswith(SELECTING) for one in pytest_args)


def suite_environ(environment: Environment, name: str) -> dict[str, str]:
    """ComfyUI's place, for the suites that need one."""
    return {} if name in SMALL_SUITES else {"COMFYUI_PATH": str(environment.comfyui)}
