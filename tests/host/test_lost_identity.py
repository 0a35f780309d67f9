"""An identity that another pack would lose in silence acts all the same, or is reported once."""

from __future__ import annotations

from functools import partial
from typing import Any
from uuid import uuid4

import pytest
import torch
from comfy.ldm.modules import attention as host_attention
from comfy_execution.utils import CurrentNodeContext
from support.host_calls import own_warnings
from support.neighbours import attention, own_unet_runs

from tools.small_world import scenes
from tools.small_world.scenes import conditioning

GROUP = "Identity that another pack would lose"
STEPS, WITHIN = 2, 3
"""Steps of a run; of one with a window, whose second step lies in it."""
sample = partial(scenes.sample, size=(64, 64))
SETTINGS: dict[str, dict[str, Any]] = {
    "whole": {},
    "window and curve": {"start_at": 0.2, "end_at": 0.8, "curve": "fade out"},
    "mask": {"mask": torch.linspace(0, 1, 256).view(1, 16, 16)},
}


@pytest.fixture
def said(caplog: pytest.LogCaptureFixture) -> Any:
    """The warnings so far."""
    return lambda: own_warnings(caplog)


def both_orders(model: Any, theirs: Any, ours: Any) -> dict[str, Any]:
    return {"after it": ours(theirs(model)), "before it": theirs(ours(model))}


@pytest.mark.parametrize("how", SETTINGS)
@pytest.mark.parametrize("order", ["after it", "before it"])
@pytest.mark.combination(GROUP, "a pack that runs the UNet itself (DeepCache), ours {}")
def test_a_wrapper_that_runs_the_unet(
    model: Any, applied: Any, prompt: Any, said: Any, how: str, order: str
) -> None:
    steps = WITHIN if "window" in how else 1
    ours = lambda one: applied(one, **SETTINGS[how])  # noqa: E731
    patched = both_orders(model, own_unet_runs.on, ours)[order]
    alone = sample(model, *prompt, steps=steps)
    wanted = sample(ours(model), *prompt, steps=steps)
    assert not torch.equal(alone, wanted)
    assert torch.equal(sample(own_unet_runs.on(model), *prompt, steps=steps), alone)
    assert torch.equal(sample(patched, *prompt, steps=steps), wanted)
    assert said() == []


@pytest.mark.parametrize("kind", [own_unet_runs.LateUNetRun, own_unet_runs.ForgetfulUNetRun])
@pytest.mark.combination(GROUP, "the UNet run in a way that tells it nothing: {}")
def test_nothing_is_announced(
    model: Any, applied: Any, prompt: Any, said: Any, noted: Any, kind: Any
) -> None:
    ours = applied(model, **SETTINGS["window and curve"])
    wanted = sample(ours, *prompt, steps=WITHIN)
    with CurrentNodeContext(str(uuid4()), "1"):
        found = sample(own_unet_runs.on(ours, kind), *prompt, steps=WITHIN)
    assert torch.equal(found, wanted)
    (warning,) = said()
    assert "runs the model by itself" in warning
    noted(f"with the warning: {warning}")


TAKEN = {"all": [*attention.OUTER, *attention.MIDDLE], "PLADIS": attention.OUTER}


@pytest.mark.parametrize("which", TAKEN)
@pytest.mark.parametrize("chain", ["OF", "OOF", "OFO"])
@pytest.mark.combination(GROUP, "a pack that takes sites (F) after ours (O): {}")
def test_sites_that_were_taken(
    model: Any, applied: Any, prompt: Any, said: Any, noted: Any, which: str, chain: str
) -> None:
    """O is an identity of ours, F a pack that overwrites."""
    patched = model
    for letter in chain:
        patched = (
            applied(patched) if letter == "O" else attention.overwritten(patched, TAKEN[which])
        )
    sample(patched, *prompt, steps=STEPS)
    (warning,) = said()
    assert f"took {len(TAKEN[which])} of 70 places" in warning
    assert "Put it before InstantID's node" in warning
    assert "A node of sd-perturbed-attention took" in warning
    noted(f"with the warning: {warning}")


@pytest.mark.parametrize("way", ["before ours", "chained after ours", "outside the window"])
@pytest.mark.combination(GROUP, "a pack that takes sites, {}: no warning")
def test_sites_that_were_not_taken(
    model: Any, applied: Any, prompt: Any, said: Any, way: str
) -> None:
    if way == "before ours":
        patched = applied(attention.overwritten(model, TAKEN["all"]))
    elif way == "chained after ours":
        patched = attention.chained(applied(model))
    else:
        late = applied(model, start_at=0.99, end_at=0.995)
        patched = attention.overwritten(late, TAKEN["all"])
    sample(patched, *prompt, steps=STEPS)
    assert said() == []


@pytest.mark.combination(GROUP, "a context with more rows than the picture (ComfyUI-NAG)")
def test_more_context_than_rows(
    model: Any, applied: Any, prompt: Any, said: Any, noted: Any
) -> None:
    text = conditioning("blurry, ugly")[0][0]
    wanted = sample(applied(model), *prompt, steps=STEPS)
    for patched in both_orders(
        model, lambda one: attention.with_more_context(one, text), applied
    ).values():
        found = sample(patched, *prompt, steps=STEPS)
        assert (found - wanted).norm() == 0
    first, second = said()
    assert first == second, "once in each run"
    noted(f"with the warning: {first}")


@pytest.mark.combination(GROUP, "options without a precision (Reference net, ContextRef)")
def test_options_without_a_precision(model: Any, applied: Any, prompt: Any) -> None:
    ours = applied(model)
    theirs = attention.with_own_blocks(ours, attention.OUTER)
    assert torch.equal(sample(theirs, *prompt, steps=1), sample(ours, *prompt, steps=1))


@pytest.mark.parametrize("way", ["as an override", "as the host's own choice"])
@pytest.mark.combination(GROUP, "attention that takes long texts alone (Sage), {}")
def test_attention_for_long_texts(
    model: Any, applied: Any, prompt: Any, way: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Texts have 77 tokens and go through it; an identity's 16 do not."""
    wanted = sample(applied(model), *prompt, steps=1)
    patched, asked = applied(model), []

    def noted(*args: Any, **kwargs: Any) -> torch.Tensor:
        asked.append(args)
        return attention.only_long_texts(*args, **kwargs)

    if way == "as an override":
        patched.model_options["transformer_options"]["optimized_attention_override"] = noted
    else:
        plain = host_attention.optimized_attention
        monkeypatch.setattr(host_attention, "optimized_attention", partial(noted, plain))
        monkeypatch.setattr(host_attention, "attention_pytorch", plain)
    assert torch.equal(sample(patched, *prompt, steps=1), wanted)
    assert len(asked) >= 70
