"""InstantID Guider in the host's own sampling: rows, scales, and what plain guidance would give."""

from __future__ import annotations

from typing import Any

import comfy.sample
import pytest
import torch
from comfy.patcher_extension import WrappersMP
from comfy.samplers import CFGGuider, calculate_sigmas, sampler_object
from diffusers.pipelines.stable_diffusion_xl import pipeline_stable_diffusion_xl as sdxl_pipeline

from tools.small_world.scenes import photo

GROUP = "Guidance"
SIDE = 8
"""Of the latent."""


def sampled(guider: CFGGuider, steps: int = 2) -> torch.Tensor:
    """What SamplerCustomAdvanced makes with a guider."""
    latent = torch.zeros(1, 4, SIDE, SIDE)
    sampling = guider.model_patcher.get_model_object("model_sampling")
    sigmas = calculate_sigmas(sampling, "normal", steps)
    noise = comfy.sample.prepare_noise(latent, 7)
    return guider.sample(noise, latent, sampler_object("euler"), sigmas, seed=7)


def plain(model: Any, positive: Any, negative: Any, cfg: float) -> torch.Tensor:
    guider = CFGGuider(model)
    guider.set_conds(positive, negative)
    guider.set_cfg(cfg)
    return sampled(guider)


@pytest.fixture
def decoupled(pack: Any) -> Any:
    def make(
        model: Any, positive: Any, negative: Any, text: float, identity: float, **how: Any
    ) -> Any:
        given = {"model": model, "positive": positive, "negative": negative}
        scales = {"text": text, "identity": identity, "rescale": 0.0, **how}
        return pack.run("InstantIDGuider", **given, **scales)[0]

    return make


class Rows:
    """Numbers of rows of the calls of a model."""

    def __init__(self, model: Any) -> None:
        self.model = model.clone()
        self.seen: list[int] = []
        self.model.add_wrapper_with_key(WrappersMP.APPLY_MODEL, "rows", self._note)

    def _note(self, executor: Any, x: torch.Tensor, *args: Any, **kwargs: Any) -> torch.Tensor:
        self.seen.append(len(x))
        return executor(x, *args, **kwargs)


def closeness(one: torch.Tensor, other: torch.Tensor) -> float:
    return float((one - other).norm() / other.norm())


@pytest.fixture
def both(applied: Any, netted: Any, faces_of: Any, model: Any) -> Any:
    """A model and prompts with somebody on them, by adapter and IdentityNet."""
    return applied(model), *netted(faces_of(photo(1)))


@pytest.mark.parametrize("cfg", [1.0, 4.5])
@pytest.mark.combination(GROUP, "InstantID Guider with equal scales: as CFG Guider, {}")
def test_equal_scales_are_plain_guidance(decoupled: Any, both: Any, cfg: float) -> None:
    assert torch.equal(sampled(decoupled(*both, cfg, cfg)), plain(*both, cfg))


@pytest.mark.parametrize(
    ("text", "identity", "rows"),
    [(1.0, 1.0, 1), (4.5, 4.5, 2), (4.5, 1.0, 3), (1.0, 3.0, 2), (4.5, 0.0, 2), (0.0, 4.5, 3)],
)
def test_rows_that_weigh_nothing_are_not_run(
    decoupled: Any, both: Any, text: float, identity: float, rows: int
) -> None:
    noted = Rows(both[0])
    sampled(decoupled(noted.model, *both[1:], text, identity))
    assert set(noted.seen) == {rows}


@pytest.mark.combination(GROUP, "InstantID Guider, identity at scale 0: the picture without it")
def test_scale_zero_is_the_text_with_the_negative_identity(
    pack: Any, decoupled: Any, model: Any, adapter: Any, identity_of: Any, applied: Any, prompt: Any
) -> None:
    """Nobody's face on both sides: an identity whose positive tokens are the negative ones."""
    found = sampled(decoupled(applied(model), *prompt, 4.5, 0.0))
    guided = applied(model)
    swapped = Rows(guided)  # a clone, whose rows all stand on the negative side
    swapped.model.add_wrapper_with_key(WrappersMP.OUTER_SAMPLE, "negative", as_negative(pack))
    assert closeness(found, plain(swapped.model, *prompt, 4.5)) < 1e-6
    assert closeness(found, plain(guided, *prompt, 4.5)) > 0.01


