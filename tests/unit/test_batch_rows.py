"""Which entry of the stored keys and values each row of a UNet call takes."""

from __future__ import annotations

from collections.abc import Sequence

import pytest

from instantid_core.adapter.rows import BatchRows, Row
from instantid_core.adapter.run import Run
from instantid_core.types import Polarity

POSITIVE, NEGATIVE = Polarity.POSITIVE, Polarity.NEGATIVE


def rows(polarities: Sequence[Polarity], pictures: int = 1) -> tuple[Row, ...]:
    """One block of `pictures` rows per polarity, as a host stacks its conditions."""
    return tuple(
        Row(polarity, picture, None, None) for polarity in polarities for picture in range(pictures)
    )


def test_batch_counts_pictures_not_rows() -> None:
    assert BatchRows(rows([POSITIVE, NEGATIVE], pictures=3), Run()).batch == 3
    assert BatchRows(rows([NEGATIVE]), Run()).batch == 1


@pytest.mark.parametrize(
    ("polarities", "entries"),
    [
        pytest.param([NEGATIVE, POSITIVE], (0, 1), id="negative first, as ComfyUI stacks them"),
        pytest.param([POSITIVE, NEGATIVE], (1, 0), id="positive first"),
        pytest.param([POSITIVE], (1,), id="no guidance"),
        pytest.param([NEGATIVE], (0,), id="negative alone"),
        pytest.param([POSITIVE, POSITIVE, NEGATIVE], (1, 1, 0), id="two positives"),
    ],
)
def test_one_identity_follows_polarity(
    polarities: list[Polarity], entries: tuple[int, ...]
) -> None:
    assert BatchRows(rows(polarities), Run()).entries(1) == entries


@pytest.mark.parametrize(
    ("identities", "entries"),
    [
        pytest.param(1, (0, 0, 0, 0, 1, 1, 1, 1), id="one for all"),
        pytest.param(2, (0, 1, 0, 1, 2, 3, 2, 3), id="round again"),
        pytest.param(3, (0, 1, 2, 0, 3, 4, 5, 3), id="not a divisor"),
        pytest.param(4, (0, 1, 2, 3, 4, 5, 6, 7), id="one each"),
        pytest.param(6, (0, 1, 2, 3, 6, 7, 8, 9), id="more than pictures"),
    ],
)
def test_identities_go_over_the_pictures(identities: int, entries: tuple[int, ...]) -> None:
    assert BatchRows(rows([NEGATIVE, POSITIVE], pictures=4), Run()).entries(identities) == entries


@pytest.mark.parametrize(
    ("polarities", "pictures", "identities", "groups"),
    [
        pytest.param([NEGATIVE, POSITIVE], 1, 1, ((0, 1), 1), id="one picture"),
        pytest.param([NEGATIVE, POSITIVE], 4, 1, ((0, 1), 4), id="four pictures of one person"),
        pytest.param([NEGATIVE, POSITIVE], 4, 4, (tuple(range(8)), 1), id="four people"),
        pytest.param([POSITIVE], 6, 1, ((1,), 6), id="no guidance"),
        pytest.param([POSITIVE, POSITIVE, NEGATIVE], 2, 1, ((1, 1, 0), 2), id="uneven sides"),
    ],
)
def test_neighbours_with_the_same_entry_are_one_group(
    polarities: list[Polarity], pictures: int, identities: int, groups: tuple[object, int]
) -> None:
    assert BatchRows(rows(polarities, pictures), Run()).groups(identities) == groups


def test_calls_share_no_memory_of_their_answers() -> None:
    first, second = BatchRows(rows([POSITIVE]), Run()), BatchRows(rows([NEGATIVE]), Run())
    assert first.groups(1).entries == (1,)
    assert second.groups(1).entries == (0,)
