"""Adapter files that are refused: each gets a sentence that says what it is and what to use."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
import torch
from torch import nn

from instantid_core.adapter.checkpoint import read_checkpoint
from instantid_core.adapter.image_adapter import IdentityAdapter
from instantid_core.errors import CheckpointError
from tools.small_world import published_shapes

FILE = "face.bin"

Nested = dict[str, dict[str, torch.Tensor]]


def flat(nested: Nested) -> dict[str, torch.Tensor]:
    """Names behind `image_proj.` and `ip_adapter.`; meta tensors stay where they are."""
    return {f"{part}.{name}": t for part, tensors in nested.items() for name, t in tensors.items()}


def refusal(raw: Any) -> str:
    """The sentence; every one names the file and what to use instead."""
    with pytest.raises(CheckpointError) as caught:
        IdentityAdapter.from_checkpoint(read_checkpoint(raw, FILE), nn)
    message = str(caught.value)
    assert message.startswith(f"'{FILE}' ")
    assert "Choose InstantID's ip-adapter.bin" in message
    return message


def without(*names: str) -> Nested:
    nested = published_shapes.published()
    for name in names:
        part, _, rest = name.partition(".")
        del nested[part][rest]
    return nested


def reshaped(name: str, shape: tuple[int, ...]) -> Nested:
    nested = published_shapes.published()
    part, _, rest = name.partition(".")
    nested[part][rest] = torch.empty(shape, device="meta")
    return nested


@pytest.mark.parametrize("form", [dict, flat], ids=["nested", "flat"])
@pytest.mark.parametrize(
    ("missing", "expected"),
    [
        ("image_proj.proj_in.bias", "51 tensors in its resampler of depth 4, found 50"),
        ("image_proj.layers.3.1.3.weight", "is layers.3.1.3.weight, expected (1280, 5120)"),
        ("image_proj.latents", "not InstantID's resampler (problem at 'latents')"),
        ("image_proj.proj_out.weight", "not InstantID's resampler (problem at 'proj_out.weight')"),
        ("ip_adapter.139.to_v_ip.weight", "the difference begins with 139.to_k_ip.weight"),
        ("ip_adapter.5.to_k_ip.weight", "the difference begins with 5.to_k_ip.weight"),
    ],
)
def test_truncated_files(form: Callable[[Nested], Any], missing: str, expected: str) -> None:
    assert expected in refusal(form(without(missing)))


@pytest.mark.parametrize("part", ["image_proj", "ip_adapter"])
def test_half_a_file(part: str) -> None:
    half = {part: published_shapes.published()[part]}
    other = ({"image_proj", "ip_adapter"} - {part}).pop()
    assert f"found no {other} among {part}." in refusal(half)


def test_a_file_of_something_else_shows_some_of_its_names() -> None:
    other = {f"model.block.{number}": torch.empty(1) for number in range(5)}
    assert (
        "found no image_proj and ip_adapter among "
        "model.block.0, model.block.1, model.block.2 and 2 more."
    ) in refusal(other)


IP_ADAPTER_PLUS = published_shapes.image_proj() | {"proj_in.weight": (1280, 1280)}
FACE_ID_PLUS = {
    "proj.0.weight": (1024, 512),
    "proj.2.weight": (8192, 1024),
    "norm.weight": (2048,),
    "perceiver_resampler.proj_in.weight": (2048, 1280),
}
FAMILIES = {
    "a plain IP-Adapter for CLIP image features": {
        "proj.weight": (8192, 1280),
        "norm.bias": (2048,),
    },
    "an IP-Adapter Plus for image features of width 1280": IP_ADAPTER_PLUS,
    "an IP-Adapter FaceID Plus,": FACE_ID_PLUS,
    "a PuLID adapter": {"mapping_0.0.weight": (1024, 1024), "body.0.weight": (1024, 1280)},
}


@pytest.mark.parametrize("form", [dict, flat], ids=["nested", "flat"])
@pytest.mark.parametrize("family", FAMILIES)
def test_adapters_of_other_families_are_named(form: Callable[[Nested], Any], family: str) -> None:
    raw = published_shapes.published() | {"image_proj": published_shapes.meta(FAMILIES[family])}
    message = refusal(form(raw))
    assert f"is {family}" in message
    assert "face embeddings of width 512" in message


def test_an_unknown_family_still_gets_a_sentence() -> None:
    unknown = published_shapes.meta({"tokens.weight": (8, 8)})
    assert "not InstantID's resampler" in refusal(
        published_shapes.published() | {"image_proj": unknown}
    )


def test_foreign_tensors_beside_the_sites() -> None:
    raw = published_shapes.published()
    raw["ip_adapter"]["0.to_q_lora.down.weight"] = torch.empty(128, 640, device="meta")
    assert "the difference begins with 0.to_q_lora.down.weight" in refusal(raw)


def test_foreign_tensors_in_the_resampler() -> None:
    raw = published_shapes.published()
    raw["image_proj"]["extra.weight"] = torch.empty(8, device="meta")
    assert "found 52; the first difference is extra.weight, expected absent" in refusal(raw)


def test_parts_of_two_files() -> None:
    raw = published_shapes.published()
    narrow = {name: (width, 768) for name, (width, _) in published_shapes.ip_adapter().items()}
    raw["ip_adapter"] = published_shapes.meta(narrow)
    assert "makes tokens of width 2048, the attention layers take [768]" in refusal(raw)


def renamed() -> Nested:
    raw = published_shapes.published()
    raw["image_proj"]["norm_final.bias"] = raw["image_proj"].pop("norm_out.bias")
    return raw


def vectors() -> Nested:
    raw = reshaped("ip_adapter.1.to_k_ip.weight", (640,))
    raw["ip_adapter"]["1.to_v_ip.weight"] = torch.empty(640, device="meta")
    return raw


def no_tensor() -> Any:
    return published_shapes.published() | {"image_proj": {"latents": "text"}}


@pytest.mark.parametrize(
    ("raw", "expected"),
    [
        pytest.param(renamed(), "first difference is norm_final.bias", id="a renamed tensor"),
        pytest.param(
            reshaped("image_proj.proj_in.bias", (640,)),
            "proj_in.bias, expected (1280,), found (640,)",
            id="a short bias",
        ),
        pytest.param(
            reshaped("image_proj.layers.2.0.to_kv.weight", (1280, 1280)),
            "layers.2.0.to_kv.weight, expected (2560, 1280), found (1280, 1280)",
            id="half a kv",
        ),
        pytest.param(
            reshaped("image_proj.layers.0.0.to_q.weight", (1300, 1280)),
            "1300 wide, which does not divide into heads of 64",
            id="heads that do not divide",
        ),
        pytest.param(
            reshaped("ip_adapter.1.to_v_ip.weight", (1280, 2048)),
            "1.to_k_ip.weight and 1.to_v_ip.weight must be two matrices of one shape",
            id="k and v differ",
        ),
        pytest.param(
            reshaped("ip_adapter.1.to_k_ip.weight", (640,)),
            "found (640,) and (640, 2048)",
            id="a vector for k",
        ),
        pytest.param(vectors(), "two matrices of one shape, found (640,)", id="vectors for both"),
        pytest.param(no_tensor(), "found no image_proj", id="no tensor at all"),
        pytest.param({0: torch.empty(1)}, "among 0.", id="names that are numbers"),
    ],
)
def test_other_damage_gets_a_sentence_too(raw: Any, expected: str) -> None:
    assert expected in refusal(raw)
