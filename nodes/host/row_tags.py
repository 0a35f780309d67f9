"""Carry each row's polarity from CONDITIONING to the UNet and to IdentityNet.

`cond_or_uncond` in the host's options is an index into whatever list a guider passes: 0 is the
positive side for plain CFG, the negative one for SAG and DualCFG. So the polarity travels with the
conditioning itself, as a model cond, and arrives batched like everything else there.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from typing import Any

import comfy.conds
import torch

from ...instantid_core.adapter import Area, Latent, Row
from ...instantid_core.types import Polarity

TAG = "instantid_row"
"""Name of the model cond."""
PLACE = "instantid_place"
"""Name of the model cond that says where in the latent a row's cells come from."""
ROWS = "instantid_rows"
"""Name under which attention sites find the rows in the transformer options."""
LEVELS = "instantid_noise_levels"
"""Name under which a run's `NoiseLevels` lie there."""
NEGATIVE_CONDS = ("negative", "empty_negative_prompt")
"""Names that guiders give to conditioning to steer away from; all others steer towards."""
WHOLE = (0, 0, 0, 0)
UNKNOWN = (0, 0, 0)
NEAR = 1e-5
"""How near a sigma is, as a share of itself, to be one of a list in another number format."""


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


class PlaceMap(comfy.conds.CONDRegular):
    """For every cell of the latent its row and column: [B, 2, height, width] int64 on the CPU.

    Packs that sample in tiles cut every cond of the latent's size as they cut the latent, and tell
    nothing else of where a tile lies. The host cuts areas of regional prompts out of it here.
    """

    @classmethod
    def of(cls, latent: Latent) -> PlaceMap:
        """The map of a whole latent, one picture; all pictures have the same."""
        grid = torch.meshgrid(
            torch.arange(latent.height), torch.arange(latent.width), indexing="ij"
        )
        return cls(torch.stack(grid).unsqueeze(0))

    def process_cond(
        self, batch_size: int, area: Sequence[int] | None = None, **kwargs: Any
    ) -> comfy.conds.CONDRegular:
        known = self.cond
        if area is not None and len(area) == 4:
            height, width, top, left = area
            known = known[..., top : top + height, left : left + width]
        return comfy.conds.CONDRegular(known.expand(batch_size, -1, -1, -1))


def polarity_of(model_conds: dict[str, Any], cond_name: str) -> Polarity:
    """The side that a guider's cond stands on.

    A name that means the negative side wins over a tag: prompts are made of one another, as when
    the positive one is zeroed and used as the negative.
    """
    if cond_name in NEGATIVE_CONDS:
        return Polarity.NEGATIVE
    tag = model_conds.get(TAG)
    return tag.polarity if isinstance(tag, RowTag) else Polarity.POSITIVE


def rows_of(
    tag: torch.Tensor | None,
    batch: int,
    branches: Sequence[int],
    place: torch.Tensor | None = None,
) -> tuple[Row, ...]:
    """Rows of a UNet call.

    tag: [R, 9] as RowTag makes it; None when the call did not come through a tagged cond, and then
    the branch index decides (0 positive). batch: rows of the call; a pack that splits a call into
    tiles repeats rows, so tags go round. branches: the host's `cond_or_uncond`. place: [P, 2, h, w]
    as PlaceMap makes it, cut by whoever cut the latent; it corrects the tags' areas.
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
    rows = tuple(known[i % len(known)] for i in range(batch))
    return rows if place is None else tuple(_placed(rows, place))


def _placed(rows: tuple[Row, ...], place: torch.Tensor) -> Iterator[Row]:
    """The same rows where the map says they are. Cells that do not lie together stay untold."""
    height, width = place.shape[-2:]
    ends = torch.stack((place[:, :, 0, 0], place[:, :, -1, -1]), 1).tolist()
    for number, row in enumerate(rows):
        (top, left), last = ends[number % len(ends)]
        together = last == [top + height - 1, left + width - 1]
        if row.latent is None or not together:
            yield row
            continue
        whole = (height, width) == (row.latent.height, row.latent.width)
        yield row._replace(area=None if whole else Area(top, left, height, width))


def in_window(rows: tuple[Row, ...], frames: Sequence[int] | None) -> tuple[Row, ...]:
    """Rows that do not know their latent, in a window of it: AnimateDiff tells which frames are in
    the call. Rows of a tagged run know their place and stay."""
    if not frames or any(row.latent is not None for row in rows):
        return rows
    return tuple(row._replace(batch_index=frames[row.batch_index % len(frames)]) for row in rows)


def _row(values: list[int]) -> Row:
    polarity, index, *rest = values
    place, latent = rest[:4], Latent(*rest[4:])
    area = Area(*place) if place[2] else None
    return Row(Polarity(polarity), index, area, latent if latent.batch else None)


class NoiseLevels:
    """Each step's sigma as a number, whoever asks for it: UNet sites and IdentityNets alike.

    On a GPU every look at a tensor waits for all work that is under way. So each step's is read
    once; where a sampler takes a known list one by one, the list is read in place of them, at the
    first question, and compared with what that step is really given. Threads may share one object.
    """

    def __init__(self) -> None:
        self._latest: tuple[torch.Tensor, float] | None = None
        self._list: torch.Tensor | None = None
        self._known: list[float] = []
        self.step = 0
        """Where in that list the sampler is."""

    def follow(self, sigmas: torch.Tensor | None) -> None:
        """From now on step i is at `sigmas[i]`, if the first that is asked for is; with None each
        step's own sigma is read again."""
        self._list, self._known, self.step = sigmas, [], 0

    def of(self, sigma: torch.Tensor) -> float:
        """sigma: at least one element, all the same; one object per step."""
        if self._list is not None and not self._known:
            self._known = self._listed(self._list, float(sigma[0]))
        if self.step < len(self._known):
            return self._known[self.step]
        latest = self._latest
        if latest is None or latest[0] is not sigma:
            latest = self._latest = (sigma, float(sigma[0]))
        return latest[1]

    def _listed(self, sigmas: torch.Tensor, found: float) -> list[float]:
        """The list's numbers; none, and nothing is followed, where it is not what runs: another
        pack may have put other sigmas in its place."""
        known = sigmas.tolist()
        if self.step < len(known) and math.isclose(known[self.step], found, rel_tol=NEAR):
            return known
        self._list = None
        return []
