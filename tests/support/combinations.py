"""Pytest hooks that note what became of each combination; the conftest of a suite takes them over.

A test whose mark is `combination(group, name)` is a row of `docs/COMPATIBILITY.md`; `{}` in the
name stands for its parameters. The property `refused` of a test is the sentence that it met,
`noted` something that it has measured.
"""

import json
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from instantid_core.models.installation import version_of

from . import compatibility

ROWS = pytest.StashKey[compatibility.Rows]()
COLLECTED = pytest.StashKey[set[tuple[str, str]]]()
REFUSED, NOTED = "refused", "noted"
TO_UPDATE = "Run `python -m support.compatibility` in `tests`."


def pytest_configure(config: pytest.Config) -> None:
    config.addinivalue_line("markers", "combination(group, name): a row of docs/COMPATIBILITY.md")
    config.stash[ROWS] = {}
    config.stash[COLLECTED] = set()


def pytest_itemcollected(item: pytest.Item) -> None:
    """Note the rows of all tests, before a selection leaves some of them out."""
    if row := compatibility.row_of(item):
        item.config.stash[COLLECTED].add(row)


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(item: pytest.Item, call: pytest.CallInfo[None]) -> Any:
    """Note what became of each combination."""
    report = yield
    row = compatibility.row_of(item)
    if row and (report.when == "call" or not report.passed):
        outcomes = {"skipped": compatibility.ABSENT, "failed": compatibility.FAILED}
        group, name = row
        outcome = outcomes.get(report.outcome) or _passed(item)
        item.config.stash[ROWS].setdefault(group, {})[name] = outcome
        if report.passed and not os.environ.get(compatibility.VARIABLE):
            _require_as_written(report, item.path.parent.name, row, outcome)
    return report


def _require_as_written(
    report: pytest.TestReport, suite: str, row: tuple[str, str], outcome: str
) -> None:
    """Fail a test whose outcome differs from the page; measured figures may differ."""
    group, name = row
    written = _written(suite).get(group, {}).get(name, outcome)
    measured = f"{compatibility.PASS}: "
    if written != outcome and not (written.startswith(measured) and outcome.startswith(measured)):
        report.outcome = "failed"
        report.longrepr = f"docs/COMPATIBILITY.md says: {written}\nfound: {outcome}\n{TO_UPDATE}"


def _written(suite: str) -> compatibility.Rows:
    release = version_of(Path(os.environ["COMFYUI_PATH"]))
    return compatibility.read_results().get(release, {}).get(suite, {})


def _passed(item: pytest.Item) -> str:
    """Text of the page about a test that passed."""
    properties = dict(item.user_properties)
    if REFUSED in properties:
        return f"refused: {properties[REFUSED]}"
    noted = properties.get(NOTED)
    return f"{compatibility.PASS}: {noted}" if noted else compatibility.PASS


def pytest_sessionfinish(session: pytest.Session) -> None:
    target = os.environ.get(compatibility.VARIABLE)
    if target:
        Path(target).write_text(json.dumps(session.config.stash[ROWS]), encoding="utf-8")


@pytest.fixture
def noted(request: pytest.FixtureRequest) -> Callable[[str], None]:
    """Function to call with the text that the page shows beside `pass`."""
    return lambda text: request.node.user_properties.append((NOTED, text))


def require_written(request: pytest.FixtureRequest) -> None:
    """Check that what was collected has its row; where nothing was left out, that nothing else has.

    request: of a test that lies in the suite's folder. Skips where the page does not speak of this
    ComfyUI at all.
    """
    suite = request.path.parent
    release = version_of(Path(os.environ["COMFYUI_PATH"]))
    if release not in compatibility.read_results():
        pytest.skip("the page does not speak of this ComfyUI")
    groups = _written(suite.name)
    written = {(group, name) for group, names in groups.items() for name in names}
    collected = request.config.stash[COLLECTED]
    assert collected <= written, TO_UPDATE
    if request.config.args == [str(suite)]:
        assert collected == written
    assert all(compatibility.FAILED not in names.values() for names in groups.values())
