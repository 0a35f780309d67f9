"""The test command counts what ran and says so in its last line."""

import sys
import threading
from dataclasses import replace
from pathlib import Path

import pytest

from tools.checks import javascript, suites
from tools.checks.outcomes import Outcome, pytest_outcome, summary
from tools.checks.parts import OPEN, Console, Part, at_a_time, call, fitting_jobs
from tools.checks.suites import Plan, Scope, names_tests, parts_of, run_checks
from tools.comfyui.environment import Environment
from tools.pictures import chromium

SOMEWHERE = Environment(Path("python"), Path("comfyui"))


def test_the_last_line_is_the_total():
    outcomes = [
        Outcome("lint", True, 0.5),
        Outcome("unit", True, 2.0, passed=120, skipped=1),
        Outcome("host", False, 9.0, passed=3, failed=2),
    ]
    *rows, time, left, last = summary(outcomes, 11.5, "The rest is left.").splitlines()
    assert last == "123 passed, 2 failed"
    assert [row.split()[:2] for row in rows] == [["lint", "ok"], ["unit", "ok"], ["host", "FAILED"]]
    assert time.split() == ["in", "all", "11.5", "s"]
    assert left == "The rest is left."


def test_counts_come_from_the_report(tmp_path):
    report = tmp_path / "report.xml"
    report.write_text(
        '<testsuites><testsuite tests="9" failures="1" errors="1" skipped="2"/></testsuites>'
    )
    outcome = pytest_outcome("unit", 1, 0.0, report)
    assert (outcome.passed, outcome.failed, outcome.skipped, outcome.ok) == (5, 2, 2, False)


def test_a_run_without_a_report_has_failed(tmp_path):
    outcome = pytest_outcome("host", 139, 0.0, tmp_path / "report.xml")
    assert (outcome.failed, outcome.ok) == (1, False)
    assert "exit code 139" in outcome.note


@pytest.mark.parametrize(
    ("code", "cases", "counted"),
    [
        (0, '<testcase name="a"/><testcase name="b"/>', (2, 0)),
        (1, '<testcase name="a"/><testcase name="b"><failure/></testcase>', (1, 1)),
        (1, '<testcase name="a"/>', (1, 1)),
        (0, "", (0, 1)),
    ],
    ids=["all pass", "one fails", "a crash after the tests", "no tests"],
)
def test_node_tests_are_counted(tmp_path, code, cases, counted):
    report = tmp_path / "report.xml"
    report.write_text(f"<testsuites>{cases}</testsuites>")
    assert javascript.counts(code, report) == counted


def test_node_without_a_report_has_failed(tmp_path):
    assert javascript.counts(0, tmp_path / "report.xml") == (0, 1)


def test_nothing_selected_is_no_failure(tmp_path):
    assert pytest_outcome("host", 5, 0.0, tmp_path / "report.xml").ok


@pytest.mark.parametrize(
    ("arguments", "picked"),
    [
        (["-k", "sites", "-x"], False),
        (["tests/unit/test_checks.py"], True),
        (["-q", "tests/unit/test_checks.py::test_nothing_selected_is_no_failure"], True),
    ],
)
def test_named_files_take_the_place_of_the_whole_suite(arguments, picked):
    assert names_tests(arguments) is picked


def test_named_files_choose_their_suites():
    named = ["tests/unit/test_checks.py::test_x", "-x", "tests/browser", "tests/unit/conftest.py"]
    assert suites.suites_of_files(named) == ("unit", "browser")
    assert suites.suites_of_files(["-k", "sites", "tests", "README.md"]) == ()
    assert suites.without_other_suites("browser", named) == ["-x", "tests/browser"]
    assert suites.without_other_suites("unit", ["-k", "sites"]) == ["-k", "sites"]


def test_parts_at_a_time_overlap_and_keep_their_order(capsys):
    """Each waits for the other: one after the other they would never end."""
    meeting = threading.Barrier(2, timeout=60)

    def part(name: str) -> Part:
        def run(console: Console) -> Outcome:
            meeting.wait()
            assert console.output is not None
            console.output.write(f"words of {name}".encode())
            return Outcome(name, True, 0.0)

        return Part(name, run)

    outcomes = at_a_time([part("first"), part("second")], 2)
    assert [outcome.name for outcome in outcomes] == ["first", "second"]
    reported = capsys.readouterr().out
    for name in ("first", "second"):
        assert f"== {name} has started" in reported
    reports = [f"\n== {name}\nwords of {name}\n" for name in ("first", "second")]
    assert reported.index(reports[0]) < reported.index(reports[1])


def test_the_longest_part_starts_first(capsys):
    started = []

    def part(name: str, minutes: float) -> Part:
        def run(console: Console) -> Outcome:
            started.append(name)
            return Outcome(name, True, 0.0)

        return Part(name, run, minutes)

    outcomes = at_a_time([part("a", 1), part("b", 9), part("c", 5)], 1)
    assert started == ["b", "c", "a"]
    assert [outcome.name for outcome in outcomes] == ["a", "b", "c"]


