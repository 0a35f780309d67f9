"""Which entry of the stored keys and values each row of a UNet call takes."""

from __future__ import annotations

from collections.abc import Sequence

import pytest
import torch

from instantid_core.schedule import BatchRows, Row
from instantid_core.types import Polarity

POSITIVE, NEGATIVE = Polarity.POSITIVE, Polarity.NEGATIVE
CPU = torch.device("cpu")


def rows(polarities: Sequence[Polarity], pictures: int = 1) -> tuple[Row, ...]:
    """One block of `pictures` rows per polarity, as a host stacks its conditions."""
    return tuple(
        Row(polarity, picture, None, None) for polarity in polarities for picture in range(pictures)
    )


def test_batch_counts_pictures_not_rows() -> None:
    assert BatchRows(rows([POSITIVE, NEGATIVE], pictures=3)).batch == 3
    assert BatchRows(rows([NEGATIVE])).batch == 1


@pytest.mark.parametrize(
    ("polarities", "index"),
    [
        pytest.param([POSITIVE, NEGATIVE], [0, 1], id="positive first"),
        pytest.param([NEGATIVE, POSITIVE], [1, 0], id="negative first"),
        pytest.param([POSITIVE], [0], id="no guidance"),
        pytest.param([NEGATIVE], [1], id="negative alone"),
        pytest.param([POSITIVE, POSITIVE, NEGATIVE], [0, 0, 1], id="two positives"),
    ],
)
def test_one_identity_follows_polarity(polarities: list[Polarity], index: list[int]) -> None:
    assert BatchRows(rows(polarities)).gather_index(1, CPU).tolist() == index


@pytest.mark.parametrize(
    ("identities", "index"),
    [
        pytest.param(1, [0, 0, 0, 0, 1, 1, 1, 1], id="one for all"),
        pytest.param(2, [0, 1, 0, 1, 2, 3, 2, 3], id="round again"),
        pytest.param(3, [0, 1, 2, 0, 3, 4, 5, 3], id="not a divisor"),
        pytest.param(4, [0, 1, 2, 3, 4, 5, 6, 7], id="one each"),
        pytest.param(6, [0, 1, 2, 3, 6, 7, 8, 9], id="more than pictures"),
    ],
)
def test_identities_go_over_the_pictures(identities: int, index: list[int]) -> None:
    batch = BatchRows(rows([POSITIVE, NEGATIVE], pictures=4))
    assert batch.gather_index(identities, CPU).tolist() == index


def test_index_is_int64_and_made_once_per_call() -> None:
    batch = BatchRows(rows([POSITIVE, NEGATIVE]))
    index = batch.gather_index(1, CPU)
    assert index.dtype == torch.int64
    assert batch.gather_index(1, CPU) is index
    assert batch.gather_index(2, CPU).tolist() == [0, 2]


def test_calls_share_no_memory_of_their_answers() -> None:
    first, second = BatchRows(rows([POSITIVE])), BatchRows(rows([NEGATIVE]))
    assert first.gather_index(1, CPU).tolist() == [0]
    assert second.gather_index(1, CPU).tolist() == [1]
