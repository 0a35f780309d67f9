"""docs/COMPATIBILITY.md has a row for every combination that is tried on servers."""

from __future__ import annotations

import pytest
from support import combinations, compatibility


def test_the_page_is_up_to_date(request: pytest.FixtureRequest) -> None:
    combinations.require_written(request)


def test_all_releases_have_the_same_rows() -> None:
    """Here the older ones run for the page alone, so that a renamed row would stay in theirs."""
    rows = [
        {(group, name) for group, names in suites["e2e"].items() for name in names}
        for suites in compatibility.read_results().values()
    ]
    assert len(rows) > 1 and rows[0]
    assert all(each == rows[0] for each in rows), combinations.TO_UPDATE
