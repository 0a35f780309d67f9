"""What a node received stays as it was, and the same graph gives the same bits."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from support.devices import at_rest

from nodes import ConditioningZeroOut, ControlNetApplyAdvanced
from tools.bench.snapshots import bytes_of, reachable_tensors, same, snapshot
from tools.small_world.scenes import photo, sample

RERUNS, SAMPLED = 10, (0, 1, 9)
"""Nodes run ten times; the first, second and last result are sampled. What a run leaves adds up."""
EVERYTHING = {"start_at": 0.0, "end_at": 1.0}
SIZE = (64, 64)
"""Of pictures that many steps or runs make."""


@pytest.fixture
def adapted(pack: Any, adapter: Any, identity_of: Any) -> Any:
    def apply(model: Any, number: int = 0, **settings: Any) -> Any:
        inputs = {"weight": 0.8, **EVERYTHING, **settings}
        return pack.run(
            "InstantIDApplyAdapter",
            model=model,
            adapter=adapter,
            identity=identity_of(number),
            **inputs,
        )[0]

    return apply


@pytest.fixture
def with_net(pack: Any, adapter: Any, identity_of: Any, control_net: Any, faces_of: Any) -> Any:
    def apply(positive: Any, negative: Any, number: int = 0, **settings: Any) -> Any:
        inputs = {"strength": 0.8, **EVERYTHING, "faces": faces_of(photo(number)), **settings}
        return pack.run(
            "InstantIDApplyIdentityNet",
            positive=positive,
            negative=negative,
            control_net=control_net,
            adapter=adapter,
            identity=identity_of(number),
            **inputs,
        )

    return apply


def test_two_applies_and_ten_reruns_leave_upstream_alone(
    model: Any, adapted: Any, with_net: Any, prompt: Any, depth_net: Any
) -> None:
    hint = torch.rand(1, 64, 64, 3, generator=torch.Generator().manual_seed(1))
    upstream = ControlNetApplyAdvanced().apply_controlnet(*prompt, depth_net, hint, 0.5, 0.0, 1.0)
    first = adapted(model, 1)
    sample(first, *upstream, steps=1)  # the host notes on its ControlNet that it is loaded
    options = snapshot(model.model_options), at_rest(first)
    conds = snapshot(upstream)
    pictures = []
    for number in range(RERUNS):
        second = adapted(first, 2)
        sides = with_net(*with_net(*upstream, 1), 2)
        if number in SAMPLED:
            pictures.append(sample(second, *sides, steps=1, size=SIZE))
    assert same(options[0], snapshot(model.model_options))
    assert same(options[1], snapshot(first.model_options))
    assert same(conds, snapshot(upstream))
    assert all(torch.equal(pictures[0], picture) for picture in pictures[1:])


def test_siblings_do_not_see_each_other(model: Any, adapted: Any, prompt: Any) -> None:
    first = adapted(model, 1)
    alone = sample(first, *prompt)
    adapted(first, 2)
    adapted(first, 3)
    assert torch.equal(alone, sample(first, *prompt))


def test_order_of_identities_does_not_matter(model: Any, adapted: Any, prompt: Any) -> None:
    """Both only add; the sums differ by rounding, amplified over two steps of 70 layers."""
    one = sample(adapted(adapted(model, 1), 2), *prompt, steps=1)
    other = sample(adapted(adapted(model, 2), 1), *prompt, steps=1)
    single = sample(adapted(model, 1), *prompt, steps=1)
    assert (one - other).norm() / one.norm() < 1e-4
    assert (one - single).norm() / one.norm() > 1e-2


def test_a_callable_already_at_a_site_is_called(model: Any, adapted: Any, prompt: Any) -> None:
    calls = []

    def foreign(q: Any, k: Any, v: Any, options: Any) -> torch.Tensor:
        calls.append(options["block"])
        return torch.zeros_like(q)

    by_layer, by_block = model.clone(), model.clone()
    by_layer.set_model_attn2_replace(foreign, "output", 1, 4)
    by_block.set_model_attn2_replace(foreign, "input", 4)
    sample(adapted(by_layer), *prompt, steps=1)
    assert calls == [("output", 1)]
    calls.clear()
    sample(adapted(by_block), *prompt, steps=1)
    assert calls == [("input", 4)] * 2, "a patch for a whole block serves both its layers"


def test_add_on_a_clone_stays_on_that_clone(model: Any, adapted: Any, prompt: Any) -> None:
    """Other identity packs clone the model, then call `add` on the objects that they find."""
    ours = adapted(adapted(model, 1), 2)
    before = sample(ours, *prompt)
    theirs = ours.clone()
    windows = []

    def callback(out: Any, q: Any, k: Any, v: Any, options: Any, **settings: Any) -> torch.Tensor:
        windows.append(settings)
        return torch.ones_like(out)

    patch = theirs.model_options["transformer_options"]["patches_replace"]["attn2"]["middle", 0, 0]
    patch.add(callback, weight=0.5, sigma_start=1e9, sigma_end=0.0)
    after = sample(theirs, *prompt)
    assert windows == [{"weight": 0.5, "sigma_start": 1e9, "sigma_end": 0.0}] * 2
    assert not torch.equal(before, after)
    assert torch.equal(before, sample(ours, *prompt))
    patch.add(callback, sigma_start=1.0, sigma_end=0.5)
    sample(theirs, *prompt)
    assert len(windows) == 4, "outside its window the callback is not called"


def test_global_random_state_is_untouched(
    pack: Any, model: Any, adapted: Any, with_net: Any, prompt: Any, analyzer: Any, adapter: Any
) -> None:
    torch.manual_seed(123)
    before = torch.get_rng_state()
    for node_id, inputs in (
        ("InstantIDLoadAdapter", {"adapter_name": "instantid_small.safetensors"}),
        ("InstantIDLoadFaceAnalyzer", {"model_pack": "antelopev2", "provider": "cpu"}),
    ):
        pack.run(node_id, **inputs)
    noise = {"negative_identity": "noise", "noise_strength": 0.4, "noise_seed": 5}
    adapted(model, 1, **noise)
    with_net(*prompt, 1, **noise)
    assert torch.equal(before, torch.get_rng_state())


def test_noise_follows_its_seed(model: Any, adapted: Any, prompt: Any) -> None:
    def picture(**settings: Any) -> torch.Tensor:
        return sample(adapted(model, 1, **settings), *prompt, steps=1)

    noise = {"negative_identity": "noise", "noise_strength": 0.4}
    assert torch.equal(picture(noise_seed=5, **noise), picture(noise_seed=5, **noise))
    assert not torch.equal(picture(noise_seed=5, **noise), picture(noise_seed=6, **noise))
    assert torch.equal(picture(), picture(noise_seed=6))


def test_only_keys_and_values_stay_on_the_model(
    model: Any, adapted: Any, adapter: Any, small_sdxl: Any, prompt: Any
) -> None:
    patched = adapted(model, 1)
    sample(patched, *prompt, steps=1)
    base = {id(tensor) for tensor in reachable_tensors(model)}
    added = [t for t in reachable_tensors(patched) if id(t) not in base]
    storages = {t.untyped_storage().data_ptr() for t in adapter.patcher.model.state_dict().values()}
    assert not storages & {t.untyped_storage().data_ptr() for t in added}
    patches = patched.model_options["transformer_options"]["patches_replace"]["attn2"]
    held = bytes_of(reachable_tensors(list(patches.values())))
    widths = sum(small_sdxl.SmallConfig().site_widths)
    tokens = adapter.config.projection.tokens
    assert held == 2 * tokens * 2 * widths * torch.float32.itemsize
    assert bytes_of(added) <= held + 4096, "only the sampler's own scalars besides"


def test_weight_zero_changes_nothing(model: Any, adapted: Any, with_net: Any, prompt: Any) -> None:
    assert adapted(model, 1, weight=0.0) is model
    assert with_net(*prompt, 1, strength=0.0) == (prompt.positive, prompt.negative)


def test_outside_the_window_nothing_changes(
    model: Any, adapted: Any, with_net: Any, prompt: Any
) -> None:
    how = {"steps": 4, "size": SIZE}
    plain = sample(model, *prompt, **how)
    late = {"start_at": 0.99, "end_at": 0.995}  # between the last two steps
    assert torch.equal(plain, sample(adapted(model, 1, **late), *prompt, **how))
    assert torch.equal(plain, sample(model, *with_net(*prompt, 1, **late), **how))
    half = sample(adapted(model, 1, start_at=0.3), *prompt, **how)
    assert not torch.equal(plain, half)
    assert not torch.equal(sample(adapted(model, 1), *prompt, **how), half)


def test_the_first_run_computes_on_the_sampling_device(
    pack: Any, model: Any, adapted: Any, prompt: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The guider copies a model's patches before the host moves them; they must come along."""
    kind = pack.module("nodes.host.identity_attention").IdentityAttention
    fired = []

    def moved(self: Any, target: Any) -> Any:
        twin = self.copied()
        twin.moved = isinstance(target, torch.device) or getattr(self, "moved", False)
        return twin

    call = kind.__call__

    def noted(self: Any, *args: Any) -> torch.Tensor:
        fired.append(getattr(self, "moved", False))
        return call(self, *args)

    monkeypatch.setattr(kind, "to", moved)
    monkeypatch.setattr(kind, "__call__", noted)
    sample(adapted(model, 1), *prompt, steps=1)
    assert fired == [True] * 70


