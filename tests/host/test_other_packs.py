"""Beside packs that patch the same attention sites, in any order.

`ForeignPatch` and `foreign_apply` follow the contract that other identity packs publish: a callable
with `add(callback, **settings)`, put where nothing is, and added to where something is.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
import torch
from comfy.ldm.modules.attention import optimized_attention
from harness.scenes import sample
from harness.snapshots import same, snapshot

EVERYTHING = {"start_at": 0.0, "end_at": 1.0}
RERUNS = 10
# These packs miss the middle block: its real key has 0 where they write 1.
FOREIGN_SITES = [("input", 4, 0), ("input", 8, 9), ("output", 0, 0), ("middle", 1, 0)]


class ForeignPatch:
    """What such a pack puts at a site where it finds nothing."""

    def __init__(self, callback: Callable[..., torch.Tensor], **settings: Any) -> None:
        self.callbacks = [callback]
        self.settings = [settings]

    def add(self, callback: Callable[..., torch.Tensor], **settings: Any) -> None:
        self.callbacks.append(callback)
        self.settings.append(settings)

    def __call__(self, q: Any, k: Any, v: Any, extra_options: dict[str, Any]) -> torch.Tensor:
        out = optimized_attention(q, k, v, extra_options["n_heads"])
        sigma = extra_options["sigmas"].detach().cpu()[0].item()
        for callback, settings in zip(self.callbacks, self.settings, strict=True):
            if settings["sigma_end"] <= sigma <= settings["sigma_start"]:
                out = out + callback(out, q, k, v, extra_options, **settings)
        return out.to(dtype=q.dtype)


def foreign_attention(
    out: torch.Tensor, q: Any, k: Any, v: Any, extra_options: Any, *, amount: float, **_: Any
) -> torch.Tensor:
    """Something that depends on the queries, as an image prompt does."""
    return amount * torch.tanh(q)


def foreign_apply(model: Any, amount: float) -> Any:
    """The usual way such a pack patches a model: clone it, then set or add."""
    patched = model.clone()
    settings = {"amount": amount, "sigma_start": 1e9, "sigma_end": 0.0}
    for key in FOREIGN_SITES:
        options = patched.model_options["transformer_options"] = patched.model_options[
            "transformer_options"
        ].copy()
        replaced = options["patches_replace"] = options.get("patches_replace", {}).copy()
        sites = replaced["attn2"] = replaced.get("attn2", {}).copy()
        if key in sites:
            sites[key].add(foreign_attention, **settings)
        else:
            sites[key] = ForeignPatch(foreign_attention, **settings)
    return patched


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
    "three deep": "OOO",
    "ours last of three": "FOO",
}


def build(model: Any, chain: str, ours: Any) -> Any:
    for position, letter in enumerate(chain):
        amount = 0.2 + 0.1 * position
        model = ours(model, amount) if letter == "O" else foreign_apply(model, amount)
    return model


@pytest.mark.parametrize("chain", CHAINS.values(), ids=CHAINS)
def test_ten_reruns_give_the_same_picture(model: Any, ours: Any, prompt: Any, chain: str) -> None:
    upstream = build(model, chain[:-1], ours)
    before = snapshot(upstream.model_options), sample(upstream, *prompt, steps=1)
    pictures = [sample(build(upstream, chain[-1:], ours), *prompt, steps=1) for _ in range(RERUNS)]
    assert all(torch.equal(pictures[0], picture) for picture in pictures[1:])
    assert same(before[0], snapshot(upstream.model_options))
    assert torch.equal(before[1], sample(upstream, *prompt, steps=1))
    assert not torch.equal(before[1], pictures[0])


@pytest.mark.parametrize("chain", ["FO", "OF"])
def test_both_act_in_either_order(model: Any, ours: Any, prompt: Any, chain: str) -> None:
    """1e-4: the sums are taken in another order, and 70 layers carry the rounding on."""

    def both(first: str) -> torch.Tensor:
        amounts = {"O": 0.8, "F": 0.3}
        patched = model
        for letter in first:
            apply = ours if letter == "O" else foreign_apply
            patched = apply(patched, amounts[letter])
        return sample(patched, *prompt, steps=1)

    together, swapped = both(chain), both(chain[::-1])
    assert (together - swapped).norm() / together.norm() < 1e-4
    for alone in ("O", "F"):
        assert (together - both(alone)).norm() / together.norm() > 1e-3


@pytest.mark.parametrize("chain", CHAINS.values(), ids=CHAINS)
def test_the_middle_block_stays_ours(model: Any, ours: Any, chain: str) -> None:
    sites = build(model, chain, ours).model_options["transformer_options"]["patches_replace"]
    kinds = {type(sites["attn2"]["middle", 0, layer]).__name__ for layer in range(10)}
    assert kinds == {"IdentityAttention"}


@pytest.mark.parametrize("chain", ["OF", "OFO"])
def test_siblings_of_a_foreign_branch_are_untouched(
    model: Any, ours: Any, prompt: Any, chain: str
) -> None:
    """The foreign pack calls `add` on what it finds; the branch beside it must not hear of it."""
    first = ours(model, 0.8)
    alone = sample(first, *prompt, steps=1)
    build(first, chain[1:], ours)
    assert torch.equal(alone, sample(first, *prompt, steps=1))
    assert torch.equal(alone, sample(first.clone(), *prompt, steps=1))
