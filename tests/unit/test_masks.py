"""Region masks: shapes accepted, nearest resizing, and the part of a mask that each row sees."""

from __future__ import annotations

from collections.abc import Iterable

import pytest
import torch

from instantid_core.adapter.masks import Region, RegionMask, Resampling, resize_mask
from instantid_core.adapter.rows import Area, BatchRows, Latent, Row
from instantid_core.adapter.run import MOST_MASKS, Run
from instantid_core.errors import ImageError
from instantid_core.images import region_mask
from instantid_core.types import Polarity

LIKE = torch.zeros(1)


def latent_with(pictures: Iterable[int]) -> Latent:
    return Latent(batch=1 + max(pictures), height=16, width=24)


def checkers(count: int = 1, height: int = 128, width: int = 192) -> torch.Tensor:
    """[count, height, width] of random numbers, so that every pixel differs from every other."""
    return torch.rand(count, height, width, generator=torch.Generator().manual_seed(count))


def whole(*pictures: int, run: Run | None = None) -> BatchRows:
    return with_areas(*((picture, None) for picture in pictures), run=run)


def with_areas(*places: tuple[int, Area | None], run: Run | None = None) -> BatchRows:
    """A call of a run of its own unless one is named."""
    latent = latent_with(picture for picture, _ in places)
    rows = tuple(Row(Polarity.POSITIVE, *place, latent) for place in places)
    return BatchRows(rows, run or Run())


# --- what counts as a mask ------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("shape", "found"),
    [((4, 6), (1, 4, 6)), ((3, 4, 6), (3, 4, 6)), ((3, 1, 4, 6), (3, 4, 6)), ((1, 1), (1, 1, 1))],
)
def test_accepted_shapes(shape: tuple[int, ...], found: tuple[int, ...]) -> None:
    mask = region_mask(torch.rand(shape, dtype=torch.float16))
    assert (tuple(mask.shape), mask.dtype) == (found, torch.float32)


def test_values_are_limited_to_0_and_1() -> None:
    assert region_mask(torch.tensor([[-1.0, 0.25, 3.0]])).tolist() == [[[0, 0.25, 1]]]


def test_the_given_mask_is_not_changed() -> None:
    given = torch.tensor([[-1.0, 2.0]])
    region_mask(given)
    assert given.tolist() == [[-1, 2]]


@pytest.mark.parametrize("shape", [(4,), (2, 3, 4, 6), (0, 4, 6), (1, 4, 0), (1, 1, 1, 4, 6)])
def test_other_shapes_are_named_in_a_sentence(shape: tuple[int, ...]) -> None:
    with pytest.raises(ImageError) as caught:
        region_mask(torch.zeros(shape))
    assert "Expected a mask as [batch, height, width]" in str(caught.value)
    assert str(list(shape)) in str(caught.value)


@pytest.mark.parametrize("value", [float("nan"), float("inf")])
def test_unreadable_values_are_refused(value: float) -> None:
    mask = torch.zeros(1, 4, 4)
    mask[0, 1, 2] = value
    with pytest.raises(ImageError, match="The mask holds NaN or infinite values"):
        region_mask(mask)


# --- resizing -------------------------------------------------------------------------------------


