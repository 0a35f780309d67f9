"""Masks against an independent implementation of the reference's `enhance_face_region`.

There, a picture-sized mask is brought to every residual's grid (bilinear) and to every attention
layer's (nearest), and multiplied on. Everything expected here is computed with torch alone.
"""

from __future__ import annotations

from typing import Any

import pytest
import torch
from support.devices import loaded
from support.host_calls import text_attention
from torch.nn.functional import interpolate, scaled_dot_product_attention

from tools.small_world.scenes import photo, sample

DOWN = (8, 8, 8, 16, 16, 16, 32, 32, 32)
MIDDLE = 32
SIZES = [(256, 128), (192, 256)]  # (width, height)
ROWS, ALWAYS = 2, {"start_at": 0.0, "end_at": 1.0}


def face_box(width: int, height: int) -> torch.Tensor:
    """The reference's mask: white over a box, with edges on no grid."""
    mask = torch.zeros(1, height, width)
    mask[:, height // 5 : height * 3 // 4 + 3, width // 3 + 5 : width * 4 // 5] = 1
    return mask


def soft_mask(width: int, height: int) -> torch.Tensor:
    return torch.rand(1, height, width, generator=torch.Generator().manual_seed(8))


def shrunk(mask: torch.Tensor, scale: int, mode: str = "bilinear") -> torch.Tensor:
    """[1, h / scale, w / scale]"""
    height, width = mask.shape[-2:]
    return interpolate(mask[None], (height // scale, width // scale), mode=mode)[0]


# --- IdentityNet ----------------------------------------------------------------------------------


@pytest.fixture
def residuals(
    pack: Any,
    adapter: Any,
    control_net: Any,
    identity_of: Any,
    faces_of: Any,
    prompt: Any,
    model: Any,
) -> Any:
    def run(size: tuple[int, int], mask: torch.Tensor | None) -> tuple[list[Any], Any]:
        """(down residuals, middle residual), one positive row per picture."""
        positive, _ = pack.run(
            "InstantIDApplyIdentityNet",
            positive=prompt.positive,
            negative=prompt.negative,
            control_net=control_net,
            adapter=adapter,
            identity=identity_of(1),
            faces=faces_of(photo(1)),
            strength=0.8,
            mask=mask,
            **ALWAYS,
        )
        net = positive[0][1]["control"]
        place, shape = loaded(net), (ROWS, 4, size[1] // 8, size[0] // 8)
        x = torch.randn(shape, generator=torch.Generator().manual_seed(3)).to(place)
        cond = {"c_crossattn": torch.zeros(ROWS, 77, 64), "y": torch.zeros(ROWS, 2816)}
        cond = {name: value.to(place) for name, value in cond.items()}
        net.pre_run(model.model, model.get_model_object("model_sampling").percent_to_sigma)
        sigma = torch.full((ROWS,), 5.0, device=place)
        try:
            options = {"cond_or_uncond": [0], "sigmas": sigma[:1]}
            out = net.get_control(x, sigma, cond, 1, options)
        finally:
            net.cleanup()
        (middle,) = (r.cpu() for r in out["middle"] if r is not None)
        return [r.cpu() for r in out["output"] if r is not None], middle

    return run


@pytest.mark.parametrize("size", SIZES, ids=str)
@pytest.mark.parametrize("make_mask", [face_box, soft_mask])
def test_residuals_are_scaled_level_by_level(residuals: Any, size: Any, make_mask: Any) -> None:
    mask = make_mask(*size)
    down, middle = residuals(size, None)
    masked_down, masked_middle = residuals(size, mask)
    assert len(down) == len(masked_down) == len(DOWN)
    for scale, full, part in zip(DOWN, down, masked_down, strict=True):
        assert torch.equal(part, full * shrunk(mask, scale))
    assert torch.equal(masked_middle, middle * shrunk(mask, MIDDLE))


def test_on_whole_cells_the_way_of_shrinking_does_not_matter(residuals: Any) -> None:
    size = (256, 128)
    mask = torch.zeros(1, 128, 256)
    mask[:, 32:96, 64:192] = 1
    down, middle = residuals(size, None)
    masked_down, masked_middle = residuals(size, mask)
    for scale, full, part in zip(DOWN, down, masked_down, strict=True):
        assert torch.equal(part, full * shrunk(mask, scale, "nearest"))
    assert torch.equal(masked_middle, middle * shrunk(mask, MIDDLE, "nearest"))


def test_every_picture_has_its_own_mask(residuals: Any) -> None:
    size = SIZES[0]
    masks = torch.cat([face_box(*size), soft_mask(*size)])
    down, _ = residuals(size, None)
    masked, _ = residuals(size, masks)
    for scale, full, part in zip(DOWN, down, masked, strict=True):
        weights = torch.stack([shrunk(mask[None], scale) for mask in masks])
        assert torch.equal(part, full * weights)


# --- the adapter ----------------------------------------------------------------------------------


def reference_delta(
    q: torch.Tensor, k: torch.Tensor, v: torch.Tensor, heads: int, mask: torch.Tensor, weight: float
) -> torch.Tensor:
    """The reference's attention processor: `weight * attention(q, K, V) * mask`, [B, L, C]."""

    def split(x: torch.Tensor) -> torch.Tensor:
        return x.unflatten(-1, (heads, -1)).transpose(1, 2)

    out = scaled_dot_product_attention(split(q), split(k), split(v)).transpose(1, 2).flatten(2)
    ratio = (mask.shape[-2] * mask.shape[-1] / q.shape[1]) ** 0.5
    small = interpolate(mask[None], scale_factor=1 / ratio, mode="nearest")
    return weight * out * small.reshape(1, -1, 1)


@pytest.mark.parametrize("size", SIZES, ids=str)
@pytest.mark.parametrize("make_mask", [face_box, soft_mask])
def test_adapter_output_is_masked_at_every_site(
    pack: Any, model: Any, adapter: Any, identity_of: Any, prompt: Any, size: Any, make_mask: Any
) -> None:
    mask, weight = make_mask(*size), 0.7
    (patched,) = pack.run(
        "InstantIDApplyAdapter",
        model=model,
        adapter=adapter,
        identity=identity_of(1),
        weight=weight,
        mask=mask,
        **ALWAYS,
    )
    sites = patched.model_options["transformer_options"]["patches_replace"]["attn2"]
    errors: dict[Any, float] = {}

    def compared(key: Any, patch: Any) -> Any:
        def call(q: Any, k: Any, v: Any, options: dict[str, Any]) -> torch.Tensor:
            out = patch(q, k, v, options)
            plain = text_attention(q, k, v, options)
            stored = patch.identity.keys_values
            sides = [int(row.polarity) for row in options["instantid_rows"].rows]
            keys, values = (part[sides, 0].to(q) for part in (stored.keys, stored.values))
            wanted = reference_delta(q, keys, values, options["n_heads"], mask.to(q), weight)
            errors[key] = float((out - plain - wanted).abs().max())
            return out

        return call

    for key, patch in list(sites.items()):
        sites[key] = compared(key, patch)
    sample(patched, *prompt, cfg=4.5, steps=1, size=size)
    assert len(errors) == 70
    assert max(errors.values()) <= 1e-5