def as_negative(pack: Any) -> Any:
    row_conds = pack.module("nodes.host.row_conds")

    def wrapper(executor: Any, *args: Any, **kwargs: Any) -> Any:
        for entries in executor.class_obj.conds.values():
            for entry in entries:
                tag = row_conds.RowCond.unplaced(row_conds.Polarity.NEGATIVE)
                entry["model_conds"] = {**entry["model_conds"], row_conds.TAG: tag}
        return executor(*args, **kwargs)

    return wrapper


@pytest.mark.parametrize("text", [0.0, 1.0, 4.5])
def test_guided_in_one_step_is_the_weighed_sum(
    decoupled: Any, both: Any, model: Any, text: float
) -> None:
    """In one step the result is linear in each scale."""
    results = [sampled(decoupled(*both, text, scale), steps=1) for scale in (2.0, 3.0, 4.0)]
    middle = (results[0] + results[2]) / 2
    assert closeness(middle, results[1]) < 1e-5
    assert closeness(results[0], results[2]) > 1e-3


@pytest.mark.combination(GROUP, "InstantID Guider after Apply Group, with masks")
def test_it_works_with_several_people(
    decoupled: Any, applied: Any, model: Any, prompt: Any
) -> None:
    left = torch.zeros(1, SIDE, SIDE)
    left[..., : SIDE // 2] = 1
    two = applied(applied(model, mask=left), mask=1 - left, weight=0.5)
    assert torch.equal(sampled(decoupled(two, *prompt, 4.5, 4.5)), plain(two, *prompt, 4.5))
    assert closeness(sampled(decoupled(two, *prompt, 4.5, 8.0)), plain(two, *prompt, 4.5)) > 1e-3


@pytest.mark.combination(GROUP, "InstantID Guider with IdentityNet alone")
def test_it_works_with_identity_net_alone(
    decoupled: Any, netted: Any, faces_of: Any, model: Any
) -> None:
    pair = netted(faces_of(photo(1)))
    assert torch.equal(sampled(decoupled(model, *pair, 4.5, 4.5)), plain(model, *pair, 4.5))
    assert closeness(sampled(decoupled(model, *pair, 4.5, 9.0)), plain(model, *pair, 4.5)) > 1e-3


@pytest.mark.combination(GROUP, "InstantID Guider without any identity")
def test_nobody_is_refused(decoupled: Any, model: Any, prompt: Any, refused: Any) -> None:
    with pytest.raises(Exception, match="model or a positive prompt with an identity") as error:
        decoupled(model, *prompt, 4.5, 4.5)
    refused(error.value)


def test_rescaled_is_as_in_diffusers(pack: Any) -> None:
    x, like, result = torch.randn(3, 2, 4, 8, 8, generator=torch.Generator().manual_seed(1))
    scales = pack.module("instantid_core.adapter").GuidanceScales
    found = scales(4.5, 3.0, rescale=0.7).rescaled(result, like, x)
    theirs = x - sdxl_pipeline.rescale_noise_cfg(x - result, x - like, guidance_rescale=0.7)
    assert torch.allclose(found, theirs, atol=1e-5)
    assert scales(4.5, 3.0).rescaled(result, like, x) is result


def test_what_came_in_is_left_alone(decoupled: Any, both: Any) -> None:
    before = [dict(entry[1]) for entry in both[1]]
    sampled(decoupled(*both, 4.5, 2.0, rescale=0.7))
    assert [dict(entry[1]) for entry in both[1]] == before
