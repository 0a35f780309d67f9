"""`reuse`: IdentityNet is computed in every n-th step, and nobody gets another's residuals."""

from __future__ import annotations

import math
from typing import Any

import comfy.model_management
import comfy.sample
import pytest
import torch
from comfy.patcher_extension import WrappersMP
from comfy_extras.nodes_sag import SelfAttentionGuidance
from support.host_calls import own_warnings
from support.neighbours.keyframes import KeyframedNet
from support.neighbours.tiles import MultiDiffusion, SpotDiffusion, tiled
from support.network_calls import Calls
from support.tensors import are_equal

from nodes import ControlNetApplyAdvanced
from tools.small_world.scenes import photo, sample

WHOLE = {"start_at": 0.0, "end_at": 1.0}


@pytest.fixture
def pair(netted: Any, faces_of: Any) -> Any:
    """The prompt with IdentityNet on it."""
    return lambda reuse=2, **how: netted(faces_of(photo(1)), reuse=reuse, **how)


def net_of(pair: Any) -> Any:
    return pair[0][0][1]["control"]


def calls_in(model: Any, pair: Any, **how: Any) -> int:
    with Calls(net_of(pair).control_model) as calls:
        sample(model, *pair, **how)
    return len(calls.hints)


def with_sampler(model: Any, pair: Any, sampler: str, steps: int) -> torch.Tensor:
    latent = torch.zeros(1, 4, 16, 16)
    noise = comfy.sample.prepare_noise(latent, 7)
    return comfy.sample.sample(
        model, noise, steps, 4.5, sampler, "normal", pair[0], pair[1], latent, seed=7
    )


@pytest.mark.parametrize("with_adapter", [True, False], ids=["with adapter", "IdentityNet alone"])
@pytest.mark.parametrize("reuse", [1, 2, 3])
def test_it_is_computed_in_every_nth_step(
    model: Any, applied: Any, pair: Any, reuse: int, with_adapter: bool
) -> None:
    patched = applied(model) if with_adapter else model
    assert calls_in(patched, pair(reuse), steps=5) == math.ceil(5 / reuse)


@pytest.mark.parametrize("with_adapter", [True, False], ids=["with adapter", "IdentityNet alone"])
@pytest.mark.parametrize(("reuse", "levels"), [(1, None), (2, 4), (3, 3)])
@pytest.mark.parametrize("sampler", ["heun", "dpm_2"])
def test_a_step_is_a_noise_level(
    model: Any,
    applied: Any,
    pair: Any,
    sampler: str,
    reuse: int,
    levels: int | None,
    with_adapter: bool,
) -> None:
    """Of 7: of 7 steps of Heun's method, each end being the next one's start, and of 4 of DPM2,
    whose last has no level between. Without reuse each of the evaluations computes."""
    steps = {"heun": 7, "dpm_2": 4}[sampler]
    used = pair(reuse)
    with Calls(net_of(used).control_model) as calls:
        with_sampler(applied(model) if with_adapter else model, used, sampler, steps)
    assert len(calls.hints) == (levels or {"heun": 13, "dpm_2": 7}[sampler])


def test_one_is_as_before(model: Any, applied: Any, pair: Any, netted: Any, faces_of: Any) -> None:
    patched = applied(model)
    usual = sample(patched, *netted(faces_of(photo(1))), steps=3)
    assert torch.equal(sample(patched, *pair(1), steps=3), usual)
    reused = sample(patched, *pair(2), steps=3)
    assert not torch.equal(reused, usual)
    assert torch.allclose(reused, usual, atol=0.2 * float(usual.abs().max()))


