"""The memory of one sampling run."""

from __future__ import annotations

from collections.abc import Callable

from .memory import Memory
from .noise_levels import NoiseLevels
from .reach import Lit, Reach

MOST_SIGMAS = 4096
MOST_VIEWS = 8192
"""16 people at 70 sites, in calls of both sides together and of each alone, and half as much."""
MOST_MASKS = 128
"""Sizes and places of regions; a picture in many tiles has more."""
MOST_NETS = 32


class Run:
    """The state that all calls of a run share.

    Made when a run of a model begins and dropped when it ends; two runs share nothing. Each part
    has a bound of its own.
    """

    def __init__(self, percent_to_sigma: Callable[[float], float] = float) -> None:
        """percent_to_sigma: the model's; on a GPU every look-up waits for the device. The default
        is for runs in which nobody asks."""
        self.levels = NoiseLevels()
        self.reach = Reach()
        self.lit = Lit()
        self.views = Memory(MOST_VIEWS)
        """Keys and values of each site as the rows of a call see them, without a copy."""
        self.masks = Memory(MOST_MASKS)
        """Regions, at the sizes and places of the layers that asked."""
        self.nets = Memory(MOST_NETS)
        """For each IdentityNet its hint, contexts and network."""
        self._percent_to_sigma = percent_to_sigma
        self._sigmas = Memory(MOST_SIGMAS)
        self._said: set[str] = set()

    def sigma_at(self, percent: float) -> float:
        """Noise level at a point of the denoising process."""
        return self._sigmas.once(percent, lambda: self._percent_to_sigma(percent))

    def is_news(self, sentence: str) -> bool:
        """Whether a sentence is new to this run; marks it as said."""
        known = sentence in self._said
        self._said.add(sentence)
        return not known
