"""A mask without white is reported once, wherever it is connected; others are not."""

from __future__ import annotations

from typing import Any
from uuid import uuid4

import pytest
import torch
from comfy_execution.utils import CurrentNodeContext
from support.host_calls import own_warnings

from tools.small_world.scenes import photo, sample

GROUP = "Masks without white"
PLAIN = torch.zeros(1, 64, 64)
"""As Load Image gives it for a picture without transparency."""
SPOT = torch.zeros(1, 1000, 1000)
SPOT[:, 130:133, 130:133] = 1
"""Smaller than a cell of any layer at 128 x 128 pixels."""
EVERYTHING = {"start_at": 0.0, "end_at": 1.0}


@pytest.fixture
def warnings(caplog: pytest.LogCaptureFixture) -> Any:
    return lambda: own_warnings(caplog)


@pytest.fixture
def nodes_with_a_mask(
    pack: Any,
    model: Any,
    adapter: Any,
    analyzer: Any,
    control_net: Any,
    prompt: Any,
    faces_of: Any,
    applied: Any,
    netted: Any,
) -> Any:
    faces, picture = faces_of(photo(1)), photo(1)
    loaded = {"adapter": adapter, "analyzer": analyzer, "image": picture, **EVERYTHING}
    net = {"control_net": control_net, **prompt._asdict()}

    def tokens() -> Any:
        how = {"model": model, "weight": 0.0, **loaded}
        return pack.run("InstantIDApplyAdapterFromPhoto", **how)[1]

    def paste(mask: Any) -> Any:
        how = {"size": 64, "context": 1.6}
        crop_image, _, crop, _ = pack.run("InstantIDCropFace", image=picture, faces=faces, **how)
        how = {"image": picture, "crop_image": crop_image, "crop": crop, "mask": mask}
        return pack.run("InstantIDPasteFace", feather=0.1, match_colour="none", **how)

    def whole(mask: Any) -> Any:
        how = {"model": model, "weight": 0.8, "strength": 0.8, "mask": mask}
        return pack.run("InstantIDApply", **how, **loaded, **net)

    def from_photo(mask: Any) -> Any:
        how = {"model": model, "weight": 0.8, "mask": mask}
        return pack.run("InstantIDApplyAdapterFromPhoto", **how, **loaded)

    def from_tokens(mask: Any) -> Any:
        how = {"tokens": tokens(), "image": picture, "strength": 0.8, "mask": mask, **EVERYTHING}
        return pack.run("InstantIDApplyIdentityNetFromTokens", **how, **net)

    return {
        "InstantIDApplyAdapter": lambda mask: applied(model, mask=mask),
        "InstantIDApplyIdentityNet": lambda mask: netted(faces, mask=mask),
        "InstantIDApply": whole,
        "InstantIDApplyAdapterFromPhoto": from_photo,
        "InstantIDApplyIdentityNetFromTokens": from_tokens,
        "InstantIDPasteFace": paste,
    }


def test_every_node_with_a_mask_says_so(nodes_with_a_mask: Any, warnings: Any, caplog: Any) -> None:
    one_of_two = torch.cat([PLAIN, PLAIN + 1])
    for name, run in nodes_with_a_mask.items():
        caplog.clear()
        run(PLAIN)
        (warning,) = warnings()
        assert warning.startswith("The mask is black everywhere, so "), name
        assert "Load Image gives such a mask" in warning
        caplog.clear()
        if name != "InstantIDPasteFace":
            run(one_of_two)
            (warning,) = warnings()
            assert warning.startswith("1 of 2 masks are black everywhere"), name
        caplog.clear()
        run(PLAIN + 1)
        assert warnings() == [], name


def test_no_node_with_a_mask_is_left_out(pack: Any, nodes_with_a_mask: Any) -> None:
    nodes = pack.module("nodes").NODES
    schemas = [node.define_schema() for node in nodes]
    masked = {s.node_id for s in schemas if any(each.id == "mask" for each in s.inputs)}
    assert masked == set(nodes_with_a_mask)


@pytest.mark.parametrize("side", ["adapter", "IdentityNet"])
@pytest.mark.parametrize("mask", [PLAIN, SPOT], ids=["black", "black at every layer's grid"])
@pytest.mark.combination(GROUP, "{}: one warning, and the picture without the identity")
def test_a_mask_that_no_layer_sees(
    model: Any,
    prompt: Any,
    applied: Any,
    netted: Any,
    faces_of: Any,
    warnings: Any,
    noted: Any,
    mask: torch.Tensor,
    side: str,
) -> None:
    with CurrentNodeContext(str(uuid4()), "1"):
        if side == "adapter":
            found = sample(applied(model, mask=mask), *prompt, steps=2)
        else:
            found = sample(model, *netted(faces_of(photo(1)), mask=mask), steps=2)
    assert (found - sample(model, *prompt, steps=2)).norm() == 0
    (warning,) = warnings()
    noted(f"with the warning: {warning}")


def test_a_small_mask_that_layers_do_see(
    model: Any, prompt: Any, applied: Any, warnings: Any
) -> None:
    seen = torch.zeros(1, 16, 16)
    seen[:, 4, 4] = 1
    sample(applied(model, mask=seen), *prompt, steps=1)
    assert warnings() == []