def test_rows_of_split_calls_get_their_own(
    model: Any, applied: Any, pair: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Each side in a call of its own, as on a full GPU."""
    patched, used = applied(model), pair(2)
    together = sample(patched, *used, steps=4, batch=2)
    none = lambda _=None, torch_free_too=False: (0, 0) if torch_free_too else 0  # noqa: E731
    monkeypatch.setattr(comfy.model_management, "get_free_memory", none)
    with Calls(net_of(used).control_model) as calls:
        apart = sample(patched, *used, steps=4, batch=2)
    assert [len(hint) for hint in calls.hints] == [2] * 4, "two steps of two calls"
    # Attention of two rows and of four is not the same kernel: up to 1.4e-3 apart.
    torch.testing.assert_close(apart, together, rtol=1e-3, atol=4e-3)


def test_tiles_get_their_own(model: Any, applied: Any, pair: Any) -> None:
    """In two calls a step. A picture whose steps all compute is near it."""
    used = pair(2)
    assert calls_in(tiled(applied(model), used), used, steps=4) == 2 * 2
    whole, reused = (
        sample(tiled(applied(model), one), *one, steps=4) for one in (pair(1), pair(2))
    )
    assert torch.allclose(reused, whole, atol=0.2 * float(whole.abs().max()))


@pytest.mark.parametrize("with_adapter", [True, False], ids=["rolling", "IdentityNet alone"])
def test_tiles_that_nobody_can_place_are_computed(
    model: Any, applied: Any, pair: Any, caplog: Any, with_adapter: bool
) -> None:
    used, usual = pair(2), pair(1)
    method = SpotDiffusion if with_adapter else MultiDiffusion
    patched = applied(model) if with_adapter else model
    with Calls(net_of(used).control_model) as calls:
        out = sample(tiled(patched, used, method), *used, steps=2)
    assert len(calls.hints) == 2 * 2
    assert any("reuse saves nothing there" in each for each in own_warnings(caplog))
    assert torch.equal(out, sample(tiled(patched, usual, method), *usual, steps=2))


def test_the_second_latent_of_a_step_is_computed(model: Any, applied: Any, pair: Any) -> None:
    """SAG shows the model a spoilt one, in a call of its own layout."""
    out: Any = SelfAttentionGuidance.execute(applied(model), 0.5, 2.0)
    guided = getattr(out, "result", out)[0]
    assert calls_in(guided, pair(2), steps=4) == 2 * 2


def test_the_net_in_front_is_computed_in_every_step(
    model: Any, applied: Any, pair: Any, depth_net: Any, prompt: Any
) -> None:
    hint = torch.rand(1, 128, 128, 3, generator=torch.Generator().manual_seed(5))
    both = prompt.positive, prompt.negative
    sides = ControlNetApplyAdvanced().apply_controlnet(*both, depth_net, hint, 0.5, 0.0, 1.0)
    used = pair(2, positive=sides[0], negative=sides[1])
    seen: list[int] = []
    hook = depth_net.control_model.register_forward_hook(lambda *_: seen.append(1))
    own = net_of(used).control_model.register_forward_hook(lambda *_: seen.append(2))
    try:
        sample(applied(model), *used, steps=4)
    finally:
        hook.remove()
        own.remove()
    assert seen == [1, 2, 1, 1, 2, 1]


def test_the_first_step_of_a_window_computes(model: Any, applied: Any, pair: Any) -> None:
    """Of 8 steps the middle ones, whose number is not even."""
    usual, used = pair(1, start_at=0.2, end_at=0.7), pair(2, start_at=0.2, end_at=0.7)
    within = calls_in(applied(model), usual, steps=8)
    assert 2 < within < 8
    assert calls_in(applied(model), used, steps=8) == math.ceil(within / 2)


@pytest.mark.parametrize("with_adapter", [True, False], ids=["with adapter", "IdentityNet alone"])
def test_a_run_that_is_cut_off_leaves_nothing(
    model: Any, applied: Any, pair: Any, with_adapter: bool
) -> None:
    patched, used = applied(model) if with_adapter else model, pair(2)
    wanted = sample(patched, *used, steps=3, seed=8)

    def cancel(executor: Any, *args: Any) -> Any:
        executor(*args)
        raise comfy.model_management.InterruptProcessingException

    cancelled = patched.clone()
    cancelled.add_wrapper_with_key(WrappersMP.CALC_COND_BATCH, "cancelled", cancel)
    with pytest.raises(comfy.model_management.InterruptProcessingException):
        sample(cancelled, *used, steps=3, seed=7)
    assert torch.equal(sample(patched, *used, steps=3, seed=8), wanted)


def test_strength_and_mask_act_on_what_is_kept(
    model: Any, applied: Any, netted: Any, faces_of: Any
) -> None:
    """Two steps' residuals are the same bits, limited as the first step's are."""
    mask = torch.zeros(1, 128, 128)
    mask[:, :, :64] = 1
    whole, half = (netted(faces_of(photo(1)), reuse=2, **how) for how in ({}, {"mask": mask}))
    one, other = (steps_of(applied(model), each) for each in (whole, half))
    assert are_equal(*one)
    for full, part in zip(one[1], other[1], strict=True):
        cut = full.shape[-1] // 2
        assert torch.equal(part[..., :cut], full[..., :cut])
        assert not part[..., cut:].any()


def steps_of(model: Any, pair: Any) -> list[list[torch.Tensor]]:
    """The residuals of two steps, before the UNet takes them."""
    seen: list[list[torch.Tensor]] = []
    kind = type(net_of(pair))
    real = kind.get_control

    def noted(net: Any, *args: Any) -> Any:
        found = real(net, *args)
        seen.append([x.clone() for several in found.values() for x in several if x is not None])
        return found

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(kind, "get_control", noted)
        sample(model, *pair, steps=2)
    return seen


def test_the_whole_method_in_one_node_reuses(
    pack: Any, model: Any, adapter: Any, analyzer: Any, control_net: Any, prompt: Any
) -> None:
    made = pack.run(
        "InstantIDApply",
        **{"model": model, "adapter": adapter, "analyzer": analyzer, "control_net": control_net},
        **{"image": photo(1), "weight": 0.8, "strength": 0.8, "reuse": 3},
        **prompt._asdict(),
        **WHOLE,
    )
    assert calls_in(made[0], made[1:], steps=4) == 2


def test_a_net_of_another_type_says_that_it_does_not_reuse(
    pack: Any, control_net: Any, netted: Any, faces_of: Any, caplog: Any
) -> None:
    netted(faces_of(photo(1)), control_net=KeyframedNet.of(control_net, 1.0), reuse=2)
    assert any("without reuse" in each for each in own_warnings(caplog))
