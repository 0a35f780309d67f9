"""ControlNet chains that other packs copy, or turn into types of their own."""

from __future__ import annotations

import copy
from typing import Any

import comfy.controlnet
import pytest
import torch
from support.host_calls import own_warnings
from support.neighbours.keyframes import KeyframedNet
from support.network_calls import Calls
from support.tensors import are_equal

from nodes import ControlNetApplyAdvanced
from tools.small_world.scenes import photo, sample

CONVERSIONS = "ControlNet chains that others copy or convert"


class ConvertedNet(comfy.controlnet.ControlNet):
    """A ControlNet type of another pack, made as Advanced-ControlNet makes its own."""

    @classmethod
    def from_vanilla(cls, net: comfy.controlnet.ControlNet) -> ConvertedNet:
        new = cls(
            control_model=net.control_model,
            global_average_pooling=net.global_average_pooling,
            load_device=net.load_device,
            manual_cast_dtype=net.manual_cast_dtype,
            extra_conds=[],
        )
        net.copy_to(new)
        new.control_model_wrapped = net.control_model_wrapped.clone()
        return new


def shallow(net: Any) -> Any:
    """A chain whose every net was copied by `copy.copy`, as ComfyUI-Distributed does."""
    twin = copy.copy(net)
    if twin.previous_controlnet is not None:
        twin.previous_controlnet = shallow(twin.previous_controlnet)
    return twin


def by_itself(net: Any) -> Any:
    twin = net.copy()
    return twin.set_previous_controlnet(net.previous_controlnet)


COPIES = {
    "`copy.copy` of the chain": shallow,
    "`copy()` of the net": by_itself,
    "conversion to another type": lambda net: ConvertedNet.from_vanilla(
        net
    ).set_previous_controlnet(net.previous_controlnet),
}


@pytest.mark.parametrize("way", COPIES)
@pytest.mark.combination(CONVERSIONS, "{}: identity for IdentityNet, text for the others")
def test_copies_keep_their_contexts(
    pack: Any,
    model: Any,
    applied: Any,
    netted: Any,
    faces_of: Any,
    adapter: Any,
    depth_net: Any,
    prompt: Any,
    identity_of: Any,
    way: str,
) -> None:
    hint = torch.rand(1, 128, 128, 3, generator=torch.Generator().manual_seed(1))
    apply = ControlNetApplyAdvanced().apply_controlnet
    held = apply(*prompt, depth_net, hint, 0.5, 0.0, 1.0)
    how = {"positive": held[0], "negative": held[1]}
    pair = netted(faces_of(photo(1)), **how)
    twin = COPIES[way](pair[0][0][1]["control"])
    changed = [[[text, {**options, "control": twin}] for text, options in side] for side in pair]
    network = pair[0][0][1]["control"].control_model
    with Calls(network) as calls:
        sample(applied(model), *changed, steps=1)
    negative = pack.module("instantid_core.identity.embedding").NegativeIdentity()
    tokens = adapter.tokens(identity_of(1), negative)
    assert len(calls.contexts) == 2
    seen = {context.shape[1]: list(context) for context in calls.contexts}
    texts = [prompt.positive[0][0][0], prompt.negative[0][0][0]]
    identities = [tokens.positive[0], tokens.negative[0]]
    if not torch.equal(seen[77][0], texts[0]):  # which side comes first is the host's affair
        texts, identities = texts[::-1], identities[::-1]
    assert are_equal(seen[77], texts)
    assert are_equal(seen[16], identities)


@pytest.mark.combination(CONVERSIONS, "conversion to another type, with a mask: a warning says so")
def test_a_conversion_that_loses_the_mask_says_so(
    netted: Any, faces_of: Any, caplog: pytest.LogCaptureFixture
) -> None:
    pair = netted(faces_of(photo(1)), mask=torch.ones(1, 16, 16))
    ConvertedNet.from_vanilla(pair[0][0][1]["control"])
    assert (
        "turned IdentityNet into a ConvertedNet. The identity goes along, without InstantID's mask."
        in (caplog.text)
    )
    assert "will center-crop them" in caplog.text


