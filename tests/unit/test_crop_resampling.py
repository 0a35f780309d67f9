"""The resampling of crops: enlarging is undone exactly, shrinking averages."""

from __future__ import annotations

import pytest
import torch

from instantid_core.keypoints import crops


@pytest.mark.parametrize("factor", [1.5, 2.0, 3.2])
def test_the_least_squares_way_back_undoes_any_enlargement(factor: float) -> None:
    small = 0.3 + 0.4 * torch.rand(50, 50, 3, generator=torch.Generator().manual_seed(1))
    large = crops._resample(small, round(50 * factor))
    assert torch.allclose(crops._resample(large, 50), small, atol=1e-5)


def test_detail_too_fine_for_the_picture_is_averaged_away() -> None:
    stripes = (torch.arange(400) % 2).float()[None, :, None].expand(400, 400, 3)
    small = crops._resample(stripes, 100)
    assert abs(small[:, 4:-4] - 0.5).max() < 0.01


def test_brightness_is_kept() -> None:
    assert torch.allclose(crops._resample(torch.full((64, 64, 3), 0.3), 40), torch.tensor(0.3))
