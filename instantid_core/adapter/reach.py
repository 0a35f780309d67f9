"""Reach of an identity in the calls of a run: the sites that were asked, the masks with white."""

from __future__ import annotations

from collections.abc import Hashable
from dataclasses import dataclass

from .window import Span


@dataclass(frozen=True, eq=False)
class Applied:
    """One identity on one model: made once for all of its sites."""

    window: Span
    sites: int
    """Number of sites at which it was installed."""
    region: Hashable = None
    """Its region, if it has one."""


class Reach:
    """The sites at which each identity was asked, over all calls of a run.

    Over all, because packs that cache leave sites out of later calls. Threads may share one.
    """

    def __init__(self) -> None:
        self._reached: dict[Applied, set[int]] = {}
        self._judged: set[Applied] = set()

    def note(self, applied: Applied, position: int) -> None:
        """A site was asked, inside the window or not."""
        self._reached.setdefault(applied, set()).add(position)

    def is_judged(self, applied: Applied) -> bool:
        return applied in self._judged

    def judge(self, applied: Applied) -> tuple[int, ...]:
        """Positions of the sites at which nobody has asked so far."""
        self._judged.add(applied)
        reached = self._reached.get(applied, ())
        return tuple(position for position in range(applied.sites) if position not in reached)


class Lit:
    """Regions that layers have asked for, and whether any of their masks had white."""

    def __init__(self) -> None:
        self._lit: dict[Hashable, bool] = {}

    def note(self, region: Hashable, lit: bool) -> None:
        """A region was made at the size of a layer."""
        self._lit[region] = lit or self._lit.get(region, False)

    def is_lost(self, region: Hashable) -> bool:
        """Whether it was asked for and was empty at every size so far."""
        return not self._lit.get(region, True)
