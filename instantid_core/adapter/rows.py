"""The rows of one UNet call: polarity, picture, and the part of the latent that each covers."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property
from itertools import groupby
from typing import NamedTuple

import torch

from ..errors import IncompatibleModelError
from ..types import Polarity
from .memory import Memory
from .run import Run
from .window import CONSTANT, CURVES, Span

MOST_ANSWERS = 1024
SEARCH_STEPS = 12
"""Halvings in the search for a noise level's place: finer than any sampler's steps."""


class Area(NamedTuple):
    """Part of the latent that a row covers, in latent cells."""

    top: int
    left: int
    height: int
    width: int


class Latent(NamedTuple):
    """Size of a latent batch, in pictures and cells."""

    batch: int
    height: int
    width: int


class Row(NamedTuple):
    """One row of a UNet batch."""

    polarity: Polarity
    batch_index: int
    """Position of the row's picture in the latent batch."""
    area: Area | None
    """None when the row covers the whole latent."""
    latent: Latent | None
    """The whole latent batch; None when not known."""


class Groups(NamedTuple):
    """Rows of a call, taken together where neighbours use the same entry."""

    entries: tuple[int, ...]
    """Of each group, its entry in a flattened [2 * identities, ...]."""
    size: int
    """Rows per group."""


@dataclass(frozen=True, eq=False)
class BatchRows:
    """The rows of one UNet or ControlNet call."""

    rows: tuple[Row, ...]
    run: Run
    """Memory of the run that the call belongs to."""

    @property
    def batch(self) -> int:
        """Pictures in the latent batch."""
        first = self.rows[0].latent
        return first.batch if first else 1 + max(row.batch_index for row in self.rows)

    def entries(self, identities: int) -> tuple[int, ...]:
        """For each row its entry in a flattened [2 * identities, ...] tensor.

        A batch of N identities goes over the latent batch picture by picture, and round again.
        """
        return tuple(row.polarity * identities + row.batch_index % identities for row in self.rows)

    def groups(self, identities: int) -> Groups:
        """The same in groups of equal size, as large as they come."""
        entries = self.entries(identities)
        size = math.gcd(*(len(list(same)) for _, same in groupby(entries)))
        return Groups(entries[::size], size)


@dataclass(frozen=True, eq=False)
class SamplingRows(BatchRows):
    """A UNet call as the attention sites see it.

    Made once per call and dropped with it. Answers are cached for that long, so that 70 sites read
    sigma once.
    """

    sigma: torch.Tensor
    """Noise level of this call, one element, any device."""
    branches: tuple[int, ...] = ()
    """The host's `cond_or_uncond`: one number for each chunk of the rows. 1 is the negative side to
    the packs that give the other chunks rows for regions."""
    widened_by: tuple[str, ...] = ()
    """Names of packs that may change the rows between the call and a site; for messages."""
    memory: Memory = field(default_factory=lambda: Memory(MOST_ANSWERS), kw_only=True)
    """Answers of this call, and rows of keys and values that its sites share."""

    def at_site(self, count: int) -> SamplingRows:
        """The rows as a site sees them that is given `count` rows of queries.

        Regional prompts by attention patches repeat each chunk that is not negative once for every
        region. Raises IncompatibleModelError for a number that this does not give.
        """
        if count == len(self.rows):
            return self
        return self.memory.once(("rows", count), lambda: self._widened(count))

    def _widened(self, count: int) -> SamplingRows:
        branches = self.branches or (0,)
        size, rest = divmod(len(self.rows), len(branches))
        negative = branches.count(1)
        regional = size * (len(branches) - negative)
        wide, left = divmod(count - negative * size, regional) if regional else (0, 0)
        if rest or left or wide < 1:
            raise IncompatibleModelError(self._not_divisible(count))
        chunks = [n for n, side in enumerate(branches) for _ in range(1 if side == 1 else wide)]
        rows = tuple(row for n in chunks for row in self.rows[n * size : (n + 1) * size])
        sides = tuple(branches[n] for n in chunks)
        return replace(self, rows=rows, branches=sides, memory=Memory(MOST_ANSWERS))

    def _not_divisible(self, count: int) -> str:
        who = ", ".join(self.widened_by) or "another pack"
        return (
            f"A patch of {who} changes the rows of cross-attention: expected the "
            f"{len(self.rows)} of the call, or those of the positive side several times, one for "
            f"each region; found {count}. Take that patch or InstantID's adapter off this model."
        )

    def groups(self, identities: int) -> Groups:
        groups = super().groups
        return self.memory.once(("groups", identities), lambda: groups(identities))

    def active(self, window: Span) -> bool:
        """Whether this call lies inside the window. Reads sigma only for a partial window."""
        return window.is_everything or self.memory.once(window, lambda: self._lies_in(window))

    def factor(self, curve: str, window: Span) -> float:
        """Factor on the weight in this call, of a curve over the window's steps."""
        if curve == CONSTANT:
            return 1.0
        return self.memory.once((curve, window), lambda: self._value_of(curve, window))

    def _lies_in(self, window: Span) -> bool:
        start, end = map(self.run.sigma_at, window)
        return start >= self.noise_level >= end

    def _value_of(self, curve: str, window: Span) -> float:
        length = max(window.end - window.start, 1e-6)
        progress = min(max((self._progress() - window.start) / length, 0.0), 1.0)
        return CURVES[curve](progress)

    def _progress(self) -> float:
        """Progress of the denoising, 0..1: the inverse of percent_to_sigma, by bisection."""
        low, high = 0.0, 1.0
        for _ in range(SEARCH_STEPS):
            middle = (low + high) / 2
            is_later = self.run.sigma_at(middle) > self.noise_level
            low, high = (middle, high) if is_later else (low, middle)
        return (low + high) / 2

    @cached_property
    def noise_level(self) -> float:
        """Sigma as a number, read once at most."""
        return self.run.levels.of(self.sigma)


def read_rows(
    tag: torch.Tensor | None,
    batch: int,
    branches: Sequence[int],
    place: torch.Tensor | None = None,
) -> tuple[Row, ...]:
    """Rows of a UNet call.

    tag: [R, 9], each row (polarity, batch index, top, left, height, width, latent batch, latent
    height, latent width), where height 0 stands for the whole latent and latent batch 0 for not
    known; None when the call did not come through a tagged cond, and then the branch index decides
    (0 positive). batch: rows of the call; a pack that splits a call into tiles repeats rows, so
    tags go round. branches: the host's `cond_or_uncond`. place: [P, 2, h, w], row and column of
    every cell, cut by whoever cut the latent; it corrects the tags' areas.
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
    """The same rows where the coordinates say they are; where those are no rectangle, the tag's
    own areas."""
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


def select_frames(rows: tuple[Row, ...], frames: Sequence[int] | None) -> tuple[Row, ...]:
    """Rows with the batch indices of a window's frames, as AnimateDiff announces them. Rows of a
    tagged run know their place and stay."""
    if not frames or any(row.latent is not None for row in rows):
        return rows
    return tuple(row._replace(batch_index=frames[row.batch_index % len(frames)]) for row in rows)


def _row(values: list[int]) -> Row:
    polarity, index, *rest = values
    place, latent = rest[:4], Latent(*rest[4:])
    area = Area(*place) if place[2] else None
    return Row(Polarity(polarity), index, area, latent if latent.batch else None)