def test_a_wrapped_patch_is_still_cleaned_up(model: Any, adapted: Any, prompt: Any) -> None:
    class Foreign:
        cleaned = 0

        def __call__(self, q: Any, k: Any, v: Any, options: Any) -> torch.Tensor:
            return torch.zeros_like(q)

        def cleanup(self) -> None:
            Foreign.cleaned += 1

    by_itself = model.clone()
    by_itself.set_model_attn2_replace(Foreign(), "middle", 0, 0)
    sample(by_itself, *prompt, steps=1)
    alone, Foreign.cleaned = Foreign.cleaned, 0
    sample(adapted(by_itself, 1), *prompt, steps=1)
    assert Foreign.cleaned == alone


def test_a_negative_made_of_the_positive_is_still_negative(
    pack: Any, model: Any, with_net: Any, adapted: Any, prompt: Any
) -> None:
    """A zeroed positive prompt is a usual negative; the tag in it must not decide."""
    positive, _ = with_net(*prompt, 1)
    (zeroed,) = ConditioningZeroOut().zero_out(positive)
    sides = []

    def foreign(q: Any, k: Any, v: Any, options: Any) -> torch.Tensor:
        sides.append([int(row.polarity) for row in options["instantid_rows"].rows])
        return torch.zeros_like(q)

    watched = model.clone()
    watched.set_model_attn2_replace(foreign, "middle", 0, 0)
    sample(adapted(watched, 1), positive, zeroed, steps=1)
    assert [sorted(rows) for rows in sides] == [[0, 1]]
