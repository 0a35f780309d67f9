"""The times at which an identity acts: spans of the denoising process, and curves over them."""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

from ..errors import SettingError


class Span(NamedTuple):
    """Part of the denoising process, as fractions: 0 is pure noise, 1 the finished picture."""

    start: float
    end: float

    @property
    def is_everything(self) -> bool:
        return self.start <= 0 and self.end >= 1


def span(start_at: float, end_at: float) -> Span:
    """Check a start and an end. Raises SettingError when the span is empty or out of range."""
    if not (0 <= start_at <= 1 and 0 <= end_at <= 1):
        raise SettingError(
            f"start_at and end_at are fractions from 0 to 1, found {start_at} and {end_at}."
        )
    if start_at >= end_at:
        raise SettingError(
            f"start_at ({start_at}) does not lie before end_at ({end_at}), so the identity would "
            "never act. Swap the two, or set the weight to 0 to switch it off."
        )
    return Span(start_at, end_at)


CURVES: dict[str, Callable[[float], float]] = {
    "constant": lambda progress: 1.0,
    "fade in": lambda progress: progress,
    "fade out": lambda progress: 1 - progress,
    "peak": lambda progress: 1 - abs(2 * progress - 1),
}
"""Factor on the weight at a point of the span, whose progress runs from 0 to 1."""
CONSTANT = "constant"
