"""Profiles: an identity's weight, spread over the cross-attention sites.

Names and figures are those that IP-Adapter users know (`weight_type`), so that settings carry over.
"""

from __future__ import annotations

from collections.abc import Callable

from ..errors import one_of
from .sites import AttentionSite

FORWARD_ORDER = {"input": 0, "middle": 1, "output": 2}
FLOOR = 0.05
"""Share of the weight at an eased-out end."""
REDUCED = 0.2
"""Share of the weight in the weakened stages of a `weak` or `strong` profile."""
STYLE_BLOCK, COMPOSITION_BLOCK = ("output", 1), ("input", 8)
"""The SDXL blocks that carry style and layout (InstantStyle, section 3.2)."""

Shape = Callable[[AttentionSite, float], float]
"""(site, its depth in the network 0..1) -> factor on the weight."""


def _eased(ramp: Callable[[float], float]) -> Shape:
    return lambda site, depth: FLOOR + (1 - FLOOR) * ramp(depth)


def _reduced(*stages: str) -> Shape:
    return lambda site, depth: REDUCED if site.block in stages else 1.0


def _only(block: tuple[str, int]) -> Shape:
    return lambda site, depth: float(site.key[:2] == block)


UNIFORM = "uniform"
PROFILES: dict[str, Shape] = {
    UNIFORM: lambda site, depth: 1.0,
    "ease in": _eased(lambda depth: 1 - depth),
    "ease out": _eased(lambda depth: depth),
    "ease in-out": _eased(lambda depth: 1 - abs(2 * depth - 1)),
    "weak input": _reduced("input"),
    "weak middle": _reduced("middle"),
    "weak output": _reduced("output"),
    "strong input": _reduced("middle", "output"),
    "strong middle": _reduced("input", "output"),
    "strong output": _reduced("input", "middle"),
    "style only": _only(STYLE_BLOCK),
    "composition only": _only(COMPOSITION_BLOCK),
}


def site_weights(
    profile: str, weight: float, sites: tuple[AttentionSite, ...]
) -> tuple[float, ...]:
    """The weight of every site. Depth counts the blocks that have sites, in forward order."""
    one_of("profile", profile, PROFILES)
    blocks = sorted({site.key[:2] for site in sites}, key=_forward)
    depth = {block: position / len(blocks) for position, block in enumerate(blocks)}
    factor = PROFILES[profile]
    return tuple(weight * factor(site, depth[site.key[:2]]) for site in sites)


def _forward(block: tuple[str, int]) -> tuple[int, int]:
    return FORWARD_ORDER[block[0]], block[1]
