"""Replacement for the attention of one cross-attention site of a patched model."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import TYPE_CHECKING, Any

import torch
from comfy.ldm.modules import attention as host_attention

from ...instantid_core.adapter import SamplingRows, SiteIdentity
from ...instantid_core.errors import IncompatibleModelError
from .notices import warn_in
from .site_rows import rows_at, with_branches

if TYPE_CHECKING:
    from comfy.model_patcher import ModelPatcher

MORE_CONTEXT = (
    "Another pack gives cross-attention {found} rows of text for {rows} rows of the picture, as "
    "ComfyUI-NAG does for a guidance of its own. ComfyUI leaves InstantID's layers to InstantID, "
    "so that guidance has no effect there. Take its node out of the graph, or use the NAG node of "
    "sd-perturbed-attention."
)
ANY_SHAPE = (
    host_attention.attention_pytorch,
    host_attention.attention_split,
    host_attention.attention_sub_quad,
    host_attention.attention_basic,
    host_attention.attention_xformers,
)
"""Attention functions of the host that take any number of keys and any size of heads."""
Patch = Callable[[torch.Tensor, torch.Tensor, torch.Tensor, dict[str, Any]], torch.Tensor]


class IdentityAttention:
    """Replacement for one site's text attention: what was there before, plus an identity.

    Objects of this class are never changed once a model holds them. Other packs do call `add` on
    what they find at a site, so every clone of a model gets objects of its own (`copied`).
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
        rows = rows_at(q, extra_options)
        options = with_branches(extra_options, rows)
        return self._beside_text(q, *_own_context(q, k, v, rows), options, rows)[0]

    def _beside_text(
        self,
        q: torch.Tensor,
        k: torch.Tensor,
        v: torch.Tensor,
        options: dict[str, Any],
        rows: SamplingRows,
    ) -> tuple[torch.Tensor, torch.Tensor]:
        """The attention of text and identities so far, and the text's alone; both [B, L, C]."""
        if isinstance(self.previous, IdentityAttention):
            out, text = self.previous._beside_text(q, k, v, options, rows)
        else:
            out = text = (self.previous or attention)(q, k, v, options)
        self.identity.note(rows)
        attend = partial(plain_attention, options)
        out = self.identity.add_to(out, q, rows, _grid(options, q), attend, text)
        for callback, settings in self.added:
            if _foreign_window(settings, rows):
                out = out + callback(out, q, k, v, options, **settings)
        return out.to(q.dtype), text

    def add(self, callback: Callable[..., torch.Tensor], **settings: Any) -> None:
        """Add another attention at this site; called by other identity packs.

        callback(out, q, k, v, extra_options, **settings) returns what to add to `out`; settings
        hold `sigma_start` and `sigma_end`.
        """
        self.added = (*self.added, (callback, settings))

    def set_new_condition(self, *_: Any, **__: Any) -> None:
        """Refuse; called by packs of early 2024 in place of `add`, without saying what to do."""
        raise IncompatibleModelError(
            "Put the other pack's node before InstantID's: it patches the model after InstantID in "
            "a way of early 2024. Expected a patch that is added by `add`, found "
            "`set_new_condition`. A newer release of that pack, if there is one, may also do."
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


def _own_context(
    q: torch.Tensor, k: torch.Tensor, v: torch.Tensor, rows: SamplingRows
) -> tuple[torch.Tensor, torch.Tensor]:
    """Keys and values of the rows of queries.

    Rows behind them are guidance of a pack that exchanges the forward of these modules, which the
    host does not call where a site has a patch.
    """
    if len(k) <= len(q):
        return k, v
    warn_in(rows.run, (MORE_CONTEXT.format(found=len(k), rows=len(q)),))
    return k[: len(q)], v[: len(q)]


def _moved(settings: dict[str, Any], target: Any) -> dict[str, Any]:
    """Settings that another pack gave to `add`, on another device; dtypes stay its own."""
    if not isinstance(target, torch.device):
        return settings
    moved = {
        name: value.to(target) if isinstance(value, torch.Tensor) else value
        for name, value in settings.items()
    }
    return settings if all(moved[name] is settings[name] for name in settings) else moved


def attention(
    q: torch.Tensor, k: torch.Tensor, v: torch.Tensor, options: dict[str, Any]
) -> torch.Tensor:
    """The host's attention to the text [B, L, C], with all that is patched into it."""
    return host_attention.optimized_attention(
        q,
        k,
        v,
        options["n_heads"],
        attn_precision=options.get("attn_precision"),
        transformer_options=options,
    )


def plain_attention(
    options: dict[str, Any], q: torch.Tensor, k: torch.Tensor, v: torch.Tensor
) -> torch.Tensor:
    """Attention to an identity's few tokens [B, L, C], by the functions that take any shape.

    Sage and Flash attention, and what packs put in their place, are made for long texts and large
    heads: of 16 keys they make noise, or an error.
    """
    chosen = host_attention.optimized_attention
    attend = chosen if chosen in ANY_SHAPE else host_attention.attention_pytorch
    precision = options.get("attn_precision")
    return attend(q, k, v, options["n_heads"], attn_precision=precision)


def _grid(options: dict[str, Any], q: torch.Tensor) -> tuple[int, int]:
    """Height and width of the site's tokens."""
    shape = options.get("activations_shape")
    if shape is not None:
        return int(shape[-2]), int(shape[-1])
    height, width = options["original_shape"][-2:]
    shrink = round((height * width / q.shape[1]) ** 0.5)
    return -(-height // shrink), -(-width // shrink)


def _foreign_window(settings: dict[str, Any], rows: SamplingRows) -> bool:
    start = settings.get("sigma_start", float("inf"))
    return settings.get("sigma_end", 0.0) <= rows.noise_level <= start
