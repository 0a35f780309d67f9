"""docs/COMPATIBILITY.md has a row for every combination that the tests try, and no other."""

from __future__ import annotations

import pytest
from support import combinations, compatibility


def test_the_page_is_up_to_date(request: pytest.FixtureRequest) -> None:
    combinations.require_written(request)


def test_the_page_is_written_from_the_results() -> None:
    page = compatibility.PAGE.read_text(encoding="utf-8")
    assert page == compatibility.page(compatibility.read_results())
