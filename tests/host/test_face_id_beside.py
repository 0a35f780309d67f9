"""IP-Adapter FaceID in one graph with others: IPAdapter_plus, a LoRA, text that pictures have made;
and what it holds in memory there."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import comfy.model_patcher
import comfy.ops
import comfy.sd
import pytest
import torch
from safetensors.torch import save_file
from support.face_id_files import write_buffalo
from support.older_neighbours_node.foreign_attention import (
    MultiGPUAttn2Replace,
    apply_at,
    image_prompt,
)

from tools.bench import world as bench_world
from tools.bench.snapshots import bytes_of, reachable_tensors
from tools.small_world.adapter import FaceIDSizes, adapter_weights, flat
from tools.small_world.scenes import conditioning, photo, sample

EVERYTHING = {"start_at": 0.0, "end_at": 1.0}
SIZE = (64, 64)
GROUP = "IP-Adapter FaceID"
Apply = Callable[[Any], Any]


@pytest.fixture(scope="module")
def person(pack: Any, models_dir: Path) -> Any:
    """An identity that was read by buffalo_l."""
    write_buffalo(models_dir)
    choice = {"model_pack": "buffalo_l", "provider": "cpu"}
    analyzer = pack.run("InstantIDLoadFaceAnalyzer", **choice)[0]
    how = {"select": "largest", "index": 0, "min_score": 0.5, "on_no_face": "error"}
    faces = pack.run("InstantIDAnalyzeFaces", analyzer=analyzer, image=photo(4), **how)[0]
    return pack.run("InstantIDEmbedIdentity", faces=faces, combine="average")[0]


@pytest.fixture(scope="module")
def face_id(pack: Any, models_dir: Path, small_sdxl: Any, person: Any) -> Apply:
    """Puts FaceID and its LoRA into a model."""
    weights = adapter_weights(FaceIDSizes(small_sdxl.SmallConfig().site_widths, rank=2), seed=5)
    save_file(flat(weights), models_dir / "instantid" / "beside.safetensors")
    (adapter,) = pack.run("InstantIDLoadAdapter", adapter_name="beside.safetensors")
    how = {"adapter": adapter, "identity": person, "weight": 0.7, **EVERYTHING}
    return lambda model: pack.run("InstantIDApplyAdapter", model=model, **how)[0]


def ip_adapter_plus(model: Any) -> Any:
    """Puts IPAdapter_plus's patch into a model, as it stands since 2025."""
    tokens = torch.randn(1, 4, 64, generator=torch.Generator().manual_seed(1))
    how = {"cond": tokens, "uncond": torch.zeros_like(tokens), "weight": 0.4}
    return apply_at(model.clone(), MultiGPUAttn2Replace, image_prompt, **how)


def style_lora(model: Any) -> Any:
    """Puts a LoRA of the graph into a model, as LoraLoaderModelOnly does: at the same weights."""
    layer = "lora_unet_input_blocks_4_1_transformer_blocks_0_attn2_to_q"
    width = model.model.diffusion_model.input_blocks[4][1].transformer_blocks[0].attn2.to_q.weight
    generator = torch.Generator().manual_seed(6)
    matrices = {"lora_up": (len(width), 2), "lora_down": (2, len(width))}
    tensors = {
        f"{layer}.{name}.weight": torch.randn(shape, generator=generator)
        for name, shape in matrices.items()
    }
    return comfy.sd.load_lora_for_models(model, None, tensors, 0.8, 0)[0]


def difference(one: torch.Tensor, other: torch.Tensor) -> float:
    return float((one - other).abs().max() / other.abs().max())


@pytest.mark.combination(GROUP, "beside IPAdapter_plus, in either order: equal within 1e-5")
def test_ip_adapter_plus_in_either_order(model: Any, face_id: Apply, prompt: Any) -> None:
    both, swapped, alone, other = (
        sample(patched, *prompt, steps=3, size=SIZE)
        for patched in (
            ip_adapter_plus(face_id(model)),
            face_id(ip_adapter_plus(model)),
            face_id(model),
            ip_adapter_plus(model),
        )
    )
    print(f"between orders {difference(both, swapped):.1e}")
    assert difference(both, swapped) <= 1e-5
    assert difference(both, alone) > 1e-3
    assert difference(both, other) > 1e-3


