"""Residuals that an IdentityNet keeps from one step for the next ones.

Neighbouring steps ask for nearly the same residuals, and they cost four tenths of a step. A step is
a noise level: samplers that evaluate the model twice at one level have one computation for both.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Hashable, Iterator
from dataclasses import dataclass, field, replace

import torch

from .noise_levels import NEAR
from .residuals import Residuals, bytes_of
from .rows import Row

EVERY_STEP = 1
MOST_STEPS = 3
MOST_BYTES = 1 << 30
"""Of the residuals that are kept of several tiles or windows; those of a single call are kept
whatever their size."""
ASKED_AGAIN = (
    "Another node lets IdentityNet act several times in a step, on parts or states of the picture "
    "that cannot be told apart. Those residuals are computed every time, and reuse saves nothing "
    "there. Set reuse to 1, or take the node out of the graph."
)
TOO_MANY = (
    "The tiles or windows of this picture have more than 1 GiB of IdentityNet's residuals. Those "
    "beyond it are computed in every step, so reuse saves less. Larger tiles overlap less."
)


@dataclass(frozen=True)
class CallLayout:
    """Everything that IdentityNet's residuals depend on, but for latent and noise level."""

    rows: tuple[Row, ...]
    shape: tuple[int, ...]
    """Of the call's latent, [B, C, h, w]."""
    rest: tuple[Hashable, ...]
    """Text, hint, strength and device."""
    given: torch.Tensor | None = field(default=None, compare=False)
    """A hint that another pack has put in place of IdentityNet's own. Held, so that no other one
    gets its id."""

    @property
    def is_placed(self) -> bool:
        """Whether each row says which part of which picture it covers."""
        return all(_is_placed(row, self.shape[-2:]) for row in self.rows)

    @property
    def is_lost(self) -> bool:
        """Whether some rows cover a part of the picture whose place is not known."""
        in_a_latent = self.given is not None or any(row.latent is not None for row in self.rows)
        return in_a_latent and not self.is_placed


class KeptResiduals:
    """The residuals of one IdentityNet in one run, computed in every n-th step.

    The first step computes, and so does any call whose layout was not in the step that computed.
    A layout that comes twice in an evaluation of the model may mean two tiles, or two latents, so
    it is not kept. Where nobody says what a call covers, the first level tells: what comes there
    once is all of the picture, and what comes twice at a later level is a second evaluation.
    Memory: a row at 1024 x 1024 pixels has 54 MB in float16 with SDXL.
    """

    def __init__(self, steps: int) -> None:
        self.steps = steps
        """Steps for which one computation serves."""
        self._kept: dict[CallLayout, Residuals] = {}
        self._seen: set[CallLayout] = set()
        self._ambiguous: set[CallLayout] = set()
        self._alone: set[CallLayout] = set()
        """Layouts without a place that came once at the run's first level."""
        self._sigma: torch.Tensor | None = None
        self._level = math.nan
        self._step = -1
        self._is_full = False

    def at(
        self,
        layout: CallLayout,
        sigma: torch.Tensor,
        level: float,
        compute: Callable[[], Residuals | None],
    ) -> Residuals | None:
        """The residuals of a call, in new lists that the caller may change.

        sigma: the tensor that holds `level`; calls of one evaluation of the model share it.
        """
        self._enter(sigma, level)
        if layout.is_lost or layout in self._seen:
            self._ambiguous.add(replace(layout, given=None))
            self._kept.pop(layout, None)
        self._seen.add(layout)
        found = self._kept.get(layout)
        if found is None:
            found = compute()
            if found is not None and layout not in self._ambiguous:
                self._keep(layout, found)
        return found and {stage: list(several) for stage, several in found.items()}

    def advice(self) -> Iterator[str]:
        """Sentences on calls that are computed in every step all the same."""
        if self._ambiguous:
            yield ASKED_AGAIN
        if self._is_full:
            yield TOO_MANY

    def _enter(self, sigma: torch.Tensor, level: float) -> None:
        if sigma is self._sigma:
            return
        self._sigma = sigma
        if math.isclose(level, self._level, rel_tol=NEAR):
            # A second evaluation at this level; or one more window, where nobody says which.
            known = self._alone
            self._seen = {one for one in self._seen if not one.is_placed and one not in known}
            return
        if self._step == 0:
            self._alone = {replace(one, given=None) for one in self._seen - self._ambiguous}
        self._level = level
        self._seen = set()
        self._step += 1
        if self._step % self.steps == 0:
            self._kept = {}

    def _keep(self, layout: CallLayout, residuals: Residuals) -> None:
        sizes = sum(map(bytes_of, self._kept.values()))
        if self._kept and sizes + bytes_of(residuals) > MOST_BYTES:
            self._is_full = True
            return
        self._kept[layout] = residuals


def _is_placed(row: Row, cells: tuple[int, ...]) -> bool:
    if row.latent is None:
        return False
    return row.area is not None or (row.latent.height, row.latent.width) == cells
