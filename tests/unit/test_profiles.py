"""Weight profiles against the formulas of the IP-Adapter nodes whose names they carry.

Those count the 11 transformer blocks of SDXL in forward order and know 10 sites as one block.
"""

from __future__ import annotations

import pytest

from instantid_core.adapter.profiles import PROFILES, site_weights
from instantid_core.adapter.sites import AttentionSite
from instantid_core.errors import SettingError

FORWARD = [
    *(("input", number) for number in (4, 5, 7, 8)),
    ("middle", 0),
    *(("output", number) for number in range(6)),
]
BLOCKS = len(FORWARD)
FILE_ORDER = [block for block in FORWARD if block[0] != "middle"] + [("middle", 0)]
SITES = tuple(
    AttentionSite(stage, number, index, 640, 2048)
    for stage, number in FILE_ORDER
    for index in range(3)
)


def by_block(profile: str, weight: float = 1.0) -> list[float]:
    """The weight of each block in forward order; fails when a block's sites differ."""
    weights = site_weights(profile, weight, SITES)
    found = {}
    for site, value in zip(SITES, weights, strict=True):
        found.setdefault(site.key[:2], set()).add(value)
    assert all(len(values) == 1 for values in found.values())
    return [found[block].pop() for block in FORWARD]


def staged(into: float, middle: float, out: float) -> list[float]:
    return [into] * 4 + [middle] + [out] * 6


EXPECTED = {
    "uniform": staged(1, 1, 1),
    "ease in": [0.05 + 0.95 * (1 - t / BLOCKS) for t in range(BLOCKS)],
    "ease out": [0.05 + 0.95 * (t / BLOCKS) for t in range(BLOCKS)],
    "ease in-out": [0.05 + 0.95 * (1 - abs(t - BLOCKS / 2) / (BLOCKS / 2)) for t in range(BLOCKS)],
    "weak input": staged(0.2, 1, 1),
    "weak middle": staged(1, 0.2, 1),
    "weak output": staged(1, 1, 0.2),
    "strong input": staged(1, 0.2, 0.2),
    "strong middle": staged(0.2, 1, 0.2),
    "strong output": staged(0.2, 0.2, 1),
    "style only": [float(t == 6) for t in range(BLOCKS)],
    "composition only": [float(t == 3) for t in range(BLOCKS)],
}


def test_every_profile_is_checked_here() -> None:
    assert set(PROFILES) == set(EXPECTED)


@pytest.mark.parametrize("profile", EXPECTED)
def test_profiles_follow_the_formulas(profile: str) -> None:
    # The same sums in another order: a few units in the last place.
    assert by_block(profile) == pytest.approx(EXPECTED[profile], rel=1e-12, abs=1e-12)


@pytest.mark.parametrize("weight", [0.0, 0.8, -1.0])
def test_weight_scales_every_site(weight: float) -> None:
    scaled = {name: by_block(name, weight) for name in EXPECTED}
    wanted = {name: [weight * w for w in weights] for name, weights in EXPECTED.items()}
    assert scaled == {name: pytest.approx(weights) for name, weights in wanted.items()}


def test_uniform_keeps_the_weight_exactly() -> None:
    assert set(site_weights("uniform", 0.8, SITES)) == {0.8}


def test_no_sites_no_weights() -> None:
    assert site_weights("ease in", 1, ()) == ()


def test_unknown_profile_is_refused_with_the_choices() -> None:
    with pytest.raises(SettingError, match="profile must be one of uniform, ") as caught:
        site_weights("linear", 1, SITES)
    assert "found 'linear'" in str(caught.value)
