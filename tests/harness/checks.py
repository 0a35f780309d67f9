"""What `dev.py test` runs: lint, types, and the test suites, each in a process of its own.

Standard library only. The suites are apart because unit tests must not see ComfyUI, and host
tests must not see two of it.
"""

import json
import subprocess
import tempfile
import time
import xml.etree.ElementTree as ElementTree
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from .environment import REPOSITORY, Environment, child_environ, say
from .front_ends import VARIABLE as FRONT_END

PYTEST_SUITES = ("unit", "host", "e2e", "browser")
SUITES = ("lint", "types", *PYTEST_SUITES)
NO_TESTS_COLLECTED = 5


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


def run_checks(
    environment: Environment,
    names: Sequence[str],
    pytest_args: Sequence[str],
    older: Mapping[str, Environment],
    front_ends: Mapping[str, Path] | None = None,
) -> int:
    """Runs the named suites in order, prints a summary, returns the exit code.

    older: further ComfyUI releases by version, for the host suite alone. front_ends: further front
    ends by version, for the browser suite alone.
    """
    outcomes = [run_suite(environment, name, pytest_args) for name in names]
    for version, other in older.items():
        say(f"\n== host, ComfyUI {version}")
        outcome = run_pytest(other, "host", pytest_args)
        outcomes.append(replace(outcome, note=f"ComfyUI {version} {outcome.note}"))
    for version, folder in (front_ends or {}).items():
        say(f"\n== browser, front end {version}")
        outcome = run_pytest(environment, "browser", pytest_args, {FRONT_END: str(folder)})
        outcomes.append(replace(outcome, note=f"front end {version} {outcome.note}"))
    say("\n" + summary(outcomes))
    return 0 if all(outcome.ok for outcome in outcomes) else 1


def run_suite(environment: Environment, name: str, pytest_args: Sequence[str]) -> Outcome:
    """Runs one suite; its own output goes straight to the console."""
    say(f"\n== {name}")
    started = time.monotonic()
    if name == "lint":
        ok = run_lint(environment)
    elif name == "types":
        ok = run_types(environment)
    else:
        return run_pytest(environment, name, pytest_args)
    return Outcome(name, ok, time.monotonic() - started)


def run_lint(environment: Environment) -> bool:
    """Both passes of ruff, the second one even if the first complains."""
    ruff = [str(environment.python), "-m", "ruff"]
    return all([succeeds([*ruff, "check", "."]), succeeds([*ruff, "format", "--check", "."])])


def run_types(environment: Environment) -> bool:
    """Pyright with the host's source tree in view, which pyproject.toml cannot name."""
    with tempfile.TemporaryDirectory() as folder:
        config = Path(folder) / "pyrightconfig.json"
        config.write_text(json.dumps(pyright_config(environment)), encoding="utf-8")
        command = [str(environment.python), "-m", "pyright", "--project", str(config)]
        # The wrapper would look for another Node.js, and for a newer release of itself.
        settings = {"PYRIGHT_PYTHON_GLOBAL_NODE": "0", "PYRIGHT_PYTHON_IGNORE_WARNINGS": "1"}
        return succeeds([*command, "--pythonpath", str(environment.python)], settings)


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
        code = call(command, {**suite_environ(environment, name), **(settings or {})})
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


def succeeds(command: Sequence[str], settings: Mapping[str, str] | None = None) -> bool:
    """Whether `command` ends with exit code 0, started in the repository root."""
    return call(command, settings) == 0


def call(command: Sequence[str], settings: Mapping[str, str] | None = None) -> int:
    """Runs `command` in the repository root and returns its exit code."""
    environ = child_environ(**(settings or {}))
    if not (settings and "COMFYUI_PATH" in settings):
        environ.pop("COMFYUI_PATH", None)
    return subprocess.run(command, cwd=REPOSITORY, env=environ, check=False).returncode
