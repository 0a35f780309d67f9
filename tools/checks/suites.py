"""What `dev.py test` runs: lint, types, and the test suites, each in a process of its own.

Standard library only. The suites are apart because unit tests must not see ComfyUI, and host
tests must not see two of it.
"""

import json
import os
import subprocess
import sys
import tempfile
import time
import xml.etree.ElementTree as ElementTree
from collections.abc import Callable, Iterable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import IO

from tools.comfyui.environment import REPOSITORY, Environment, child_environ, say

from . import javascript
from .front_ends import VARIABLE as FRONT_END

PYTEST_SUITES = ("unit", "host", "e2e", "browser")
SUITES = ("lint", "types", "js", *PYTEST_SUITES)
NO_TESTS_COLLECTED = 5


@dataclass(frozen=True)
class Console:
    """Where a suite's own output goes, and with how many threads it may compute."""

    output: IO[bytes] | None = None
    """None for straight to the user."""
    threads: int | None = None
    """None for as many as it likes."""


OPEN = Console()


@dataclass(frozen=True)
class Outcome:
    """How one suite ended."""

    name: str
    ok: bool
    seconds: float
    passed: int = 0
    failed: int = 0
    skipped: int = 0
    note: str = ""


@dataclass(frozen=True)
class Part:
    """One suite on one host, with one front end."""

    title: str
    run: Callable[[Console], Outcome]


def run_checks(
    environment: Environment,
    names: Sequence[str],
    pytest_args: Sequence[str],
    older: Mapping[str, Environment],
    front_ends: Mapping[str, Path] | None = None,
    jobs: int = 1,
) -> int:
    """Runs the named suites, prints a summary, returns the exit code.

    older: further ComfyUI releases by version, for the host suite alone. front_ends: further front
    ends by version, for the browser suite alone. jobs: how many suites run at a time; what they
    print comes when they have ended, if there are several.
    """
    parts = [_suite(environment, name, pytest_args) for name in names]
    parts += [_on_older(version, host, pytest_args) for version, host in older.items()]
    for version, folder in (front_ends or {}).items():
        parts.append(_with_front_end(environment, version, folder, pytest_args))
    outcomes = one_by_one(parts) if jobs == 1 else at_a_time(parts, jobs)
    say("\n" + summary(outcomes))
    return 0 if all(outcome.ok for outcome in outcomes) else 1


def _suite(environment: Environment, name: str, pytest_args: Sequence[str]) -> Part:
    return Part(name, lambda console: run_suite(environment, name, pytest_args, console))


def _on_older(version: str, host: Environment, pytest_args: Sequence[str]) -> Part:
    def run(console: Console) -> Outcome:
        outcome = run_pytest(host, "host", pytest_args, console=console)
        return replace(outcome, note=f"ComfyUI {version} {outcome.note}")

    return Part(f"host, ComfyUI {version}", run)


def _with_front_end(
    environment: Environment, version: str, folder: Path, pytest_args: Sequence[str]
) -> Part:
    def run(console: Console) -> Outcome:
        settings = {FRONT_END: str(folder)}
        outcome = run_pytest(environment, "browser", pytest_args, settings, console)
        return replace(outcome, note=f"front end {version} {outcome.note}")

    return Part(f"browser, front end {version}", run)


def one_by_one(parts: Sequence[Part]) -> list[Outcome]:
    """Runs them in order, in front of the user."""
    outcomes = []
    for part in parts:
        say(f"\n== {part.title}")
        outcomes.append(part.run(OPEN))
    return outcomes


