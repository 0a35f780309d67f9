"""Rows of a UNet call, read from what travels with the conditioning."""

from __future__ import annotations

import pytest
import torch

from instantid_core.adapter.rows import Area, Latent, Row, read_rows, select_frames
from instantid_core.types import Polarity

NEGATIVE, POSITIVE = Polarity.NEGATIVE, Polarity.POSITIVE
LATENT = Latent(2, 16, 24)


def tag(*rows: tuple[int, ...]) -> torch.Tensor:
    """rows: polarity, batch index, top, left, height, width."""
    return torch.tensor([[*row, *LATENT] for row in rows])


def coordinates(top: int, left: int, height: int, width: int) -> torch.Tensor:
    """[1, 2, height, width]: row and column of each cell, as a tile of the latent has them."""
    axes = torch.arange(top, top + height), torch.arange(left, left + width)
    return torch.stack(torch.meshgrid(*axes, indexing="ij")).unsqueeze(0)


@pytest.mark.parametrize(
    ("branches", "batch", "expected"),
    [
        ([0], 1, [(POSITIVE, 0)]),
        ([1, 0], 2, [(NEGATIVE, 0), (POSITIVE, 0)]),
        ([0, 1], 4, [(POSITIVE, 0), (POSITIVE, 1), (NEGATIVE, 0), (NEGATIVE, 1)]),
        ([], 2, [(POSITIVE, 0), (POSITIVE, 1)]),
    ],
)
def test_without_a_tag_the_branch_decides(
    branches: list[int], batch: int, expected: list[tuple[Polarity, int]]
) -> None:
    rows = read_rows(None, batch, branches)
    assert rows == tuple(Row(side, picture, None, None) for side, picture in expected)


def test_a_tag_decides_against_the_branch() -> None:
    rows = read_rows(tag((1, 0, 0, 0, 0, 0), (0, 1, 2, 3, 4, 5)), 2, [1, 1])
    assert rows == (
        Row(POSITIVE, 0, None, LATENT),
        Row(NEGATIVE, 1, Area(2, 3, 4, 5), LATENT),
    )


def test_a_latent_of_no_pictures_is_not_known() -> None:
    (row,) = read_rows(torch.tensor([[1, 0, 0, 0, 0, 0, 0, 0, 0]]), 1, [])
    assert row == Row(POSITIVE, 0, None, None)


def test_tags_go_round_where_a_pack_repeats_rows() -> None:
    rows = read_rows(tag((0, 0, 0, 0, 0, 0), (1, 0, 0, 0, 0, 0)), 4, [])
    assert [row.polarity for row in rows] == [NEGATIVE, POSITIVE] * 2


def test_coordinates_of_a_tile_are_its_area() -> None:
    (row,) = read_rows(tag((1, 0, 0, 0, 0, 0)), 1, [], coordinates(4, 8, 6, 10))
    assert row.area == Area(4, 8, 6, 10)


def test_coordinates_of_the_whole_latent_are_no_area() -> None:
    (row,) = read_rows(tag((1, 0, 1, 1, 2, 2)), 1, [], coordinates(0, 0, 16, 24))
    assert row.area is None


def test_cells_that_do_not_lie_together_keep_the_area_of_the_tag() -> None:
    apart = torch.cat((coordinates(0, 0, 2, 4), coordinates(10, 0, 2, 4)), dim=2)
    (row,) = read_rows(tag((1, 0, 1, 1, 2, 2)), 1, [], apart)
    assert row.area == Area(1, 1, 2, 2)


def test_a_window_takes_its_frames() -> None:
    rows = tuple(Row(POSITIVE, picture, None, None) for picture in (0, 1, 2, 0, 1, 2))
    assert [row.batch_index for row in select_frames(rows, [4, 5, 6])] == [4, 5, 6] * 2
    assert select_frames(rows, None) is rows


def test_rows_that_know_their_latent_stay_in_a_window() -> None:
    rows = (Row(POSITIVE, 1, None, LATENT),)
    assert select_frames(rows, [4, 5]) is rows
