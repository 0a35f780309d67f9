"""Identity attention reaches every cross-attention site of the UNet, once per forward."""

from __future__ import annotations

from collections import Counter
from typing import Any

import pytest
import torch
from support.host_calls import text_attention

from tools.small_world.scenes import sample

SDXL_SITES = 70


@pytest.fixture
def patched(pack: Any, model: Any, adapter: Any, identity_of: Any) -> Any:
    return pack.run(
        "InstantIDApplyAdapter",
        model=model,
        adapter=adapter,
        identity=identity_of(3),
        weight=0.8,
        start_at=0.0,
        end_at=1.0,
    )[0]


def test_every_site_fires_once_per_forward(patched: Any, prompt: Any) -> None:
    sites = patched.model_options["transformer_options"]["patches_replace"]["attn2"]
    fired: Counter[tuple[Any, ...]] = Counter()
    changed: set[tuple[Any, ...]] = set()

    def counting(key: tuple[Any, ...], patch: Any) -> Any:
        def call(q: Any, k: Any, v: Any, options: dict[str, Any]) -> torch.Tensor:
            fired[key] += 1
            assert (options["block"][0], options["block"][1], options["block_index"]) == key
            out = patch(q, k, v, options)
            if not torch.equal(out, text_attention(q, k, v, options)):
                changed.add(key)
            return out

        return call

    for key, patch in list(sites.items()):
        sites[key] = counting(key, patch)
    sample(patched, *prompt, cfg=4.5, steps=1)  # both rows go through one forward
    assert len(sites) == SDXL_SITES
    assert fired == Counter(dict.fromkeys(sites, 1))
    assert changed == set(sites)


def test_stages_have_sdxl_counts(patched: Any) -> None:
    sites = patched.model_options["transformer_options"]["patches_replace"]["attn2"]
    assert Counter(key[0] for key in sites) == {"input": 24, "output": 36, "middle": 10}
    assert {key[1] for key in sites if key[0] == "middle"} == {0}


def test_no_site_is_missing_from_the_network(pack: Any, unet: Any) -> None:
    """Held against the network's own module names, not against the walk that lists sites."""
    names = [n for n, _ in unet.model.diffusion_model.named_modules() if n.endswith(".attn2")]
    sites = pack.module("instantid_core.adapter.sites").cross_attention_sites(
        unet.model.diffusion_model
    )
    assert len(names) == len(sites) == SDXL_SITES