def at_a_time(parts: Sequence[Part], jobs: int) -> list[Outcome]:
    """Runs `jobs` of them at a time; outcomes come in the order of the parts.

    The last ones start first: suites are ordered from short to long, and a long one that starts
    late would run alone at the end.
    """
    with ThreadPoolExecutor(jobs) as pool:
        threads = max(1, (os.cpu_count() or 1) // jobs)
        running = [pool.submit(_told_at_the_end, part, threads) for part in reversed(parts)]
        return [one.result() for one in reversed(running)]


def _told_at_the_end(part: Part, threads: int) -> Outcome:
    with tempfile.TemporaryFile() as output:
        say(f"== {part.title} has started")
        outcome = part.run(Console(output, threads))
        output.seek(0)
        text = output.read().decode("utf-8", "replace")
        encoding = sys.stdout.encoding or "utf-8"
        shown = text.encode(encoding, "replace").decode(encoding)
        say(f"\n== {part.title}\n{shown}")
        return outcome


def run_suite(
    environment: Environment, name: str, pytest_args: Sequence[str], console: Console = OPEN
) -> Outcome:
    """Runs one suite."""
    started = time.monotonic()
    if name == "lint":
        ok = run_lint(environment, console)
    elif name == "types":
        ok = run_types(environment, console)
    elif name == "js":
        return run_javascript(environment, console)
    else:
        return run_pytest(environment, name, pytest_args, console=console)
    return Outcome(name, ok, time.monotonic() - started)


def run_lint(environment: Environment, console: Console = OPEN) -> bool:
    """Both passes of ruff, the second one even if the first complains."""
    ruff = [str(environment.python), "-m", "ruff"]
    commands = [[*ruff, "check", "."], [*ruff, "format", "--check", "."]]
    codes = [call(command, console=console) for command in commands]
    return not any(codes)


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
    is_sound = javascript.check_types(environment, run)
    passed, failed = javascript.run_tests(environment, run)
    note = "" if is_sound else "TypeScript has found errors"
    seconds = time.monotonic() - started
    return Outcome("js", is_sound and not failed, seconds, passed, failed, note=note)


def pyright_config(environment: Environment) -> dict[str, object]:
    """The repository's settings, with the folders that only this machine knows."""
    return {
        "extends": str(REPOSITORY / "pyproject.toml"),
        # The repository last: its folder nodes/ must not stand in for the host's module.
        "extraPaths": [str(REPOSITORY / "tests"), str(environment.comfyui), str(REPOSITORY)],
    }


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
    folder = REPOSITORY / "tests" / name
    if not any(folder.glob("**/test_*.py")):
        say(f"skipped: {folder.relative_to(REPOSITORY)} holds no tests yet")
        return Outcome(name, True, 0.0, note="no tests yet")
    started = time.monotonic()
    with tempfile.TemporaryDirectory() as scratch:
        report = Path(scratch) / "report.xml"
        # The console script: `python -m pytest` would put the repository root on sys.path,
        # where nodes/ shadows ComfyUI's nodes.py.
        command = [str(environment.script("pytest")), f"--junit-xml={report}", *pytest_args]
        if not names_tests(pytest_args):
            command.append(str(folder))
        environ = {**suite_environ(environment, name), **(settings or {})}
        code = call(command, environ, console)
        return pytest_outcome(name, code, time.monotonic() - started, report)


def names_tests(pytest_args: Sequence[str]) -> bool:
    """Whether the user picked files or single tests, instead of whole suites."""
    picked = (argument.split("::")[0] for argument in pytest_args if argument[:1] != "-")
    return any((REPOSITORY / path).exists() for path in picked)


def suite_environ(environment: Environment, name: str) -> dict[str, str]:
    """Where the suites that need ComfyUI find it; the unit suite is not told."""
    return {} if name == "unit" else {"COMFYUI_PATH": str(environment.comfyui)}


def pytest_outcome(name: str, code: int, seconds: float, report: Path) -> Outcome:
    """Counts of one finished pytest run."""
    if code == NO_TESTS_COLLECTED:
        return Outcome(name, True, seconds, note="no test was selected")
    if not report.is_file():
        note = f"pytest ended with exit code {code} and wrote no report"
        return Outcome(name, False, seconds, failed=1, note=note)
    total, failed, skipped = count(ElementTree.parse(report).getroot().iter("testsuite"))
    return Outcome(name, code == 0, seconds, total - failed - skipped, failed, skipped)


def count(suites: Iterable[ElementTree.Element]) -> tuple[int, int, int]:
    """Tests in all, failed or broken ones, and skipped ones."""
    total = failed = skipped = 0
    for suite in suites:
        total += int(suite.get("tests", 0))
        failed += int(suite.get("failures", 0)) + int(suite.get("errors", 0))
        skipped += int(suite.get("skipped", 0))
    return total, failed, skipped


def summary(outcomes: Sequence[Outcome]) -> str:
    """One line per suite, and last the plain total that a machine can read."""
    rows = [_row(outcome) for outcome in outcomes]
    passed = sum(outcome.passed for outcome in outcomes)
    failed = sum(outcome.failed for outcome in outcomes)
    return "\n".join([*rows, f"{passed} passed, {failed} failed"])


def _row(outcome: Outcome) -> str:
    counts = ""
    if outcome.passed or outcome.failed or outcome.skipped:
        counts = f"{outcome.passed:5} ok {outcome.failed:4} bad {outcome.skipped:4} skipped"
    mark = "ok" if outcome.ok else "FAILED"
    return f"{outcome.name:7} {mark:7} {outcome.seconds:6.1f} s {counts} {outcome.note}".rstrip()


def call(
    command: Sequence[str], settings: Mapping[str, str] | None = None, console: Console = OPEN
) -> int:
    """Runs `command` in the repository root and returns its exit code."""
    environ = child_environ(**(settings or {}))
    if not (settings and "COMFYUI_PATH" in settings):
        environ.pop("COMFYUI_PATH", None)
    if console.threads:
        environ.setdefault("OMP_NUM_THREADS", str(console.threads))
    out = console.output
    return subprocess.run(
        command, cwd=REPOSITORY, env=environ, check=False, stdout=out, stderr=out
    ).returncode
