"""Carry each row's polarity from CONDITIONING to the UNet and to IdentityNet.

`cond_or_uncond` in the host's options is an index into whatever list a guider passes: 0 is the
positive side for plain CFG, the negative one for SAG and DualCFG. So the polarity travels with the
conditioning itself, as a model cond, and arrives batched like everything else there.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import comfy.conds
import torch

from ...instantid_core.schedule import Area, Latent, Row, SamplingRows
from ...instantid_core.types import Polarity

TAG = "instantid_row"
"""Name of the model cond."""
ROWS = "instantid_rows"
"""Name under which attention sites find the rows in the transformer options."""
NEGATIVE_CONDS = ("negative", "empty_negative_prompt")
"""Names that guiders give to conditioning to steer away from; all others steer towards."""
WHOLE = (0, 0, 0, 0)
UNKNOWN = (0, 0, 0)


class RowTag(comfy.conds.CONDRegular):
    """One cond's polarity, spread over the latent batch when the host prepares a UNet call.

    Every row is (polarity, batch index, top, left, height, width, latent batch, latent height,
    latent width) in int64, which the host never casts. Height 0 stands for the whole latent, latent
    batch 0 for not known. The tensor is made on the CPU, where reading it waits for nothing; only
    a host that splits a batch over several GPUs moves it.
    """

    @classmethod
    def unplaced(cls, polarity: Polarity) -> RowTag:
        """A tag for conditioning, before there is a latent."""
        return cls(torch.tensor([[int(polarity), 0, *WHOLE, *UNKNOWN]]))

    @classmethod
    def placed(cls, polarity: Polarity, latent: Latent) -> RowTag:
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


def polarity_of(model_conds: dict[str, Any], cond_name: str) -> Polarity:
    """The side that a guider's cond stands on.

    A name that means the negative side wins over a tag: prompts are made of one another, as when
    the positive one is zeroed and used as the negative.
    """
    if cond_name in NEGATIVE_CONDS:
        return Polarity.NEGATIVE
    tag = model_conds.get(TAG)
    return tag.polarity if isinstance(tag, RowTag) else Polarity.POSITIVE


def rows_of(tag: torch.Tensor | None, batch: int, branches: Sequence[int]) -> tuple[Row, ...]:
    """Rows of a UNet call.

    tag: [R, 9] as RowTag makes it; None when the call did not come through a tagged cond, and then
    the branch index decides (0 positive). batch: rows of the call; a pack that splits a call into
    tiles repeats rows, so tags go round. branches: the host's `cond_or_uncond`.
    """
    if tag is None:
        per_branch = max(1, batch // max(1, len(branches)))
        known = [
            Row(Polarity.NEGATIVE if branch else Polarity.POSITIVE, i, None, None)
            for branch in branches or [0]
            for i in range(per_branch)
        ]
    else:
        known = [_row(values) for values in tag.tolist()]
    return tuple(known[i % len(known)] for i in range(batch))


def _row(values: list[int]) -> Row:
    polarity, index, *rest = values
    place, latent = rest[:4], Latent(*rest[4:])
    area = Area(*place) if place[2] else None
    return Row(Polarity(polarity), index, area, latent if latent.batch else None)


def sampling_rows(
    tag: torch.Tensor | None,
    batch: int,
    branches: Sequence[int],
    sigma: torch.Tensor,
    percent_to_sigma: Callable[[float], float],
) -> SamplingRows:
    """What one UNet call tells its attention sites."""
    return SamplingRows(rows_of(tag, batch, branches), sigma, percent_to_sigma)