@pytest.mark.combination(GROUP, "beside a LoRA of the graph, in either order: equal within 1e-5")
def test_a_lora_of_the_graph_in_either_order(model: Any, face_id: Apply, prompt: Any) -> None:
    chains = style_lora(face_id(model)), face_id(style_lora(model))
    shared = style_lora(model).patches.keys() & face_id(model).patches.keys()
    assert len(shared) == 1, "both change the same weight"
    for patched in chains:
        assert all(len(patched.patches[key]) == 2 for key in shared)
    both, swapped, without = (
        sample(patched, *prompt, steps=3, size=SIZE) for patched in (*chains, face_id(model))
    )
    print(f"between orders {difference(both, swapped):.1e}")
    assert difference(both, swapped) <= 1e-5
    assert difference(both, without) > 1e-3


@pytest.mark.combination(GROUP, "a text with vectors of PhotoMaker or Textual Inversion in it")
def test_a_text_with_vectors_of_pictures(model: Any, face_id: Apply) -> None:
    """PhotoMaker and Textual Inversion put vectors into the text, which may then be longer than the
    other side's. The person acts, and so do the vectors."""
    positive, negative = conditioning("a portrait by the sea"), conditioning("blurry")
    text, settings = positive[0]
    vectors = torch.randn(text.shape, generator=torch.Generator().manual_seed(3))
    longer = [[torch.cat((text, vectors), dim=1), settings]]
    patched = face_id(model)
    found, unfaced, plain = (
        sample(each, side, negative, steps=2, size=SIZE)
        for each, side in ((patched, longer), (model, longer), (patched, positive))
    )
    assert difference(found, unfaced) > 1e-3
    assert difference(found, plain) > 1e-3


# --- memory ---------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("tokens", "most"), [(4, 2.7e6), (16, 10.7e6)], ids=["FaceID", "FaceID-Portrait"]
)
def test_kept_while_sampling_of_sdxl_in_half_precision(
    pack: Any, person: Any, tokens: int, most: float
) -> None:
    """Bytes of all tensors that can be reached from the model's patches, of the published sizes:
    the keys and values of the tokens, and nothing of the adapter."""
    from tools.small_world.node.small_sdxl import SmallConfig

    config = SmallConfig(*bench_world.SIZES["published"])
    model = bench_world.random_unet(config, bench_world.META, torch.float16)
    adapter = published_adapter(pack, config, tokens)
    how = {"adapter": adapter, "identity": person, "weight": 0.8, **EVERYTHING}
    patched = pack.run("InstantIDApplyAdapter", model=model, **how)[0]
    sites = patched.model_options["transformer_options"]["patches_replace"]["attn2"]
    assert len(sites) == 70
    kept = bytes_of(reachable_tensors(list(sites.values())))
    print(f"{tokens} tokens: {kept / 1e6:.2f} MB")
    assert kept <= most
    assert kept >= 2 * 2 * tokens * sum(config.site_widths) * 2


def published_adapter(pack: Any, config: Any, tokens: int) -> Any:
    """An adapter of the published sizes whose weights are zeros, which take no memory."""
    sizes = FaceIDSizes(config.site_widths, config.context_dim, tokens=tokens, rank=0)
    raw = {
        part: {name: torch.zeros(shape, dtype=torch.float16) for name, shape in shapes.items()}
        for part, shapes in sizes.shapes.items()
    }
    checkpoint = pack.module("instantid_core.adapter").read_checkpoint(raw, "published.bin")
    kind = pack.module("instantid_core.adapter").IdentityAdapter
    network = kind.from_checkpoint(checkpoint, comfy.ops.manual_cast)
    cpu = torch.device("cpu")
    patcher = comfy.model_patcher.ModelPatcher(network, load_device=cpu, offload_device=cpu)
    loaded = pack.module("nodes.host.models").LoadedAdapter
    return loaded(patcher, checkpoint.config, checkpoint.kind)