@pytest.mark.parametrize(("scope", "first"), [(Scope.QUICK, "host"), (Scope.ALL, "e2e")])
def test_the_longest_suite_depends_on_the_scope(scope, first):
    """Thorough tests are most of `e2e`, and none of `host`."""
    plan = Plan(SOMEWHERE, ["unit", "e2e", "host"], scope=scope)
    assert max(parts_of(plan), key=lambda part: part.minutes).title == first


def test_a_part_computes_with_its_share_of_threads(monkeypatch):
    monkeypatch.delenv("OMP_NUM_THREADS", raising=False)
    script = "import os, sys; sys.exit(int(os.environ.get('OMP_NUM_THREADS', '99')))"
    command = [sys.executable, "-c", script]
    assert call(command, console=Console(threads=3)) == 3
    assert call(command, console=OPEN) == 99


def test_modules_are_compiled_once(monkeypatch):
    monkeypatch.setenv("PYTHONDONTWRITEBYTECODE", "1")
    assert call([sys.executable, "-c", "import sys; sys.exit(sys.dont_write_bytecode)"]) == 0


def test_jobs_fit_the_processors_that_may_be_used(monkeypatch):
    monkeypatch.setattr("tools.checks.parts.cores", lambda: 2)
    assert fitting_jobs() == 2
    monkeypatch.setattr("tools.checks.parts.cores", lambda: 64)
    assert fitting_jobs() == 4


@pytest.mark.parametrize(
    ("scope", "given", "found"),
    [
        (Scope.QUICK, [], ["-m", "not thorough"]),
        (Scope.THOROUGH, ["-x"], ["-m", "thorough", "-x"]),
        (Scope.ALL, [], []),
        (Scope.QUICK, ["-k", "manager"], ["-k", "manager"]),
        (Scope.QUICK, ["tests/e2e/test_manager.py"], ["tests/e2e/test_manager.py"]),
    ],
)
def test_a_quick_run_leaves_thorough_tests_unless_the_user_selects(
    monkeypatch, scope, given, found
):
    monkeypatch.delenv("CI", raising=False)
    assert Plan(SOMEWHERE, [], given, scope).arguments() == found
    monkeypatch.setenv("CI", "1")
    assert Plan(SOMEWHERE, [], given, scope).arguments() == ["--durations=15", *found]


def test_parts_are_suites_then_older_hosts_then_front_ends():
    plan = Plan(
        SOMEWHERE,
        ["unit", "host", "browser"],
        older={"0.1": SOMEWHERE},
        front_ends={"9.9": Path("front")},
    )
    titles = [part.title for part in parts_of(plan)]
    assert titles == ["unit", "host", "browser", "host, ComfyUI 0.1", "browser, front end 9.9"]


def test_the_oldest_host_runs_everything_and_those_between_their_combinations(monkeypatch):
    monkeypatch.delenv("CI", raising=False)
    given = {}

    def run(environment, name, arguments, console):
        given[environment.comfyui.name] = list(arguments)
        return Outcome(name, True, 1.0, 1)

    monkeypatch.setattr(suites, "run_pytest", run)
    older = {name: replace(SOMEWHERE, comfyui=Path(name)) for name in ("0.1", "0.2")}
    for part in parts_of(Plan(SOMEWHERE, [], older=older, scope=Scope.ALL)):
        part.run(OPEN)
    assert given == {
        "0.1": ["-m", "not thorough"],
        "0.2": ["-m", "combination and not thorough"],
    }


@pytest.mark.parametrize(("watched", "code"), [(True, 0), (False, 1)])
def test_a_missing_browser_is_reported(monkeypatch, capsys, watched, code):
    """Where nobody watches it is a failure, so that it is seen."""

    def ready(python: Path) -> str:
        raise chromium.NoChromiumError("no network, and not root")

    monkeypatch.setattr(chromium, "ready", ready)
    monkeypatch.delenv("CI", raising=False)
    if not watched:
        monkeypatch.setenv("CI", "true")
    assert run_checks(Plan(SOMEWHERE, ["browser"])) == code
    *_, row, _, last = capsys.readouterr().out.splitlines()
    assert row.split()[:2] == (["browser", "NOT"] if watched else ["browser", "FAILED"])
    assert "did not run: no network, and not root" in row
    assert last == "0 passed, 0 failed"


def test_lint_fails_for_ruff_and_for_the_checks(monkeypatch):
    def outcome_of(ruff: int, is_fine: bool) -> Outcome:
        monkeypatch.setattr(suites, "call", lambda command, console: ruff)
        checks = Outcome("lint", is_fine, 1.0, passed=20)
        monkeypatch.setattr(suites, "run_pytest", lambda *given, **named: checks)
        return suites.run_lint(SOMEWHERE)

    assert outcome_of(0, True).ok
    assert not outcome_of(0, False).ok
    assert not outcome_of(1, True).ok
    assert outcome_of(1, True).note == "ruff has found something"
