"""Rows of a call as sites see them that are given more queries, and sites that nobody asks."""

from __future__ import annotations

import pytest
import torch

from instantid_core.adapter import Applied, Run, SamplingRows, Span, read_rows
from instantid_core.errors import IncompatibleModelError
from instantid_core.types import Polarity

WHOLE = Span(0.0, 1.0)


def call(branches: tuple[int, ...], pictures: int = 1) -> SamplingRows:
    rows = read_rows(None, pictures * len(branches), branches)
    return SamplingRows(rows, Run(), torch.ones(1), branches, ("odd-pack",))


def places(rows: SamplingRows) -> list[tuple[str, int]]:
    return [(row.polarity.name[0], row.batch_index) for row in rows.rows]


def test_as_many_queries_as_rows_are_the_rows() -> None:
    rows = call((1, 0), 2)
    assert rows.at_site(4) is rows


def test_positive_chunks_are_repeated_region_by_region() -> None:
    wide = call((1, 0), 2).at_site(8)
    negative, positive = [("N", 0), ("N", 1)], [("P", 0), ("P", 1)]
    assert places(wide) == negative + 3 * positive
    assert wide.branches == (1, 0, 0, 0)
    assert places(call((0, 1)).at_site(3)) == [("P", 0), ("P", 0), ("N", 0)]
    assert places(call((0,), 2).at_site(4)) == 2 * positive
    assert places(call((0, 0, 1)).at_site(5)) == [("P", 0)] * 4 + [("N", 0)]


def test_the_wide_rows_are_made_once_and_answer_for_themselves() -> None:
    rows = call((1, 0))
    wide = rows.at_site(3)
    assert rows.at_site(3) is wide
    positive, negative = Polarity.POSITIVE, Polarity.NEGATIVE
    assert rows.groups(1).entries == (negative, positive)
    assert wide.groups(1).entries == (negative, positive, positive)


@pytest.mark.parametrize(
    ("branches", "pictures", "queries"),
    [((1, 0), 1, 1), ((1, 0), 2, 5), ((1,), 1, 3), ((1, 1), 1, 4), ((1, 0), 1, 0)],
)
def test_rows_that_do_not_divide_have_a_sentence(
    branches: tuple[int, ...], pictures: int, queries: int
) -> None:
    with pytest.raises(IncompatibleModelError, match=r"A patch of odd-pack .* found \d+\."):
        call(branches, pictures).at_site(queries)


def test_sites_that_were_asked_in_any_call_are_reached() -> None:
    reach, first, second = Run().reach, Applied(WHOLE, 3), Applied(WHOLE, 3)
    for position in (0, 2, 2):
        reach.note(first, position)
    assert not reach.is_judged(first)
    assert reach.judge(first) == (1,)
    assert reach.is_judged(first)
    assert reach.judge(second) == (0, 1, 2)


def test_a_run_hears_a_sentence_once() -> None:
    run = Run()
    assert [run.is_news(text) for text in ("one", "two", "one")] == [True, True, False]