@pytest.mark.combination(
    CONVERSIONS, "conversion to another type, of two frames: a warning says so"
)
def test_a_conversion_that_loses_frames_says_so(
    netted: Any, faces_of: Any, caplog: pytest.LogCaptureFixture
) -> None:
    pair = netted(faces_of(torch.cat([photo(1), photo(2)])))
    ConvertedNet.from_vanilla(pair[0][0][1]["control"])
    assert "goes along, without the keypoints of later frames." in caplog.text


@pytest.mark.parametrize("weight", [1.0, 0.5, 0.0])
@pytest.mark.combination(CONVERSIONS, "IdentityNet from another pack's loader: its weight {} holds")
def test_settings_of_another_packs_loader_hold(
    model: Any,
    applied: Any,
    netted: Any,
    control_net: Any,
    prompt: Any,
    weight: float,
    caplog: pytest.LogCaptureFixture,
) -> None:
    """As the host's own net of that strength; the residuals are rounded once more."""
    patched = applied(model)
    image = torch.rand(1, 128, 128, 3, generator=torch.Generator().manual_seed(1))
    net = KeyframedNet.of(control_net, weight)
    pair = netted(None, image=image, control_net=net)
    found = sample(patched, *pair, steps=1)
    assert net.weight == weight
    assert isinstance(pair[0][0][1]["control"], KeyframedNet)
    wanted = netted(None, image=image, strength=0.8 * weight) if weight else prompt
    assert (found - sample(patched, *wanted, steps=1)).norm() / found.norm() < 1e-5
    assert own_warnings(caplog) == []


@pytest.mark.combination(CONVERSIONS, "IdentityNet from another pack's loader, with faces and mask")
def test_what_another_packs_loader_loses_is_said(
    netted: Any, faces_of: Any, control_net: Any, caplog: pytest.LogCaptureFixture, noted: Any
) -> None:
    net = KeyframedNet.of(control_net, 1.0)
    netted(faces_of(photo(1)), mask=torch.ones(1, 16, 16), control_net=net)
    (warning,) = own_warnings(caplog)
    assert "loaded IdentityNet as a KeyframedNet" in warning
    assert "without InstantID's mask. The keypoints have the photo's shape" in warning
    noted(f"with the warning: {warning}")


@pytest.mark.combination(CONVERSIONS, "a converted net, sampled by a model with another context")
def test_another_model_is_refused_after_a_conversion(
    pack: Any, small_sdxl: Any, netted: Any, faces_of: Any, refused: Any
) -> None:
    other = small_sdxl.small_unet(small_sdxl.SmallConfig(context_dim=32))
    pair = netted(faces_of(photo(1)))
    converted = ConvertedNet.from_vanilla(pair[0][0][1]["control"])
    sides = [[[text, {**options, "control": converted}]] for ((text, options),) in pair]
    sides = [[[text[..., :32], options]] for ((text, options),) in sides]
    error = pack.module("instantid_core.errors").IncompatibleModelError
    with pytest.raises(error, match="prompts of its own") as caught:
        sample(other, *sides, steps=1, size=(64, 64))
    refused(caught.value)


def test_other_labels_are_refused_after_a_conversion(pack: Any, control_net: Any) -> None:
    widths = pack.module("nodes.host.identity_net_check").Widths
    network = control_net.control_model
    context = torch.zeros(
        1, 2, network.input_blocks[4][1].transformer_blocks[0].attn2.to_k.in_features
    )
    labels = torch.zeros(1, 2816)
    widths.of(network).require(widths.given(context, labels))
    for wrong in (None, labels[:, :2560]):
        with pytest.raises(
            pack.module("instantid_core.errors").IncompatibleModelError, match="labels"
        ):
            widths.of(network).require(widths.given(context, wrong))
