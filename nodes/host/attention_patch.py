"""Put identity attention into a model's cross-attention sites."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import torch
from comfy.extra_samplers import uni_pc
from comfy.k_diffusion import sampling
from comfy.patcher_extension import CallbacksMP, WrappersMP
from comfy.samplers import KSAMPLER

from ...instantid_core.adapter import AttentionSite, Latent, Run, SiteIdentity
from .compiled import leave_uncompiled
from .identity_attention import IdentityAttention
from .lost_sites import Installed, about_lost_sites
from .notices import warn_in
from .row_conds import APPLIED, PLACE, RUN, TAG, RowCond, polarity_of
from .site_rows import announced
from .tiles import place_for

if TYPE_CHECKING:
    from comfy.model_patcher import ModelPatcher

KEY = "instantid"
"""Names this pack's wrappers and callbacks on a model."""
IN_ORDER = (sampling.sample_euler, uni_pc.sample_unipc, uni_pc.sample_unipc_bh2)
"""Samplers (ddim is euler) that evaluate each sigma of a run's list once, report its index after
it, and never compare a level with a number in Python. The others of ComfyUI's do, in each step, or
go between the levels of the list."""
ModelFunctionWrapper = Callable[[Any, dict[str, Any]], torch.Tensor]
"""ComfyUI's `model_function_wrapper`: (apply_model, {input, timestep, c, ...}) -> prediction."""


def install(
    model: ModelPatcher, sites: tuple[AttentionSite, ...], identities: tuple[SiteIdentity, ...]
) -> ModelPatcher:
    """A clone of the model with one identity more at every site. The given model is not changed."""
    patched = model.clone()
    options = patched.model_options["transformer_options"]
    present = options.get("patches_replace", {}).get("attn2", {})
    for site, identity in zip(sites, identities, strict=True):
        # A patch for a whole block would be shadowed by one for a layer of it.
        previous = present.get(site.key) or present.get(site.key[:2])
        patched.set_model_attn2_replace(IdentityAttention(previous, identity), *site.key)
    _remember(patched, sites, identities)
    _register_wrappers(patched)
    return patched


def _remember(
    patched: ModelPatcher, sites: tuple[AttentionSite, ...], identities: tuple[SiteIdentity, ...]
) -> None:
    """Note on the clone what was put at which sites."""
    options = patched.model_options["transformer_options"]
    if (applied := identities[0].applied) is not None:
        installed = Installed(applied, tuple(site.key for site in sites))
        options[APPLIED] = (*options.get(APPLIED, ()), installed)


def _register_wrappers(model: ModelPatcher) -> None:
    """Register wrappers and the clone callback, once however many identities are chained."""
    for kind, wrapper in (
        (WrappersMP.OUTER_SAMPLE, _tag_conds),
        (WrappersMP.SAMPLER_SAMPLE, _follow_steps),
        (WrappersMP.APPLY_MODEL, _announce_rows),
    ):
        model.remove_wrappers_with_key(kind, KEY)
        model.add_wrapper_with_key(kind, KEY, wrapper)
    model.remove_callbacks_with_key(CallbacksMP.ON_CLONE, KEY)
    model.add_callback_with_key(CallbacksMP.ON_CLONE, KEY, _copy_patches)


def _copy_patches(_: ModelPatcher, clone: ModelPatcher) -> None:
    _replace_patches(clone.model_options["transformer_options"], IdentityAttention.copied)


def _replace_patches(
    options: dict[str, Any], change: Callable[[IdentityAttention], IdentityAttention]
) -> None:
    """Put `change(patch)` in place of each of this pack's patches; options are the caller's own."""
    sites = options.get("patches_replace", {}).get("attn2", {})
    for key, patch in sites.items():
        if isinstance(patch, IdentityAttention):
            sites[key] = change(patch)


