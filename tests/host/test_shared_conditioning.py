"""Conditioning with IdentityNet in graphs that go on in other ways."""

from __future__ import annotations

from typing import Any

import comfy.conds
import pytest
import torch
from comfy_extras.nodes_model_downscale import PatchModelAddDownscale

from tools.small_world.scenes import photo, sample

GROUP = "Conditioning with IdentityNet"


def with_layers(side: list[Any]) -> list[Any]:
    """As Layer Diffuse Cond Apply and IC-Light do it. Their fault: the entry is copied, what lies
    in it is not, and then `model_conds` is written to."""
    entries = []
    for text, options in side:
        own = options.copy()
        own.setdefault("model_conds", {})["c_concat"] = comfy.conds.CONDRegular(torch.ones(1))
        entries.append([text, own])
    return entries


@pytest.mark.combination(GROUP, "another pack writes into a copy of it (LayerDiffuse, IC-Light)")
def test_other_branches_stay_as_they_are(model: Any, netted: Any, faces_of: Any) -> None:
    pair = netted(faces_of(photo(1)))
    before = sample(model, *pair, steps=1)
    others = [with_layers(with_layers(side)) for side in pair]
    assert all("c_concat" in side[0][1]["model_conds"] for side in others)
    assert [list(side[0][1]["model_conds"]) for side in pair] == [["instantid_row"]] * 2
    assert torch.equal(sample(model, *pair, steps=1), before)


@pytest.mark.parametrize("kind", ["another context (SD 1.5)", "other labels (the refiner)"])
@pytest.mark.combination(GROUP, "it is sampled by a model with {}")
def test_another_model_is_refused_by_name(
    pack: Any,
    model: Any,
    small_sdxl: Any,
    netted: Any,
    faces_of: Any,
    refused: Any,
    monkeypatch: pytest.MonkeyPatch,
    kind: str,
) -> None:
    steps: list[Any] = []
    if kind.startswith("another"):
        model = small_sdxl.small_unet(small_sdxl.SmallConfig(context_dim=32))
    else:
        monkeypatch.setattr(model.model, "adm_channels", 2560)
    monkeypatch.setattr(model.model, "apply_model", lambda *a, **k: steps.append(a))
    errors = pack.module("instantid_core.errors")
    with pytest.raises(errors.IncompatibleModelError, match="prompts of its own") as caught:
        sample(model, *netted(faces_of(photo(1))), steps=1)
    assert steps == [], "before the first step"
    refused(caught.value)


@pytest.mark.parametrize("start_at", [0.0, 0.5])
@pytest.mark.combination(GROUP, "Deep Shrink until a third of the steps, IdentityNet from {}")
def test_deep_shrink(
    model: Any,
    netted: Any,
    faces_of: Any,
    noted: Any,
    caplog: pytest.LogCaptureFixture,
    start_at: float,
) -> None:
    methods = {"downscale_method": "bicubic", "upscale_method": "bicubic"}
    node = PatchModelAddDownscale()
    shrink = getattr(node, "execute", None) or node.patch
    out = shrink(model, 1, 2.0, 0.0, 0.35, True, **methods)
    pair = netted(faces_of(photo(1)), start_at=start_at)
    sample(getattr(out, "result", out)[0], *pair, steps=3)
    said = [r.getMessage() for r in caplog.records if "Deep Shrink" in r.getMessage()]
    if start_at:
        assert said == []
    else:
        (warning,) = said
        assert "Set start_at of IdentityNet to Deep Shrink's end_percent" in warning
        noted(f"with the warning: {warning}")
