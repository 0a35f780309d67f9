"""Regions that limit where an identity acts."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable
from enum import Enum
from typing import Any

import torch

from ..errors import ImageError
from .rows import BatchRows, Row


class Resampling(Enum):
    """How a mask is brought to a layer's size, as the reference does for each kind of layer."""

    TOKENS = "nearest"
    """Cross-attention: `ip_adapter/attention_processor.py`, region control."""
    RESIDUALS = "bilinear"
    """IdentityNet: `pipeline_stable_diffusion_xl_instantid_full.py`, section 4.1."""


def resize_mask(
    mask: torch.Tensor, height: int, width: int, resampling: Resampling = Resampling.TOKENS
) -> torch.Tensor:
    """[M, H, W] -> [M, height, width]."""
    size = (height, width)
    return torch.nn.functional.interpolate(mask[:, None], size=size, mode=resampling.value)[:, 0]


MOST_KEPT = 128
"""Sizes and places of a region that are remembered; a picture in many tiles has more."""


class Region(ABC):
    """Where an identity acts. Each size and each set of rows is made once, on first use."""

    def __init__(self, count: int) -> None:
        self._count = count
        self._kept: dict[tuple[Any, ...], torch.Tensor] = {}

    @abstractmethod
    def render(self, height: int, width: int, resampling: Resampling) -> torch.Tensor:
        """[count, height, width] float32, 0..1, CPU, over the whole picture."""

    def for_rows(
        self,
        rows: BatchRows,
        grid: tuple[int, int],
        like: torch.Tensor,
        resampling: Resampling = Resampling.TOKENS,
    ) -> torch.Tensor:
        """[B, h, w] (or [1, h, w], the same for all): the mask over what each row covers.

        grid: h and w of the layer. like: gives dtype and device. A row that covers part of the
        latent gets that part of the mask. Raises ImageError unless there is one mask or one for
        every picture of the latent batch.
        """
        if self._count not in (1, rows.batch):
            raise ImageError(
                f"The mask is a batch of {self._count}, the latent is a batch of {rows.batch}. "
                "Expected one mask for all pictures or exactly one per picture."
            )
        if self._count == 1 and all(row.area is None for row in rows.rows):
            return self._at(grid, like, resampling)
        places = tuple((row.batch_index % self._count, row.area, row.latent) for row in rows.rows)
        return self._once(
            (places, grid, like.dtype, like.device, resampling),
            lambda: torch.stack([self._for_row(row, grid, like, resampling) for row in rows.rows]),
        )

    def _for_row(
        self, row: Row, grid: tuple[int, int], like: torch.Tensor, resampling: Resampling
    ) -> torch.Tensor:
        picture = row.batch_index % self._count
        if row.area is None or row.latent is None:
            return self._at(grid, like, resampling)[picture]
        top, left, height, width = row.area
        cells = row.latent.height, row.latent.width
        whole = self._at(cells, like, resampling)[picture : picture + 1]
        part = whole[:, top : top + height, left : left + width]
        return resize_mask(part, *grid, resampling)[0]

    def _at(
        self, grid: tuple[int, int], like: torch.Tensor, resampling: Resampling
    ) -> torch.Tensor:
        """[count, h, w] in the dtype and on the device of `like`."""
        key = (grid, like.dtype, like.device, resampling)
        return self._once(key, lambda: self.render(*grid, resampling).to(like))

    def _once(self, key: tuple[Any, ...], make: Callable[[], torch.Tensor]) -> torch.Tensor:
        if key not in self._kept:
            made = make()
            if len(self._kept) >= MOST_KEPT:
                self._kept.clear()
            self._kept[key] = made
        return self._kept[key]


class RegionMask(Region):
    """A region that somebody painted."""

    def __init__(self, mask: torch.Tensor) -> None:
        """mask: [M, H, W] float32, 0..1, CPU; M is 1 or the latent batch."""
        super().__init__(mask.shape[0])
        self.mask = mask

    def render(self, height: int, width: int, resampling: Resampling) -> torch.Tensor:
        return resize_mask(self.mask, height, width, resampling)
