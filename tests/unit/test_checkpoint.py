"""Adapter files that are recognised: the published layout and small ones, in both forms."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import nn

from instantid_core.adapter.checkpoint import AdapterCheckpoint, read_checkpoint
from instantid_core.adapter.image_adapter import IdentityAdapter
from instantid_core.adapter.resampler import ResamplerConfig
from tools.small_world import adapter as small_adapter
from tools.small_world import published_shapes

FILE = "face.bin"
SIZES = small_adapter.AdapterSizes((32, 64, 64), context_dim=48, width=128, depth=3, tokens=4)

Nested = dict[str, dict[str, torch.Tensor]]


def flat(nested: Nested) -> dict[str, torch.Tensor]:
    """Names behind `image_proj.` and `ip_adapter.`; meta tensors stay where they are."""
    return {f"{part}.{name}": t for part, tensors in nested.items() for name, t in tensors.items()}


def test_the_published_listing_has_the_published_counts() -> None:
    published = published_shapes.published()
    assert {part: len(tensors) for part, tensors in published.items()} == {
        "image_proj": 51,
        "ip_adapter": 140,
    }
    for part, tensors in published.items():
        counted = sum(tensor.numel() for tensor in tensors.values())
        assert counted == pytest.approx(published_shapes.PARAMETERS[part], abs=1e4)


@pytest.mark.parametrize("form", [dict, flat], ids=["nested", "flat"])
def test_the_published_layout_is_recognised(form: Callable[[Nested], Any]) -> None:
    checkpoint = read_checkpoint(form(published_shapes.published()), FILE)
    assert checkpoint.config.site_widths == tuple(published_shapes.SITE_WIDTHS)
    assert checkpoint.config.projection == ResamplerConfig(
        embed_dim=512,
        width=1280,
        inner_width=1280,
        feedforward_width=5120,
        depth=4,
        tokens=16,
        context_dim=2048,
    )


@pytest.mark.parametrize("form", [dict, flat], ids=["nested", "flat"])
def test_the_published_layout_becomes_an_adapter(form: Callable[[Nested], Any]) -> None:
    checkpoint = read_checkpoint(form(published_shapes.published()), FILE)
    adapter = IdentityAdapter.from_checkpoint(checkpoint, nn)
    assert {parameter.device.type for parameter in adapter.parameters()} == {"meta"}
    assert len(list(adapter.parameters())) == 51 + 140
    assert [layer[0].heads for layer in adapter.projection.layers] == [20] * 4
    assert len(adapter.to_k) == len(adapter.to_v) == 70


def test_other_entries_of_a_flat_file_are_passed_over() -> None:
    raw = {"note.version": torch.empty(1)} | flat(published_shapes.published())
    assert len(read_checkpoint(raw, FILE).image_proj) == 51


def saved_nested(folder: Path, weights: Nested) -> Any:
    torch.save(weights, folder / "adapter.bin")
    return torch.load(folder / "adapter.bin", weights_only=True)


def saved_flat(folder: Path, weights: Nested) -> Any:
    from safetensors.torch import load_file, save_file

    save_file(small_adapter.flat(weights), folder / "adapter.safetensors")
    return load_file(folder / "adapter.safetensors")


@pytest.mark.parametrize("saved", [saved_nested, saved_flat])
def test_a_small_adapter_survives_the_file(
    saved: Callable[[Path, Nested], Any], tmp_path: Path
) -> None:
    weights = small_adapter.adapter_weights(SIZES)
    checkpoint = read_checkpoint(saved(tmp_path, weights), FILE)
    config = checkpoint.config
    assert config.site_widths == SIZES.site_widths
    assert config.projection == ResamplerConfig(512, 128, 128, 512, 3, 4, 48)
    assert same_tensors(checkpoint, weights)
    assert config == read_checkpoint(weights, FILE).config


def same_tensors(checkpoint: AdapterCheckpoint, weights: Nested) -> bool:
    parts = {"image_proj": checkpoint.image_proj, "ip_adapter": checkpoint.ip_adapter}
    names = {part: set(tensors) for part, tensors in parts.items()}
    return names == {part: set(tensors) for part, tensors in weights.items()} and all(
        torch.equal(parts[part][name], tensor)
        for part, tensors in weights.items()
        for name, tensor in tensors.items()
    )


def test_site_order_is_numeric_not_alphabetic() -> None:
    sizes = small_adapter.AdapterSizes(tuple(32 * n for n in range(1, 8)), context_dim=48)
    assert read_checkpoint(small_adapter.adapter_weights(sizes), FILE).config.site_widths == (
        sizes.site_widths
    )


def test_reading_does_not_change_what_was_loaded() -> None:
    raw = published_shapes.published()
    names = {part: list(tensors) for part, tensors in raw.items()}
    read_checkpoint(raw, FILE)
    assert {part: list(tensors) for part, tensors in raw.items()} == names
