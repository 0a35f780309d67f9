"""Noise levels of a run, read from the device as seldom as the sampler allows."""

from __future__ import annotations

import math

import torch

NEAR = 1e-5
"""Relative difference up to which two sigmas are one, in two number formats."""


class NoiseLevels:
    """Each step's sigma as a number, for UNet sites and IdentityNets alike.

    On a GPU, reading a tensor waits for all queued work. So each step's sigma is read once; where a
    sampler follows a known list, the list is read instead, on first use, and checked against the
    sigma of that step. Threads may share one object.
    """

    def __init__(self) -> None:
        self._latest: tuple[torch.Tensor, float] | None = None
        self._list: torch.Tensor | None = None
        self._known: list[float] = []
        self.step = 0
        """Index in that list, of the step that the sampler is at."""

    def follow(self, sigmas: torch.Tensor | None) -> None:
        """Take step i to be at `sigmas[i]`, if that holds for the first step asked for; with None,
        read each step's own sigma again."""
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
        """The list's numbers; empty, and the list is dropped, where the run does not follow it:
        another pack may have replaced the sigmas."""
        known = sigmas.tolist()
        if self.step < len(known) and math.isclose(known[self.step], found, rel_tol=NEAR):
            return known
        self._list = None
        return []
