"""docs/COMPATIBILITY.md has a row for every combination that the tests try, and no other."""

from __future__ import annotations

import comfyui_version
import pytest
from harness import compatibility


def test_the_page_is_up_to_date(request: pytest.FixtureRequest) -> None:
    """What was collected is there; where nothing was left out, nothing else is."""
    results = compatibility.read_results()
    rows = results.get(comfyui_version.__version__)
    if rows is None:
        pytest.skip("the page does not speak of this ComfyUI")
    written = {(group, name) for group, names in rows.items() for name in names}
    collected = {row for item in request.session.items if (row := compatibility.row_of(item))}
    assert collected <= written, "run `python -m harness.compatibility`"
    options = request.config.option
    everything = request.config.args == [str(request.path.parent)]
    if everything and not (options.keyword or options.markexpr):
        assert collected == written
    assert all("FAILED" not in names.values() for names in rows.values())


def test_the_page_is_written_from_the_results() -> None:
    page = compatibility.PAGE.read_text(encoding="utf-8")
    assert page == compatibility.page(compatibility.read_results())
