"""Likeness of faces before and after a network by the recogniser, with gradients."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import torch
from torch import nn
from torch.nn import functional

from .alignment import CROP_SIDE, similarities
from .recogniser import EmbeddingNetwork


def ways_back(keypoints: np.ndarray) -> torch.Tensor:
    """Keypoints [N, 5, 2] -> matrices [N, 2, 3] from places in aligned crops to pixels, float32."""
    full = np.tile(np.eye(3), (len(keypoints), 1, 1))
    full[:, :2] = similarities(keypoints)
    return torch.from_numpy(np.linalg.inv(full)[:, :2].astype(np.float32))


def crop_grid(
    back: torch.Tensor, side: int, extent: tuple[int, int], corners: torch.Tensor | None = None
) -> torch.Tensor:
    """Places of `side` x `side` cells of aligned crops in views of pictures, for `grid_sample`:
    [N, side, side, 2], x and y, -1 and 1 at the view's borders.

    back: `ways_back`. extent: height and width of the views in pixels. corners: top and left of
    each view, [N, 2] pixels; None for whole pictures.
    """
    line = (torch.arange(side, device=back.device) + 0.5) * (CROP_SIDE / side) - 0.5
    v, u = torch.meshgrid(line, line, indexing="ij")
    # Not as a product of matrices: autocast would round pixels to eight bits.
    rows = back[..., None, None]
    places = rows[:, :, 0] * u + rows[:, :, 1] * v + rows[:, :, 2]
    if corners is not None:
        places = places - corners.flip(1)[..., None, None]
    height, width = extent
    return torch.stack([(2 * places[:, 0] + 1) / width, (2 * places[:, 1] + 1) / height], -1) - 1


def aligned(pictures: torch.Tensor, back: torch.Tensor) -> torch.Tensor:
    """Pictures [N, 3, H, W] in -1..1 and `ways_back` -> crops [N, 3, 112, 112], black outside of
    pictures: `alignment.crops`, with gradients."""
    height, width = pictures.shape[2:]
    grid = crop_grid(back, CROP_SIDE, (height, width))
    return functional.grid_sample(pictures + 1, grid, align_corners=False) - 1


class FaceLikeness(nn.Module):
    """A trained recogniser by the statistics of each batch; nothing in it is trained."""

    def __init__(self, weights: Path) -> None:
        super().__init__()
        self.network = EmbeddingNetwork()
        # What a training leaves has no statistics of batches.
        self.network.load_state_dict(torch.load(weights, weights_only=True), strict=False)
        self.requires_grad_(False)
        for module in self.modules():
            if isinstance(module, (nn.BatchNorm1d, nn.BatchNorm2d)):
                module.running_mean = module.running_var = module.num_batches_tracked = None

    def forward(
        self, found: torch.Tensor, wanted: torch.Tensor, back: torch.Tensor
    ) -> torch.Tensor:
        """Cosines [N] of faces in pictures [N, 3, H, W] in -1..1; back: `ways_back` of both."""
        crops = aligned(torch.cat([found, wanted]), back.repeat(2, 1, 1))
        first, second = functional.normalize(self.network(crops).float()).chunk(2)
        return (first * second).sum(1)
