"""Regions that limit where an identity acts."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Hashable
from dataclasses import dataclass
from enum import Enum
from typing import NamedTuple

import torch

from ..errors import ImageError
from .rows import BatchRows, Row
from .run import Run


class Resampling(Enum):
    """Interpolation of a mask to a layer's size: the reference's for each kind of layer."""

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


class Region(ABC):
    """Part of the picture in which an identity acts.

    Each size and each set of rows is made once per run, on first use.
    """

    @property
    @abstractmethod
    def count(self) -> int:
        """Masks: 1, or one for each picture of the latent batch."""

    @abstractmethod
    def render(self, height: int, width: int, resampling: Resampling, run: Run) -> torch.Tensor:
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
        if self.count not in (1, rows.batch):
            raise ImageError(
                f"The mask is a batch of {self.count}, the latent is a batch of {rows.batch}. "
                "Expected one mask for all pictures or exactly one per picture."
            )
        layer = _Layer(rows.run, like, resampling)
        if self.count == 1 and all(row.area is None for row in rows.rows):
            return self._at(grid, layer)
        places = tuple((row.batch_index % self.count, row.area, row.latent) for row in rows.rows)
        return rows.run.masks.once(
            (self, places, grid, *layer.key),
            lambda: torch.stack([self._for_row(row, grid, layer) for row in rows.rows]),
        )

    def _for_row(self, row: Row, grid: tuple[int, int], layer: _Layer) -> torch.Tensor:
        picture = row.batch_index % self.count
        if row.area is None or row.latent is None:
            return self._at(grid, layer)[picture]
        top, left, height, width = row.area
        cells = row.latent.height, row.latent.width
        whole = self._at(cells, layer)[picture : picture + 1]
        part = whole[:, top : top + height, left : left + width]
        return resize_mask(part, *grid, layer.resampling)[0]

    def _at(self, grid: tuple[int, int], layer: _Layer) -> torch.Tensor:
        """[count, h, w] in the dtype and on the device of the layer."""
        return layer.run.masks.once(
            (self, grid, *layer.key),
            lambda: self.render(*grid, layer.resampling, layer.run).to(layer.like),
        )


class _Layer(NamedTuple):
    """A layer that asks for a mask."""

    run: Run
    like: torch.Tensor
    resampling: Resampling

    @property
    def key(self) -> tuple[Hashable, ...]:
        return self.like.dtype, self.like.device, self.resampling


@dataclass(frozen=True, eq=False)
class RegionMask(Region):
    """A region that somebody painted."""

    mask: torch.Tensor
    """[M, H, W] float32, 0..1, CPU; M is 1 or the latent batch."""

    @property
    def count(self) -> int:
        return self.mask.shape[0]

    def render(self, height: int, width: int, resampling: Resampling, run: Run) -> torch.Tensor:
        return resize_mask(self.mask, height, width, resampling)
