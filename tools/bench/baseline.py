"""Baseline: decoupled cross-attention as packs usually implement it.

The adapter's projections stay in memory. At every site and in every step the noise level is read,
the tokens of both polarities are projected, repeated and put in order, and a mask is resized. Only
for the benchmark, and limited to what plain CFG needs.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any, NamedTuple

import torch
from torch.nn.functional import interpolate, linear

from tools.small_world.scenes import Prompt

from .host import Scene


class Window(NamedTuple):
    """Noise levels between which the identity is applied."""

    start: float
    end: float


ReadSigma = Callable[[torch.Tensor], float]


def read_sigma(sigmas: torch.Tensor) -> float:
    """The noise level as a number. On a GPU this waits for all queued work."""
    return sigmas.cpu()[0].item()


@dataclass(frozen=True, eq=False)
class BaselineAttention:
    """Replacement for one site's text attention that projects keys and values when called."""

    to_k: torch.Tensor
    """[width, C]."""
    to_v: torch.Tensor
    tokens: tuple[torch.Tensor, torch.Tensor]
    """[1, T, C] each: positive, negative."""
    weight: float
    window: Window
    mask: torch.Tensor | None = None
    """[1, H, W]."""
    read_sigma: ReadSigma = field(default=read_sigma)

    def __call__(
        self, q: torch.Tensor, k: torch.Tensor, v: torch.Tensor, options: dict[str, Any]
    ) -> torch.Tensor:
        out = _attend(q, k, v, options)
        if not self.window.start >= self.read_sigma(options["sigmas"]) >= self.window.end:
            return out
        keys, values = (self._for_rows(w, q, options) for w in (self.to_k, self.to_v))
        identity = _attend(q, keys, values, options) * self.weight
        return out + (identity if self.mask is None else identity * self._resized(options))

    def _resized(self, options: dict[str, Any]) -> torch.Tensor:
        size = tuple(options["activations_shape"][-2:])
        resized = interpolate(self.mask[None], size=size, mode="nearest")  # pyright: ignore[reportOptionalSubscript]
        return resized.flatten(2).transpose(1, 2)

    def _for_rows(
        self, projection: torch.Tensor, q: torch.Tensor, options: dict[str, Any]
    ) -> torch.Tensor:
        branches = options["cond_or_uncond"]
        sides = [linear(tokens, projection) for tokens in self.tokens]
        repeats = q.shape[0] // len(branches)
        return torch.cat([sides[branch].repeat(repeats, 1, 1) for branch in branches])


def install_baseline(scene: Scene, weight: float) -> Any:
    """A clone of the scene's model with the baseline at every site."""
    core = scene.pack.module
    device, dtype = scene.model.load_device, scene.model.model.get_dtype_inference()
    negative = core("instantid_core.identity.embedding").NegativeIdentity()
    projected = scene.adapter.tokens(scene.identity, negative)
    tokens = projected.positive.to(device, dtype), projected.negative.to(device, dtype)
    weights = scene.adapter.patcher.model
    projections = [
        tuple(layer.weight.detach().to(device, dtype) for layer in pair)
        for pair in zip(weights.to_k, weights.to_v, strict=True)
    ]
    sites = core("instantid_core.adapter.sites").cross_attention_sites(
        scene.model.get_model_object("diffusion_model")
    )
    return with_baseline(scene.model, sites, projections, tokens, weight)


def with_baseline(
    model: Any,
    sites: Sequence[Any],
    projections: Sequence[tuple[torch.Tensor, ...]],
    tokens: tuple[torch.Tensor, torch.Tensor],
    weight: float,
    **more: Any,
) -> Any:
    """A clone of the model with the baseline at every site.

    projections: to_k and to_v per site. tokens: positive, negative. more: `mask`, `read_sigma`.
    """
    to_sigma = model.get_model_object("model_sampling").percent_to_sigma
    window = Window(to_sigma(0.0), to_sigma(1.0))
    patched = model.clone()
    for site, (to_k, to_v) in zip(sites, projections, strict=True):
        patch = BaselineAttention(to_k, to_v, tokens, weight, window, **more)
        patched.set_model_attn2_replace(patch, *site.key)
    return patched


def baseline_net(
    prompt: Prompt,
    control_net: Any,
    tokens: tuple[torch.Tensor, torch.Tensor],
    picture: torch.Tensor,
    strength: float,
) -> Prompt:
    """The prompt with the host's own ControlNet, which gets tokens instead of text.

    tokens: positive, negative. picture: [1, 3, H, W].
    """
    net = control_net.copy().set_cond_hint(picture, strength, (0.0, 1.0))
    more = {"control": net, "control_apply_to_uncond": False}
    return Prompt(
        *(
            [[text, {**settings, **more, "cross_attn_controlnet": own}] for text, settings in side]
            for side, own in zip(prompt, tokens, strict=True)
        )
    )


def _attend(
    q: torch.Tensor, k: torch.Tensor, v: torch.Tensor, options: dict[str, Any]
) -> torch.Tensor:
    from comfy.ldm.modules.attention import optimized_attention

    precision = options["attn_precision"]
    heads = options["n_heads"]
    return optimized_attention(
        q, k, v, heads, attn_precision=precision, transformer_options=options
    )
