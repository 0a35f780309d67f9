"""Residuals of chained ControlNets: summed place by place, limited by a region."""

from __future__ import annotations

import torch

from instantid_core.adapter.masks import RegionMask
from instantid_core.adapter.residuals import Residuals, limit_residuals, sum_residuals
from instantid_core.adapter.rows import BatchRows, Row
from instantid_core.adapter.run import Run
from instantid_core.types import Polarity

ROWS = BatchRows((Row(Polarity.POSITIVE, 0, None, None),), Run())


def residuals(*values: float | None) -> Residuals:
    made = [None if value is None else torch.full((1, 2, 4, 4), value) for value in values]
    return {"input": made, "middle": made[:1], "output": []}


def numbers(found: Residuals | None) -> list[float | None]:
    assert found is not None
    return [None if each is None else float(each.mean()) for each in found["input"]]


def test_sums_go_place_by_place() -> None:
    found = sum_residuals(residuals(1.0, None, 3.0, None), residuals(10.0, 20.0, None))
    assert numbers(found) == [11.0, 20.0, 3.0, None]


def test_a_net_that_says_nothing_leaves_the_other() -> None:
    one = residuals(1.0)
    assert sum_residuals(one, None) is one
    assert sum_residuals(None, one) is one
    assert sum_residuals(None, None) is None


def test_a_region_limits_every_residual() -> None:
    mask = torch.zeros(1, 8, 8)
    mask[:, :4] = 1
    found = limit_residuals(residuals(2.0, None), RegionMask(mask), ROWS)
    assert found is not None and found["input"][1] is None
    for stage in ("input", "middle"):
        part = found[stage][0]
        assert part is not None
        assert torch.all(part[..., 0, :] == 2)
        assert not part[..., 3, :].any()


def test_without_a_region_nothing_is_limited() -> None:
    one = residuals(2.0)
    assert limit_residuals(one, None, ROWS) is one
    assert limit_residuals(None, RegionMask(torch.ones(1, 2, 2)), ROWS) is None
