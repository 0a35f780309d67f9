"""Strength, time and place at which an identity acts."""

from __future__ import annotations

from dataclasses import dataclass

from ..errors import within
from .insertion import ADD
from .masks import Region
from .profiles import UNIFORM
from .reuse import EVERY_STEP, MOST_STEPS
from .window import CONSTANT, Span


@dataclass(frozen=True, eq=False)
class AdapterSettings:
    """Settings of an identity in cross-attention."""

    weight: float
    window: Span
    region: Region | None = None
    profile: str = UNIFORM
    curve: str = CONSTANT
    insertion: str = ADD


@dataclass(frozen=True, eq=False)
class NetSettings:
    """Settings of an IdentityNet. Raises SettingError for a reuse beyond its range."""

    strength: float
    window: Span
    region: Region | None = None
    reuse: int = EVERY_STEP
    """Steps for which its residuals are computed once, 1 to 3."""

    def __post_init__(self) -> None:
        within("reuse", self.reuse, EVERY_STEP, MOST_STEPS, whole=True)

    @property
    def reuses(self) -> bool:
        return self.reuse > EVERY_STEP