@pytest.mark.parametrize("factor", [8, 16, 32])
def test_nearest_takes_the_first_pixel_of_every_cell(factor: int) -> None:
    mask = checkers(2)
    small = resize_mask(mask, 128 // factor, 192 // factor)
    assert torch.equal(small, mask[:, ::factor, ::factor])


def test_nearest_invents_no_values_at_odd_sizes() -> None:
    mask = (checkers() > 0.5).float()
    assert set(resize_mask(mask, 37, 51).unique().tolist()) == {0.0, 1.0}


# --- rows -----------------------------------------------------------------------------------------


def test_one_mask_serves_all_rows_at_once() -> None:
    mask = checkers()
    seen = RegionMask(mask).for_rows(whole(0, 1, 0, 1), (16, 24), LIKE)
    assert torch.equal(seen, mask[:, ::8, ::8])


def test_each_picture_has_its_own_mask() -> None:
    mask = checkers(2)
    seen = RegionMask(mask).for_rows(whole(1, 0, 1, 0), (8, 12), LIKE)
    assert torch.equal(seen, mask[[1, 0, 1, 0], ::16, ::16])


@pytest.mark.parametrize("grid", [(8, 12), (4, 6)], ids=["latent grid", "half of it"])
def test_an_area_sees_its_part_of_the_mask(grid: tuple[int, int]) -> None:
    mask = checkers()
    area = Area(top=4, left=6, height=8, width=12)
    seen = RegionMask(mask).for_rows(with_areas((0, area)), grid, LIKE)
    part = mask[:, ::8, ::8][:, 4:12, 6:18]
    step = 8 // grid[0]
    assert torch.equal(seen, part[:, ::step, ::step])


def test_rows_with_and_without_area_share_a_call() -> None:
    mask = checkers(2)
    area = Area(0, 12, 16, 12)
    seen = RegionMask(mask).for_rows(with_areas((0, None), (1, area)), (8, 6), LIKE)
    latent = mask[:, ::8, ::8]
    assert torch.equal(seen[0], resize_mask(mask, 8, 6)[0])
    assert torch.equal(seen[1], latent[1, ::2, 12::2])


def test_two_areas_that_tile_the_latent_tile_the_mask() -> None:
    mask = checkers()
    left, right = Area(0, 0, 16, 12), Area(0, 12, 16, 12)
    seen = RegionMask(mask).for_rows(with_areas((0, left), (0, right)), (16, 12), LIKE)
    assert torch.equal(torch.cat((seen[0], seen[1]), dim=1), mask[0, ::8, ::8])


def test_mask_comes_in_the_dtype_of_the_layer() -> None:
    like = torch.zeros(1, dtype=torch.bfloat16)
    assert RegionMask(checkers()).for_rows(whole(0), (4, 6), like).dtype == torch.bfloat16


@pytest.mark.parametrize("area", [None, Area(top=4, left=6, height=8, width=12)])
def test_one_region_serves_layers_of_several_dtypes_and_devices(area: Area | None) -> None:
    """Adapter and IdentityNet may compute in different ones."""
    region, run = RegionMask(checkers()), Run()
    half = torch.zeros(1, dtype=torch.bfloat16)
    for like in (LIKE, half, torch.zeros(1, device="meta"), LIKE):
        seen = region.for_rows(with_areas((0, area), run=run), (4, 6), like)
        assert (seen.dtype, seen.device) == (like.dtype, like.device)


def test_each_size_is_made_once_per_run() -> None:
    region, run = RegionMask(checkers()), Run()
    first = region.for_rows(whole(0, run=run), (4, 6), LIKE)
    assert region.for_rows(whole(0, 1, run=run), (4, 6), LIKE) is first
    assert region.for_rows(whole(0, run=run), (8, 12), LIKE).shape == (1, 8, 12)
    assert region.for_rows(whole(0), (4, 6), LIKE) is not first, "another run's"


class Columns(Region):
    """A region that is computed: as many regions as pictures, each one column of cells."""

    count = 2

    def __init__(self) -> None:
        self.rendered: list[tuple[int, int]] = []

    def render(self, height: int, width: int, resampling: Resampling, run: Run) -> torch.Tensor:
        self.rendered.append((height, width))
        return torch.eye(self.count, width)[:, None].expand(-1, height, -1)


def test_computed_regions_are_rendered_once_per_size_at_that_size() -> None:
    region, run = Columns(), Run()
    for _ in range(3):
        seen = region.for_rows(whole(1, 0, run=run), (4, 6), LIKE)
        region.for_rows(whole(0, 1, run=run), (8, 12), LIKE)
    assert region.rendered == [(4, 6), (8, 12)]
    assert seen.argmax(dim=-1).tolist() == [[1] * 4, [0] * 4]


def test_a_window_of_the_batch_gets_its_own_masks() -> None:
    """A host may run pictures 2 to 5 of six in one call."""
    masks, latent = checkers(6), Latent(6, 16, 24)
    rows = BatchRows(tuple(Row(Polarity.POSITIVE, i, None, latent) for i in range(2, 6)), Run())
    assert torch.equal(RegionMask(masks).for_rows(rows, (128, 192), LIKE), masks[2:])


@pytest.mark.parametrize(("masks", "pictures"), [(2, 3), (3, 1), (3, 2)])
def test_a_batch_of_another_length_is_refused(masks: int, pictures: int) -> None:
    with pytest.raises(ImageError) as caught:
        RegionMask(checkers(masks)).for_rows(whole(*range(pictures)), (4, 6), LIKE)
    assert f"a batch of {masks}, the latent is a batch of {pictures}" in str(caught.value)
    assert "one mask for all pictures or exactly one per picture" in str(caught.value)


def test_areas_and_windows_are_resized_once_per_size(monkeypatch: pytest.MonkeyPatch) -> None:
    """Steps come with equal rows; tiles with others, and both are remembered."""
    times = []
    real = torch.nn.functional.interpolate
    monkeypatch.setattr(
        torch.nn.functional, "interpolate", lambda *a, **k: times.append(k["size"]) or real(*a, **k)
    )
    region, area, run = RegionMask(checkers(2)), Area(0, 0, 8, 12), Run()
    first = region.for_rows(with_areas((0, area), (1, None), run=run), (4, 6), LIKE)
    before = len(times)
    for _ in range(3):
        again = region.for_rows(with_areas((0, area), (1, None), run=run), (4, 6), LIKE)
        assert again is first
    assert len(times) == before
    other = region.for_rows(with_areas((1, area), (0, None), run=run), (4, 6), LIKE)
    assert len(times) > before
    assert not torch.equal(other, first)


def test_what_is_kept_of_many_tiles_has_a_limit() -> None:
    region, run = RegionMask(checkers()), Run()
    for left in range(2 * MOST_MASKS):
        area = Area(0, left % 12, 8, 12 + left)
        region.for_rows(with_areas((0, area), run=run), (4, 6), LIKE)
    assert len(run.masks) == MOST_MASKS
