"""The test command counts what ran and says so in its last line."""

import sys
import threading

import pytest

from tools.checks import javascript
from tools.checks.suites import (
    OPEN,
    Console,
    Outcome,
    Part,
    at_a_time,
    call,
    names_tests,
    pytest_outcome,
    summary,
)


def test_the_last_line_is_the_total():
    outcomes = [
        Outcome("lint", True, 0.5),
        Outcome("unit", True, 2.0, passed=120, skipped=1),
        Outcome("host", False, 9.0, passed=3, failed=2),
    ]
    *rows, last = summary(outcomes).splitlines()
    assert last == "123 passed, 2 failed"
    assert [row.split()[:2] for row in rows] == [["lint", "ok"], ["unit", "ok"], ["host", "FAILED"]]


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

    outcomes = at_a_time([part("short"), part("long")], 2)
    assert [outcome.name for outcome in outcomes] == ["short", "long"]
    told = capsys.readouterr().out
    for name in ("short", "long"):
        assert f"== {name} has started" in told
        assert f"\n== {name}\nwords of {name}\n" in told


def test_a_part_computes_with_its_share_of_threads(monkeypatch):
    monkeypatch.delenv("OMP_NUM_THREADS", raising=False)
    script = "import os, sys; sys.exit(int(os.environ.get('OMP_NUM_THREADS', '99')))"
    command = [sys.executable, "-c", script]
    assert call(command, console=Console(threads=3)) == 3
    assert call(command, console=OPEN) == 99
