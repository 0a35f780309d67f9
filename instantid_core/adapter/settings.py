"""Strength, time and place at which an identity acts."""

from __future__ import annotations

from dataclasses import dataclass

from .insertion import ADD
from .masks import Region
from .profiles import UNIFORM
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
    """Settings of an IdentityNet."""

    strength: float
    window: Span
    region: Region | None = None
