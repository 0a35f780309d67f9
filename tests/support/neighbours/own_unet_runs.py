"""Packs that run the UNet themselves.

Stands for DeepCache in its two packs. Their fault: the `model_function_wrapper` never calls what it
is given, so nothing runs that others have put around `apply_model` or around the UNet's forward.
"""

from __future__ import annotations

from typing import Any

import torch
from comfy.patcher_extension import WrappersMP


class OwnUNetRun:
    """A wrapper of the model's function without any caching (`cache_interval` 1)."""

    def __init__(self, model: Any) -> None:
        self.model = model

    def __call__(self, _: Any, arguments: dict[str, Any]) -> torch.Tensor:
        x, sigma, given = arguments["input"], arguments["timestep"], arguments["c"]
        sampling = self.model.model_sampling
        out = self.model.diffusion_model._forward(
            sampling.calculate_input(sigma, x),
            sampling.timestep(sigma).float(),
            context=given["c_crossattn"],
            y=given["y"],
            control=given.get("control"),
            transformer_options=self.options(x, given["transformer_options"]),
        )
        return sampling.calculate_denoised(sigma, out.float(), x)

    def options(self, x: torch.Tensor, given: dict[str, Any]) -> dict[str, Any]:
        return given


class ForgetfulUNetRun(OwnUNetRun):
    """One that makes new options, with only the names that it knows."""

    KNOWN = ("patches", "patches_replace", "cond_or_uncond", "sigmas")

    def options(self, x: torch.Tensor, given: dict[str, Any]) -> dict[str, Any]:
        return {name: given[name] for name in self.KNOWN if name in given}


class LateUNetRun(OwnUNetRun):
    """One that is put into the options when the sampler starts, past all who look before."""


def on(model: Any, kind: type[OwnUNetRun] = OwnUNetRun) -> Any:
    patched, run = model.clone(), kind(model.model)
    if kind is not LateUNetRun:
        patched.set_model_unet_function_wrapper(run)
        return patched

    def late(executor: Any, wrapped: Any, sigmas: Any, given: dict[str, Any], *rest: Any) -> Any:
        own = {**given["model_options"], "model_function_wrapper": run}
        return executor(wrapped, sigmas, {**given, "model_options": own}, *rest)

    patched.add_wrapper_with_key(WrappersMP.SAMPLER_SAMPLE, "late", late)
    return patched
