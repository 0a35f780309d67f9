"""Prompts of the older InstantID pack that do out-of-the-ordinary things."""

from __future__ import annotations

from typing import Any

import pytest


@pytest.fixture
def translate(pack: Any) -> Any:
    replacements = {each.old: each for each in pack.module("nodes.legacy_nodes").REPLACEMENTS}
    return lambda old, **given: replacements[old].translated({"inputs": given})["inputs"]


@pytest.mark.parametrize("window", [(1.0, 1.0), (0.5, 0.2), (0, 0)])
def test_a_window_without_length_is_weight_zero(
    translate: Any, window: tuple[float, float]
) -> None:
    start, end = window
    inputs = translate("ApplyInstantID", weight=0.8, start_at=start, end_at=end, model=["4", 0])
    assert (inputs["weight"], inputs["strength"]) == (0, 0)
    assert (inputs["start_at"], inputs["end_at"]) == (0, 1)
    assert inputs["model"] == ["4", 0]
    net = translate("ApplyInstantIDControlNet", strength=1.0, start_at=start, end_at=end)
    assert net["strength"] == 0
    assert "weight" not in net


@pytest.mark.parametrize("window", [(0.2, 0.5), (["7", 0], 0.0), (0.5, None)])
def test_other_windows_stay(translate: Any, window: tuple[Any, Any]) -> None:
    inputs = translate("ApplyInstantID", weight=0.8, start_at=window[0], end_at=window[1])
    assert (inputs["weight"], inputs["start_at"], inputs["end_at"]) == (0.8, *window)
