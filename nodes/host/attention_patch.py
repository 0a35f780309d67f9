"""Put identity attention into a model's cross-attention sites."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import TYPE_CHECKING, Any

import torch
from comfy.extra_samplers import uni_pc
from comfy.k_diffusion import sampling
from comfy.ldm.modules import attention as host_attention
from comfy.patcher_extension import CallbacksMP, WrappersMP
from comfy.samplers import KSAMPLER

from ...instantid_core.adapter import (
    AttentionSite,
    Latent,
    Run,
    SamplingRows,
    SiteIdentity,
    read_rows,
    select_frames,
)
from ...instantid_core.errors import IncompatibleModelError
from .compiled import leave_uncompiled
from .row_conds import PLACE, ROWS, RUN, TAG, CoordinateCond, RowCond, polarity_of

if TYPE_CHECKING:
    from comfy.model_patcher import ModelPatcher

KEY = "instantid"
"""Names this pack's wrappers and callbacks on a model."""
IN_ORDER = (sampling.sample_euler, uni_pc.sample_unipc, uni_pc.sample_unipc_bh2)
"""Samplers (ddim is euler) that evaluate each sigma of a run's list once, report its index after
it, and never compare a level with a number in Python. The others of ComfyUI's do, in each step, or
go between the levels of the list."""
Patch = Callable[[torch.Tensor, torch.Tensor, torch.Tensor, dict[str, Any]], torch.Tensor]


class IdentityAttention:
    """Replacement for one site's text attention: what was there before, plus an identity.

    Objects of this class are never changed once a model holds them. Other packs do call `add` on
    what they find at a site, so every clone of a model gets objects of its own (`_copy_patches`).
    """

    def __init__(
        self,
        previous: Patch | None,
        identity: SiteIdentity,
        added: tuple[tuple[Callable[..., torch.Tensor], dict[str, Any]], ...] = (),
    ) -> None:
        self.previous = previous
        self.identity = identity
        self.added = added

    def __call__(
        self, q: torch.Tensor, k: torch.Tensor, v: torch.Tensor, extra_options: dict[str, Any]
    ) -> torch.Tensor:
        attend = partial(_attend, extra_options)
        out = self.previous(q, k, v, extra_options) if self.previous else attend(q, k, v)
        rows: SamplingRows | None = extra_options.get(ROWS)
        if rows is not None:
            out = self.identity.add_to(out, q, rows, _grid(extra_options, q), attend)
        for callback, settings in self.added:
            if _foreign_window(settings, rows, extra_options):
                out = out + callback(out, q, k, v, extra_options, **settings)
        return out.to(q.dtype)

    def add(self, callback: Callable[..., torch.Tensor], **settings: Any) -> None:
        """Add another attention at this site; called by other identity packs.

        callback(out, q, k, v, extra_options, **settings) returns what to add to `out`; settings
        hold `sigma_start` and `sigma_end`.
        """
        self.added = (*self.added, (callback, settings))

    def set_new_condition(self, *_: Any, **__: Any) -> None:
        """Refuse; called by packs of early 2024 in place of `add`, without saying what to do."""
        raise IncompatibleModelError(
            "An older release of another pack patches this model after InstantID: expected a patch "
            "that is added by `add`, found `set_new_condition`. Update that pack, or apply it "
            "before InstantID."
        )

    def to(self, target: Any) -> IdentityAttention:
        """Called by the host with a device, then with a dtype; only the device matters here.

        Returns a new object, as several threads may ask for several devices at once.
        """
        is_place = isinstance(target, torch.device)
        identity = self.identity.to(target) if is_place else self.identity
        move = getattr(self.previous, "to", None)
        previous = move(target) if move else self.previous
        added = tuple((callback, _moved(settings, target)) for callback, settings in self.added)
        stay = all(old is new for (_, old), (_, new) in zip(self.added, added, strict=True))
        if identity is self.identity and previous is self.previous and stay:
            return self
        return IdentityAttention(previous, identity, added)

    def models(self) -> list[ModelPatcher]:
        """Models that the previous patch needs loaded; this one needs none."""
        ask = getattr(self.previous, "models", None)
        return ask() if ask else []

    def cleanup(self) -> None:
        """Called by the host after sampling; for the previous patch alone."""
        clean = getattr(self.previous, "cleanup", None)
        if clean:
            clean()

    def copied(self) -> IdentityAttention:
        """A separate object of the same effect, as is every patch before it."""
        previous = self.previous
        if isinstance(previous, IdentityAttention):
            previous = previous.copied()
        return IdentityAttention(previous, self.identity, self.added)


def _moved(settings: dict[str, Any], target: Any) -> dict[str, Any]:
    """Settings that another pack gave to `add`, on another device; dtypes stay its own."""
    if not isinstance(target, torch.device):
        return settings
    moved = {
        name: value.to(target) if isinstance(value, torch.Tensor) else value
        for name, value in settings.items()
    }
    return settings if all(moved[name] is settings[name] for name in settings) else moved


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
    _register_wrappers(patched)
    return patched


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
    place = CoordinateCond.of(latent)
    for name, entries in guider.conds.items():
        for entry in entries or ():
            known = entry.get("model_conds", {})
            tag = RowCond.placed(polarity_of(known, name), latent)
            entry["model_conds"] = {**known, TAG: tag, PLACE: place}
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
    options = dict(transformer_options or {})
    branches = options.get("cond_or_uncond", ())
    run = options.get(RUN) or Run(executor.class_obj.model_sampling.percent_to_sigma)
    rows = read_rows(conds.pop(TAG, None), x.shape[0], branches, conds.pop(PLACE, None))
    rows = select_frames(rows, (options.get("ad_params") or {}).get("sub_idxs"))
    options[ROWS] = SamplingRows(rows, run, options.get("sigmas", t))
    return executor(x, t, c_concat, c_crossattn, control, options, **conds)


def _attend(
    options: dict[str, Any], q: torch.Tensor, k: torch.Tensor, v: torch.Tensor
) -> torch.Tensor:
    return host_attention.optimized_attention(
        q,
        k,
        v,
        options["n_heads"],
        attn_precision=options["attn_precision"],
        transformer_options=options,
    )


def _grid(options: dict[str, Any], q: torch.Tensor) -> tuple[int, int]:
    """Height and width of the site's tokens."""
    shape = options.get("activations_shape")
    if shape is not None:
        return int(shape[-2]), int(shape[-1])
    height, width = options["original_shape"][-2:]
    shrink = round((height * width / q.shape[1]) ** 0.5)
    return -(-height // shrink), -(-width // shrink)


def _foreign_window(
    settings: dict[str, Any], rows: SamplingRows | None, options: dict[str, Any]
) -> bool:
    sigma = rows.noise_level if rows else float(options["sigmas"][0])
    return settings.get("sigma_end", 0.0) <= sigma <= settings.get("sigma_start", float("inf"))
