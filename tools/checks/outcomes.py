"""The result of a suite, counted from the report that pytest writes, and the table of all results.

Standard library only.
"""

import xml.etree.ElementTree as ElementTree
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

NO_TESTS_COLLECTED = 5


@dataclass(frozen=True)
class Outcome:
    """The result of one suite."""

    name: str
    ok: bool
    seconds: float
    passed: int = 0
    failed: int = 0
    skipped: int = 0
    note: str = ""
    ran: bool = True


def pytest_outcome(name: str, code: int, seconds: float, report: Path) -> Outcome:
    """Counts of one finished pytest run."""
    if code == NO_TESTS_COLLECTED:
        return Outcome(name, True, seconds, note="no test was selected")
    if not report.is_file():
        note = f"pytest ended with exit code {code} and wrote no report"
        return Outcome(name, False, seconds, failed=1, note=note)
    total, failed, skipped = count(ElementTree.parse(report).getroot().iter("testsuite"))
    ran = skipped < total
    note = "" if ran else "every test was skipped; the reason stands above"
    passed = total - failed - skipped
    return Outcome(name, code == 0, seconds, passed, failed, skipped, note, ran)


def count(suites: Iterable[ElementTree.Element]) -> tuple[int, int, int]:
    """Tests in all, failed or broken ones, and skipped ones."""
    total = failed = skipped = 0
    for suite in suites:
        total += int(suite.get("tests", 0))
        failed += int(suite.get("failures", 0)) + int(suite.get("errors", 0))
        skipped += int(suite.get("skipped", 0))
    return total, failed, skipped


def summary(outcomes: Sequence[Outcome], seconds: float, left: str = "") -> str:
    """One line per suite, the time of all, and last the plain total that a machine can read.

    left: a sentence on tests that this command leaves to another one.
    """
    rows = [_row(outcome) for outcome in outcomes]
    rows.append(f"{'in all':7} {'':7} {seconds:6.1f} s")
    passed = sum(outcome.passed for outcome in outcomes)
    failed = sum(outcome.failed for outcome in outcomes)
    return "\n".join([*rows, *([left] if left else []), f"{passed} passed, {failed} failed"])


def _row(outcome: Outcome) -> str:
    counts = ""
    if outcome.passed or outcome.failed or outcome.skipped:
        counts = f"{outcome.passed:5} ok {outcome.failed:4} bad {outcome.skipped:4} skipped"
    mark = ("ok" if outcome.ran else "NOT RUN") if outcome.ok else "FAILED"
    return f"{outcome.name:7} {mark:7} {outcome.seconds:6.1f} s {counts} {outcome.note}".rstrip()
