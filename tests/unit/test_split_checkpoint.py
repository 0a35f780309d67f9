"""The two files of InstantID for SD 1.5 become the one form that is read."""

from __future__ import annotations

import pytest
import torch

from instantid_core.adapter.sd15_checkpoint import joined, part_of, partner
from instantid_core.errors import CheckpointError

SITES = [
    "down_blocks.0.attentions.0",
    "down_blocks.0.attentions.1",
    "down_blocks.2.attentions.1",
    "up_blocks.1.attentions.0",
    "up_blocks.3.attentions.2",
    "mid_block.attentions.0",
]
"""In diffusers' order; written into the file in another."""
PROJECTION = {name: torch.zeros(1) for name in ("latents", "proj_in.weight", "proj_out.weight")}


def name_of(site: str, kind: str, prefix: str = "") -> str:
    return f"{prefix}{site}.transformer_blocks.0.attn2.processor.to_{kind}_ip.weight"


def layers(prefix: str = "") -> dict[str, torch.Tensor]:
    numbered = {name_of(s, k, prefix): torch.tensor(i) for i, s in enumerate(SITES) for k in "kv"}
    return dict(sorted(numbered.items(), reverse=True))


@pytest.mark.parametrize("prefix", ["", "module."])
def test_sites_are_numbered_in_diffusers_order(prefix):
    raw = layers(prefix)
    assert part_of(raw) == "ip_adapter"
    found = joined({"ip_adapter": raw, "image_proj": PROJECTION})
    assert found["image_proj"] is PROJECTION
    for position in range(len(SITES)):
        for kind in "kv":
            number = found["ip_adapter"][f"{2 * position + 1}.to_{kind}_ip.weight"]
            assert int(number) == position


def test_parts_are_told_apart():
    assert part_of(PROJECTION) == "image_proj"
    assert part_of({}) is None
    assert part_of({"image_proj": {}, "ip_adapter": {}}) is None
    assert part_of({**layers(), "conv_in.weight": torch.zeros(1)}) is None


@pytest.mark.parametrize(
    ("name", "part", "neighbours", "expected"),
    [
        ("ip-state.ckpt", "ip_adapter", ["image_proj.ckpt", "controlnet.ckpt"], "image_proj.ckpt"),
        ("image_proj.ckpt", "image_proj", ["ip-state.ckpt"], "ip-state.ckpt"),
        (
            "ip-state-200.ckpt",
            "ip_adapter",
            ["image_proj-100.ckpt", "image_proj-200.ckpt"],
            "image_proj-200.ckpt",
        ),
        ("sd15/ip-state.ckpt", "ip_adapter", ["image_proj.safetensors"], "image_proj.safetensors"),
    ],
)
def test_the_neighbour_is_found(name, part, neighbours, expected):
    assert partner(name, part, neighbours) == expected


@pytest.mark.parametrize(
    ("neighbours", "found"),
    [
        (["controlnet.ckpt"], "found none"),
        (["image_proj-1.ckpt", "image_proj-2.ckpt"], "found image_proj-1.ckpt, image_proj-2.ckpt"),
    ],
)
def test_no_neighbour_is_a_sentence(neighbours, found):
    with pytest.raises(CheckpointError, match=r"expected image_proj\.ckpt beside it") as caught:
        partner("ip-state.ckpt", "ip_adapter", neighbours)
    assert found in str(caught.value)
