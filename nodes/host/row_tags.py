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

from ...instantid_core.schedule import Area, Row, SamplingRows
from ...instantid_core.types import Polarity

TAG = "instantid_row"
"""Name of the model cond."""
ROWS = "instantid_rows"
"""Name under which attention sites find the rows in the transformer options."""
NEGATIVE_CONDS = ("negative", "empty_negative_prompt")
"""Names that guiders give to conditioning to steer away from; all others steer towards."""
WHOLE = (0, 0, 0, 0)


class RowTag(comfy.conds.CONDRegular):
    """One cond's polarity, spread over the latent batch when the host prepares a UNet call.

    Every row is (polarity, batch index, top, left, height, width, latent height, latent width) in
    int64, which the host never casts. Height 0 stands for the whole latent, latent height 0 for
    not known. The tensor stays on the CPU, where reading it waits for nothing.
    """

    def __init__(self, polarity: Polarity, latent: tuple[int, int] = (0, 0)) -> None:
        self.polarity = polarity
        self.latent = latent
        super().__init__(torch.tensor([[int(polarity), 0, *WHOLE, *latent]]))

    def process_cond(
        self, batch_size: int, area: Sequence[int] | None = None, **kwargs: Any
    ) -> comfy.conds.CONDRegular:
        height, width, top, left = area[:4] if area is not None and len(area) == 4 else WHOLE
        place = (top, left, height, width)
        rows = [[int(self.polarity), i, *place, *self.latent] for i in range(batch_size)]
        return comfy.conds.CONDRegular(torch.tensor(rows))


def polarity_of(model_conds: dict[str, Any], cond_name: str) -> Polarity:
    """The polarity a cond was tagged with, else the one its name in the guider implies."""
    tag = model_conds.get(TAG)
    if isinstance(tag, RowTag):
        return tag.polarity
    return Polarity.NEGATIVE if cond_name in NEGATIVE_CONDS else Polarity.POSITIVE


def rows_of(tag: torch.Tensor | None, batch: int, branches: Sequence[int]) -> tuple[Row, ...]:
    """Rows of a UNet call.

    tag: [R, 8] as RowTag makes it; None when the call did not come through a tagged cond, and then
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
    polarity, index, *place, latent_height, latent_width = values
    area = Area(*place) if place[2] else None
    latent = (latent_height, latent_width) if latent_height else None
    return Row(Polarity(polarity), index, area, latent)


def sampling_rows(
    tag: torch.Tensor | None,
    batch: int,
    branches: Sequence[int],
    sigma: torch.Tensor,
    percent_to_sigma: Callable[[float], float],
) -> SamplingRows:
    """What one UNet call tells its attention sites."""
    return SamplingRows(rows_of(tag, batch, branches), sigma, percent_to_sigma)
