"""Between float batches and uint8 frames: lossless for photos, a sentence for everything else."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from instantid_core.errors import ImageError
from instantid_core.images import (
    ROWS_AT_A_TIME,
    batch_of,
    extent_of,
    frames_of,
    pixels_of,
)
from instantid_core.types import Extent

ALL_LEVELS = np.arange(256, dtype=np.uint8).reshape(16, 16)


def photo(count: int = 1, height: int = 5, width: int = 7) -> np.ndarray:
    """[count, height, width, 3] uint8 noise."""
    return np.random.default_rng(3).integers(0, 256, (count, height, width, 3), np.uint8)


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_eight_bit_photos_come_back_bit_for_bit(dtype: torch.dtype) -> None:
    levels = np.repeat(ALL_LEVELS[..., None], 3, axis=-1)
    (frame,) = frames_of(torch.from_numpy(levels).to(dtype)[None] / 255)
    assert frame.dtype == np.uint8
    assert np.array_equal(frame, levels)


def test_batch_of_undoes_frames_of() -> None:
    frames = tuple(photo(3))
    batch = batch_of(frames)
    assert (batch.shape, batch.dtype) == ((3, 5, 7, 3), torch.float32)
    assert all(np.array_equal(a, b) for a, b in zip(frames_of(batch), frames, strict=True))


def test_values_round_to_the_nearest_level_and_stay_in_range() -> None:
    values = torch.tensor([-0.5, 0.4 / 255, 0.6 / 255, 254.4 / 255, 254.6 / 255, 1.7])
    (frame,) = frames_of(values.reshape(1, 1, 6, 1))
    assert frame[0, :, 0].tolist() == [0, 0, 1, 254, 255, 255]


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16])
def test_low_precision_batches_are_read(dtype: torch.dtype) -> None:
    (frame,) = frames_of(torch.full((1, 2, 2, 3), 0.5, dtype=dtype))
    assert np.unique(frame).tolist() == [128]


def test_grey_becomes_three_equal_channels() -> None:
    (frame,) = frames_of(torch.from_numpy(ALL_LEVELS)[None, ..., None].float() / 255)
    assert np.array_equal(frame, np.repeat(ALL_LEVELS[..., None], 3, axis=-1))


def test_alpha_is_dropped_without_darkening() -> None:
    colour = torch.from_numpy(photo()).float() / 255
    with_alpha = torch.cat((colour, torch.zeros_like(colour[..., :1])), dim=-1)
    assert np.array_equal(frames_of(with_alpha)[0], photo()[0])


def test_a_single_picture_counts_as_a_batch_of_one() -> None:
    picture = torch.from_numpy(photo()[0]).float() / 255
    assert np.array_equal(frames_of(picture)[0], photo()[0])


def test_frames_are_contiguous_and_independent_of_the_batch() -> None:
    batch = torch.from_numpy(photo()).float() / 255
    before = batch.clone()
    (frame,) = frames_of(batch.permute(0, 2, 1, 3))
    frame[:] = 0
    assert frame.flags["C_CONTIGUOUS"]
    assert torch.equal(batch, before)


def test_one_pixel_is_a_picture() -> None:
    (frame,) = frames_of(torch.ones(1, 1, 1, 3))
    assert extent_of(frame) == Extent(1, 1)


def test_extent_is_width_then_height() -> None:
    assert extent_of(photo()[0]) == Extent(width=7, height=5)
    assert str(extent_of(photo()[0])) == "7 x 5"


@pytest.mark.parametrize(
    "shape", [(4,), (8, 8), (1, 3, 8, 8), (1, 8, 8, 2), (1, 8, 8, 5), (1, 1, 8, 8, 3)]
)
def test_other_shapes_are_named_in_a_sentence(shape: tuple[int, ...]) -> None:
    with pytest.raises(ImageError) as caught:
        frames_of(torch.zeros(shape))
    assert f"found a tensor of shape {list(shape)}" in str(caught.value)
    assert "Connect an IMAGE output." in str(caught.value)


@pytest.mark.parametrize("shape", [(0, 8, 8, 3), (1, 0, 8, 3), (2, 8, 0, 4)])
def test_empty_pictures_are_named_in_a_sentence(shape: tuple[int, ...]) -> None:
    with pytest.raises(ImageError, match="at least one image with at least one pixel") as caught:
        frames_of(torch.zeros(shape))
    assert str(list(shape)) in str(caught.value)


@pytest.mark.parametrize("value", [float("nan"), float("inf"), float("-inf")])
def test_unreadable_pixels_name_their_image(value: float) -> None:
    batch = torch.rand(3, 4, 4, 3)
    batch[1, 2, 3, 0] = value
    with pytest.raises(ImageError, match=r"^Image 2 of 3 holds NaN or infinite pixels"):
        frames_of(batch)


# --- ranges ---------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("picture", "says"),
    [
        (torch.from_numpy(photo()).float(), r"values up to 25\d; expected 0 to 1\. Divide"),
        (torch.from_numpy(photo()), r"values up to 25\d; expected 0 to 1\. Divide"),
        (torch.from_numpy(photo()).float() / 127.5 - 1, r"down to -\d[.\d]*; .* needs 1 added"),
    ],
    ids=["floats to 255", "bytes", "-1 to 1"],
)
def test_other_ranges_get_a_sentence_that_says_so(picture: torch.Tensor, says: str) -> None:
    for reader in (frames_of, pixels_of):
        with pytest.raises(ImageError, match=says):
            reader(picture)


def test_rows_are_converted_in_parts_without_a_seam() -> None:
    tall = photo(1, 2 * ROWS_AT_A_TIME + 3, 2)
    assert np.array_equal(frames_of(torch.from_numpy(tall).float() / 255)[0], tall[0])
