"""The resampler against diffusers' IP-Adapter Plus projection holding the same weights."""

from __future__ import annotations

import pytest
import torch
from torch import nn

from instantid_core.adapter.checkpoint import read_checkpoint
from instantid_core.adapter.resampler import Resampler
from tools.small_world import adapter as small_adapter
from tools.small_world import published_shapes

Weights = dict[str, torch.Tensor]

# float32 sums in another order: 3e-7 to 6e-7 measured. The two norms swapped would give 0.18.
TOLERANCE = 1e-5

RENAMED = {
    "0.norm1": "ln0",
    "0.norm2": "ln1",
    "0.to_q": "attn.to_q",
    "0.to_out": "attn.to_out.0",
    "1.0": "ff.0",
    "1.1": "ff.1.net.0.proj",
    "1.3": "ff.1.net.2",
}


def small(depth: int = 2) -> Weights:
    sizes = small_adapter.AdapterSizes((64,), width=128, depth=depth, context_dim=96)
    return small_adapter.adapter_weights(sizes)["image_proj"]


def published() -> Weights:
    """Random weights of the published sizes, scaled so that activations stay near 1."""
    generator = torch.Generator().manual_seed(5)
    return {
        name: torch.randn(shape, generator=generator) / shape[-1] ** 0.5
        for name, shape in published_shapes.image_proj().items()
    }


def ours(weights: Weights) -> nn.Module:
    """Our resampler, its sizes read from the tensors."""
    context_dim = weights["proj_out.weight"].shape[0]
    site = torch.empty(64, context_dim)
    adapter = {"1.to_k_ip.weight": site, "1.to_v_ip.weight": site}
    raw = {"image_proj": weights, "ip_adapter": adapter}
    config = read_checkpoint(raw, "weights").config.projection
    resampler = Resampler(config, nn, device="meta")
    resampler.load_state_dict(weights, assign=True)
    return resampler


def theirs(weights: Weights) -> nn.Module:
    """diffusers' module, with plain softmax attention instead of torch's fused one."""
    from diffusers.models.attention_processor import AttnProcessor
    from diffusers.models.embeddings import IPAdapterPlusImageProjection

    context_dim, width = weights["proj_out.weight"].shape
    depth = len({name.split(".")[1] for name in weights if name.startswith("layers.")})
    with torch.device("meta"):
        module = IPAdapterPlusImageProjection(
            embed_dims=weights["proj_in.weight"].shape[1],
            output_dims=context_dim,
            hidden_dims=width,
            depth=depth,
            dim_head=64,
            heads=width // 64,
            num_queries=weights["latents"].shape[1],
        )
    module.load_state_dict(renamed(weights), assign=True)
    for block in module.layers:
        block.attn.set_processor(AttnProcessor())
    return module


def renamed(weights: Weights) -> Weights:
    """Our names to diffusers'; keys and values are one tensor here and two there."""
    found = {}
    for name, tensor in weights.items():
        layer, _, rest = name.removeprefix("layers.").partition(".")
        part, _, kind = rest.rpartition(".")
        if not name.startswith("layers."):
            found[name] = tensor
        elif part == "0.to_kv":
            key, value = tensor.chunk(2)
            found |= {
                f"layers.{layer}.attn.to_k.weight": key,
                f"layers.{layer}.attn.to_v.weight": value,
            }
        else:
            found[f"layers.{layer}.{RENAMED[part]}.{kind}"] = tensor
    return found


def relative_error(weights: Weights, embeddings: torch.Tensor) -> float:
    with torch.inference_mode():
        mine, reference = ours(weights)(embeddings), theirs(weights)(embeddings)
    assert mine.shape == reference.shape
    return float((mine - reference).norm() / reference.norm())


def references(identities: int, sequence: int) -> torch.Tensor:
    """Raw embeddings: normal numbers of norm about 20."""
    generator = torch.Generator().manual_seed(sequence)
    return 0.9 * torch.randn(identities, sequence, 512, generator=generator)


@pytest.mark.parametrize("sequence", [1, 4])
@pytest.mark.parametrize("identities", [1, 3])
@pytest.mark.parametrize("depth", [1, 2, 3])
def test_small_resampler_agrees(depth: int, identities: int, sequence: int) -> None:
    assert relative_error(small(depth), references(identities, sequence)) <= TOLERANCE


@pytest.mark.parametrize("sequence", [1, 4])
def test_published_sizes_agree(sequence: int) -> None:
    assert relative_error(published(), references(2, sequence)) <= TOLERANCE


def test_zero_embedding_agrees() -> None:
    assert relative_error(small(), torch.zeros(1, 1, 512)) <= TOLERANCE


def test_identities_do_not_see_each_other() -> None:
    module = ours(small())
    together = references(3, 2)
    with torch.inference_mode():
        apart = torch.cat([module(one[None]) for one in together])
        # Another batch size is another matrix kernel, so rounding may differ.
        assert torch.allclose(module(together), apart, atol=1e-5)


def test_order_of_a_sequence_does_not_matter() -> None:
    module = ours(small())
    sequence = references(1, 4)
    with torch.inference_mode():
        assert torch.allclose(module(sequence), module(sequence.flip(1)), atol=1e-5)


def test_nobody_gives_no_tokens() -> None:
    with torch.inference_mode():
        assert tuple(ours(small())(torch.empty(0, 1, 512)).shape) == (0, 16, 96)


@pytest.mark.parametrize("dtype", [torch.float64, torch.bfloat16])
def test_runs_in_the_dtype_of_its_input(dtype: torch.dtype) -> None:
    with torch.inference_mode():
        tokens = ours(small()).to(dtype)(references(1, 1).to(dtype))
    assert tokens.dtype == dtype
