"""Regions that limit where an identity acts."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Hashable
from dataclasses import dataclass
from enum import Enum
from typing import NamedTuple

import torch

from ..errors import ImageError, listed
from .rows import BatchRows, Row
from .run import Run

PLAIN_PICTURE = (
    "Load Image gives such a mask for a picture without transparency. Paint one, or disconnect it."
)
TOO_SMALL = (
    "The white of a mask falls between the cells of the model's layers, which are 8 to 32 pixels "
    "wide, so the identity acts nowhere. Paint a larger area, or grow the mask."
)


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


def about_black(mask: torch.Tensor, what: str) -> tuple[str, ...]:
    """Advice on masks [M, H, W] without any white.

    what: the effect of white, such as `the identity acts`.
    """
    black = [n for n, lit in enumerate(mask.flatten(1).any(1).tolist(), start=1) if not lit]
    if not black:
        return ()
    if len(black) == len(mask):
        return (f"The mask is black everywhere, so {what} nowhere. {PLAIN_PICTURE}",)
    return (
        f"{len(black)} of {len(mask)} masks are black everywhere, so {what} nowhere there: "
        f"{listed(black)}. {PLAIN_PICTURE}",
    )


def about_lost_region(region: Region, run: Run) -> tuple[str, ...]:
    """Advice on a region that is empty at the size of every layer that asked for it."""
    return (TOO_SMALL,) if run.lit.is_lost(region) else ()


class Region(ABC):
    """Part of the picture in which an identity acts.

    Each size and each set of rows is made once per run, on first use.
    """

    @property
    @abstractmethod
    def count(self) -> int:
        """Masks: 1, or one for each picture of the latent batch."""

    @property
    def is_black(self) -> bool:
        """Whether the region is empty at its own size, before any layer resizes it."""
        return False

    def advice(self) -> tuple[str, ...]:
        """Sentences on the region, for whoever connects it."""
        return ()

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
            lambda: self._noted(self.render(*grid, layer.resampling, layer.run), layer.run).to(
                layer.like
            ),
        )

    def _noted(self, rendered: torch.Tensor, run: Run) -> torch.Tensor:
        """The masks of a layer, after noting in the run whether they have any white left."""
        run.lit.note(self, bool(rendered.any()) or self.is_black)
        return rendered


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

    @property
    def is_black(self) -> bool:
        return not bool(self.mask.any())

    def advice(self) -> tuple[str, ...]:
        return about_black(self.mask, "the identity acts")

    def render(self, height: int, width: int, resampling: Resampling, run: Run) -> torch.Tensor:
        return resize_mask(self.mask, height, width, resampling)
