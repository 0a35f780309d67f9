"""Beside packs that patch the same attention sites, in any order.

The objects are those that the packs publish as their contract
(`support/older_neighbours_node/foreign_attention.py`).
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
import torch
from support.devices import at_rest
from support.older_neighbours_node.foreign_attention import (
    SITES,
    Attn2Replace,
    CrossAttentionPatch,
    MultiGPUAttn2Replace,
    apply_at,
    image_prompt,
    orthogonal_prompt,
)

from tools.bench.snapshots import same, snapshot
from tools.small_world.scenes import sample

EVERYTHING = {"start_at": 0.0, "end_at": 1.0}
RERUNS, SAMPLED = 10, (0, 1, 9)
"""A chain's last node runs ten times; the first, second and last result are sampled. What one run
leaves on the objects of another pack adds up."""
SIZE = (64, 64)
GROUP = "Other packs at the same attention sites"
PACKS: dict[str, tuple[type[Attn2Replace], Callable[..., torch.Tensor]]] = {
    "IPAdapter_plus": (MultiGPUAttn2Replace, image_prompt),
    "PuLID": (Attn2Replace, orthogonal_prompt),
    "older InstantID pack": (Attn2Replace, image_prompt),
}
each_pack = pytest.mark.parametrize("pack_name", PACKS)


def foreign(model: Any, pack_name: str, weight: float) -> Any:
    """A clone of the model that such a pack has patched."""
    kind, callback = PACKS[pack_name]
    seed = list(PACKS).index(pack_name)
    tokens = torch.randn(1, 4, 64, generator=torch.Generator().manual_seed(seed))
    how = {"cond": tokens, "uncond": torch.zeros_like(tokens), "weight": weight}
    return apply_at(model.clone(), kind, callback, **how)


@pytest.fixture
def ours(pack: Any, adapter: Any, identity_of: Any) -> Any:
    identity = identity_of(2)

    def apply(model: Any, weight: float) -> Any:
        how = {"adapter": adapter, "identity": identity, **EVERYTHING}
        return pack.run("InstantIDApplyAdapter", model=model, weight=weight, **how)[0]

    return apply


CHAINS = {
    "before ours": "FO",
    "after ours": "OF",
    "between ours": "OFO",
    "around ours": "FOF",
    "before two of ours": "FOO",
}


QUICK_PACK, QUICK_CHAIN = "IPAdapter_plus", "around ours"
"""A quick run tries this pack in every chain, and every pack in this chain."""


def with_each_pack(name: str, quick_pack: str = QUICK_PACK) -> Any:
    """Parameter of a chain beside every pack."""
    return [
        pytest.param(
            pack,
            CHAINS[name],
            id=f"{name}-{pack}",
            marks=() if pack == quick_pack or name == QUICK_CHAIN else pytest.mark.thorough,
        )
        for pack in PACKS
    ]


def build(model: Any, chain: str, ours: Any, pack_name: str) -> Any:
    for position, letter in enumerate(chain):
        amount = 0.2 + 0.1 * position
        model = ours(model, amount) if letter == "O" else foreign(model, pack_name, amount)
    return model


def ten_times(upstream: Any, last: Callable[[Any], Any], prompt: Any) -> None:
    """The last node of a chain runs ten times: one picture, and an upstream that stays."""

    def picture(model: Any) -> torch.Tensor:
        return sample(model, *prompt, steps=1, size=SIZE)

    untouched, before = snapshot(upstream.model_options), picture(upstream)
    options = at_rest(upstream)
    assert same(untouched, options) or upstream.load_device != upstream.offload_device
    pictures = []
    for number in range(RERUNS):
        again = last(upstream)
        if number in SAMPLED:
            pictures.append(picture(again))
    assert all(torch.equal(pictures[0], each) for each in pictures[1:])
    assert same(options, snapshot(upstream.model_options))
    assert torch.equal(before, picture(upstream))
    assert not torch.equal(before, pictures[0])


@pytest.mark.parametrize(
    ("pack_name", "chain"),
    [one for name in CHAINS for one in with_each_pack(name, quick_pack="in one chain alone")],
)
@pytest.mark.combination(GROUP, "{}, re-run ten times")
def test_ten_reruns_give_the_same_picture(
    model: Any, ours: Any, prompt: Any, chain: str, pack_name: str
) -> None:
    upstream = build(model, chain[:-1], ours, pack_name)
    ten_times(upstream, lambda m: build(m, chain[-1:], ours, pack_name), prompt)


@pytest.mark.combination(GROUP, "three of ours, re-run ten times")
def test_three_of_ours(model: Any, ours: Any, prompt: Any) -> None:
    ten_times(ours(ours(model, 0.2), 0.3), lambda m: ours(m, 0.4), prompt)


@pytest.mark.combination(GROUP, "IPAdapter_plus, ours, PuLID, older InstantID pack, in one chain")
def test_all_of_them(model: Any, ours: Any, prompt: Any) -> None:
    upstream = foreign(ours(foreign(model, "IPAdapter_plus", 0.3), 0.6), "PuLID", 0.4)
    ten_times(upstream, lambda m: foreign(m, "older InstantID pack", 0.2), prompt)


@each_pack
@pytest.mark.parametrize("first", ["O", "F"], ids=["ours first", "ours last"])
@pytest.mark.combination(GROUP, "{}: both act in either order")
def test_both_act_in_either_order(
    model: Any, ours: Any, prompt: Any, first: str, pack_name: str
) -> None:
    """1e-4: the sums are taken in another order, and 70 layers carry the rounding on.

    PuLID's part depends on what the attention gives already, so there the order does matter; the
    two need only be close.
    """

    def both(chain: str) -> torch.Tensor:
        patched = model
        for letter in chain:
            patched = ours(patched, 0.8) if letter == "O" else foreign(patched, pack_name, 0.3)
        return sample(patched, *prompt, steps=1, size=SIZE)

    chain = first + ("F" if first == "O" else "O")
    together, swapped = both(chain), both(chain[::-1])
    allowed = 0.3 if pack_name == "PuLID" else 1e-4
    assert (together - swapped).norm() / together.norm() < allowed
    for alone in ("O", "F"):
        assert (together - both(alone)).norm() / together.norm() > 1e-3


@each_pack
@pytest.mark.parametrize("chain", CHAINS.values(), ids=CHAINS)
def test_the_middle_block_stays_ours(model: Any, ours: Any, chain: str, pack_name: str) -> None:
    """These packs write to a key that never fires; ours lies at the real one, and their patch is
    called at every site that they do reach."""
    patched = build(model, chain, ours, pack_name)
    sites = patched.model_options["transformer_options"]["patches_replace"]["attn2"]
    kinds = {type(sites["middle", 0, layer]).__name__ for layer in range(10)}
    assert kinds == {"IdentityAttention"}
    reached = [key for key in SITES if key[0] != "middle"]
    assert len(reached) == 60
    assert all(sites[key] is not None for key in reached)


@each_pack
@pytest.mark.parametrize("chain", ["OF", "OFO"])
def test_siblings_of_a_foreign_branch_are_untouched(
    model: Any, ours: Any, prompt: Any, chain: str, pack_name: str
) -> None:
    """The foreign pack calls `add` on what it finds; the branch beside it must not hear of it."""
    first = ours(model, 0.8)
    alone = sample(first, *prompt, steps=1, size=SIZE)
    build(first, chain[1:], ours, pack_name)
    assert torch.equal(alone, sample(first, *prompt, steps=1, size=SIZE))
    assert torch.equal(alone, sample(first.clone(), *prompt, steps=1, size=SIZE))


@pytest.mark.combination(GROUP, "a pack of early 2024 (`set_new_condition`) before ours")
def test_a_pack_of_early_2024_before_ours(model: Any, ours: Any, prompt: Any) -> None:
    tokens = torch.randn(1, 4, 64, generator=torch.Generator().manual_seed(9))
    how = {"cond": tokens, "uncond": tokens * 0, "weight": 0.4}
    upstream = apply_at(model.clone(), CrossAttentionPatch, image_prompt, **how)
    ten_times(upstream, lambda m: ours(m, 0.6), prompt)


@pytest.mark.combination(GROUP, "a pack of early 2024 (`set_new_condition`) after ours")
def test_a_pack_of_early_2024_after_ours(pack: Any, model: Any, ours: Any, refused: Any) -> None:
    errors = pack.module("instantid_core.errors")
    tokens = torch.zeros(1, 4, 64)
    how = {"cond": tokens, "uncond": tokens, "weight": 0.4}
    with pytest.raises(errors.IncompatibleModelError, match="found `set_new_condition`") as caught:
        apply_at(ours(model, 0.8).clone(), CrossAttentionPatch, image_prompt, **how)
    refused(caught.value)
