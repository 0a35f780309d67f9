"""Carry each row's polarity from CONDITIONING to the UNet and to IdentityNet.

`cond_or_uncond` in the host's options is an index into whatever list a guider passes: 0 is the
positive side for plain CFG, the negative one for SAG and DualCFG. So the polarity travels with the
conditioning itself, as a model cond, and arrives batched like everything else there.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import comfy.conds
import torch

from ...instantid_core.adapter import Latent
from ...instantid_core.types import Polarity

TAG = "instantid_row"
"""Name of the model cond."""
PLACE = "instantid_place"
"""Name of the model cond that says where in the latent a row's cells come from."""
ROWS = "instantid_rows"
"""Name under which attention sites find the rows in the transformer options."""
RUN = "instantid_run"
"""Name under which the memory of a run lies there."""
APPLIED = "instantid_applied"
"""Name under which a model's identities and their sites lie there."""
NEGATIVE_CONDS = ("negative", "empty_negative_prompt")
"""Names that guiders give to conditioning to steer away from; all others steer towards."""
WHOLE = (0, 0, 0, 0)
UNKNOWN = (0, 0, 0)
DOUBLE = 2
"""Step of a map that may not have the latent's own size."""


class RowCond(comfy.conds.CONDRegular):
    """One cond's polarity, spread over the latent batch when the host prepares a UNet call.

    Every row is (polarity, batch index, top, left, height, width, latent batch, latent height,
    latent width) in int64, which the host never casts. Height 0 stands for the whole latent, latent
    batch 0 for not known. The tensor is made on the CPU, where reading it waits for nothing; only
    a host that splits a batch over several GPUs moves it.
    """

    @classmethod
    def unplaced(cls, polarity: Polarity) -> RowCond:
        """A tag for conditioning, before there is a latent."""
        return cls(torch.tensor([[int(polarity), 0, *WHOLE, *UNKNOWN]]))

    @classmethod
    def placed(cls, polarity: Polarity, latent: Latent) -> RowCond:
        """One row per picture of a latent batch; a host that takes windows of it picks rows."""
        return cls(torch.tensor([[int(polarity), i, *WHOLE, *latent] for i in range(latent.batch)]))

    @property
    def polarity(self) -> Polarity:
        return Polarity(int(self.cond[0, 0]))

    def process_cond(
        self, batch_size: int, area: Sequence[int] | None = None, **kwargs: Any
    ) -> comfy.conds.CONDRegular:
        known = self.cond.shape[0]
        rows = self.cond[[i % known for i in range(batch_size)]].clone()
        if known < batch_size:
            rows[:, 1] = torch.arange(batch_size)
        if area is not None and len(area) == 4:
            height, width, top, left = area
            rows[:, 2:6] = torch.tensor([top, left, height, width])
        return comfy.conds.CONDRegular(rows)


class CoordinateCond(comfy.conds.CONDRegular):
    """For every cell of the latent its row and column: [B, 2, height, width] int64 on the CPU.

    Packs that sample in tiles cut every cond of the latent's size as they cut the latent; nothing
    else says where a tile lies. The host cuts areas of regional prompts out of it here.
    """

    def __init__(self, cond: torch.Tensor, step: int = 1) -> None:
        super().__init__(cond)
        self.step = step
        """Cells of the map along one cell of the latent."""

    @classmethod
    def of(cls, latent: Latent, step: int = 1) -> CoordinateCond:
        """The map of a whole latent, one picture; all pictures have the same."""
        sides = (torch.arange(side).repeat_interleave(step) for side in latent[1:])
        return cls(torch.stack(torch.meshgrid(*sides, indexing="ij")).unsqueeze(0), step)

    def _copy_with(self, cond: torch.Tensor) -> CoordinateCond:
        return CoordinateCond(cond, self.step)

    def process_cond(
        self, batch_size: int, area: Sequence[int] | None = None, **kwargs: Any
    ) -> comfy.conds.CONDRegular:
        known = self.cond
        if area is not None and len(area) == 4:
            height, width, top, left = (side * self.step for side in area)
            known = known[..., top : top + height, left : left + width]
        return comfy.conds.CONDRegular(known.expand(batch_size, -1, -1, -1))


def place_in(conds: Mapping[str, Any], x: torch.Tensor) -> torch.Tensor | None:
    """The coordinates of a call's cells [B, 2, h, w], from a map of whatever step.

    x: latent of the call. None where there is no map, or where nobody cut it with the latent.
    """
    place: torch.Tensor | None = conds.get(PLACE)
    if place is None or place.shape[-2:] == x.shape[-2:]:
        return place
    height, width = x.shape[-2:]
    cells = place[..., ::DOUBLE, ::DOUBLE][..., :height, :width]
    return cells if cells.shape[-2:] == (height, width) else None


def polarity_of(model_conds: dict[str, Any], cond_name: str) -> Polarity:
    """The side that a guider's cond stands on.

    A name that means the negative side wins over a tag: prompts are made of one another, as when
    the positive one is zeroed and used as the negative.
    """
    if cond_name in NEGATIVE_CONDS:
        return Polarity.NEGATIVE
    tag = model_conds.get(TAG)
    return tag.polarity if isinstance(tag, RowCond) else Polarity.POSITIVE