def _tag_conds(executor: Any, noise: torch.Tensor, *args: Any, **kwargs: Any) -> torch.Tensor:
    """Give every cond of the guider a tag, so that all can still share a batch.

    The run's memory lies in the options from here until the run ends, however it ends.
    """
    guider = executor.class_obj
    leave_uncompiled(guider.model_options)
    latent = Latent(noise.shape[0], noise.shape[-2], noise.shape[-1])
    # The guider's options are its own copy for this run.
    options = guider.model_options["transformer_options"]
    options[RUN] = Run(guider.model_patcher.get_model_object("model_sampling").percent_to_sigma)
    # The guider copied the options before the host moved the model's patches to its device.
    _replace_patches(options, lambda patch: patch.to(guider.model_patcher.load_device))
    place = place_for(guider.model_options, latent)
    if wrapper := guider.model_options.get("model_function_wrapper"):
        guider.model_options["model_function_wrapper"] = _announced_to(wrapper)
    for name, entries in guider.conds.items():
        for entry in entries or ():
            known = entry.get("model_conds", {})
            tag = RowCond.placed(polarity_of(known, name), latent)
            entry["model_conds"] = {**known, TAG: tag, **place}
    try:
        return executor(noise, *args, **kwargs)
    finally:
        options.pop(RUN, None)


def _follow_steps(
    executor: Any,
    model_wrap: Any,
    sigmas: torch.Tensor,
    extra_args: dict[str, Any],
    callback: Callable[..., None] | None,
    *args: Any,
    **kwargs: Any,
) -> torch.Tensor:
    """Let noise levels be known without a look at each step's, where the sampler allows it.

    Steps are counted by the sampler's own callback: calls of the model are not one per step when
    a pack leaves some out or cuts them into windows.
    """
    run: Run | None = extra_args["model_options"].get("transformer_options", {}).get(RUN)
    if run is None or not _is_in_order(executor.class_obj):
        return executor(model_wrap, sigmas, extra_args, callback, *args, **kwargs)

    def after_step(step: int, *rest: Any) -> None:
        run.levels.step = step + 1
        if callback is not None:
            callback(step, *rest)

    run.levels.follow(sigmas)
    try:
        return executor(model_wrap, sigmas, extra_args, after_step, *args, **kwargs)
    finally:
        run.levels.follow(None)


def _is_in_order(sampler: Any) -> bool:
    """Whether a sampler evaluates exactly the sigmas of its list; churn adds to them."""
    if type(sampler) is not KSAMPLER or sampler.sampler_function not in IN_ORDER:
        return False  # a kind of its own may do anything with its function
    return not sampler.extra_options.get("s_churn", 0)


def _announce_rows(
    executor: Any,
    x: torch.Tensor,
    t: torch.Tensor,
    c_concat: Any = None,
    c_crossattn: Any = None,
    control: Any = None,
    transformer_options: dict[str, Any] | None = None,
    **conds: Any,
) -> torch.Tensor:
    """Take the tag out of the UNet's arguments and leave the rows in its options."""
    given = transformer_options or {}
    run = given.get(RUN) or Run(executor.class_obj.model_sampling.percent_to_sigma)
    options = announced(given, conds, x, t, run)
    own = {name: value for name, value in conds.items() if name not in (TAG, PLACE)}
    out = executor(x, t, c_concat, c_crossattn, control, options, **own)
    warn_in(run, about_lost_sites(options))
    return out


def _announced_to(wrapper: ModelFunctionWrapper) -> ModelFunctionWrapper:
    """A wrapper of the model's function that knows the rows as well.

    DeepCache and others run the UNet in it, and nothing of what stands around `apply_model`.
    """

    def announcing(apply_model: Any, arguments: dict[str, Any]) -> torch.Tensor:
        conds = arguments["c"]
        given = conds["transformer_options"]
        x, sigma = arguments["input"], arguments["timestep"]
        options = announced(given, conds, x, sigma, given[RUN])
        out = wrapper(apply_model, {**arguments, "c": {**conds, "transformer_options": options}})
        warn_in(given[RUN], about_lost_sites(options))
        return out

    return announcing
