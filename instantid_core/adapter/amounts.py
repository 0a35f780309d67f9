"""Named amounts of likeness: weight, strength and window under one name."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from ..errors import one_of
from .window import Span


@dataclass(frozen=True)
class Amounts:
    """The settings that balance an identity against the prompt."""

    weight: float
    """Of the adapter, in cross-attention."""
    strength: float
    """Of IdentityNet."""
    window: Span


CUSTOM = "custom"
LIKENESS: Mapping[str, Amounts] = {
    "faithful": Amounts(1.0, 0.9, Span(0, 1)),
    "balanced": Amounts(0.8, 0.8, Span(0, 1)),
    # The first steps settle the style, before a face that comes from a photo takes part.
    "stylised": Amounts(0.6, 0.5, Span(0.1, 1)),
    "pose only": Amounts(0.0, 0.8, Span(0, 1)),
}
"""From the most likeness to the least."""
LIKENESS_CHOICES = (CUSTOM, *LIKENESS)


def amounts_of(likeness: str, custom: Amounts) -> Amounts:
    """The amounts of a named likeness, or those given where it is `custom`, as they are.

    Raises SettingError for another name.
    """
    one_of("likeness", likeness, LIKENESS_CHOICES)
    return LIKENESS.get(likeness, custom)
