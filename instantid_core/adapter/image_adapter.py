"""The image adapter: embeddings to tokens, and their keys and values per cross-attention site.

Decoupled cross-attention (InstantID, section 3.2; IP-Adapter, section 3.2.2) adds
`weight * attention(q, W_k t, W_v t)` to the text's attention. The tokens t are constant while
sampling, so their keys and values are projected once and the projections are not needed again.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch
from torch import nn

from ..errors import IncompatibleModelError
from ..identity import NegativeIdentity, negative_references
from ..types import IdentityEmbedding, IdentityTokens, family_of
from .checkpoint import AdapterCheckpoint, AdapterConfig, site_keys
from .keys_values import KeysValues
from .sites import AttentionSite


class IdentityAdapter(nn.Module):
    """The adapter's weights. Runs in the dtype and on the device of its input."""

    def __init__(self, config: AdapterConfig, operations: Any, **factory: Any) -> None:
        super().__init__()
        self.config = config
        context_dim = config.projection.context_dim
        self.projection = config.projection.build(operations, **factory)
        self.to_k, self.to_v = (
            nn.ModuleList(
                operations.Linear(context_dim, width, bias=False, **factory)
                for width in config.site_widths
            )
            for _ in range(2)
        )

    @classmethod
    def from_checkpoint(cls, checkpoint: AdapterCheckpoint, operations: Any) -> IdentityAdapter:
        """Wrap a checkpoint's tensors, without copying them (a memory-mapped file stays mapped)."""
        adapter = cls(checkpoint.config, operations, device="meta")
        state = {f"projection.{key}": tensor for key, tensor in checkpoint.image_proj.items()}
        for position, (key, value) in enumerate(site_keys(len(checkpoint.config.site_widths))):
            state[f"to_k.{position}.weight"] = checkpoint.ip_adapter[key]
            state[f"to_v.{position}.weight"] = checkpoint.ip_adapter[value]
        adapter.load_state_dict(state, assign=True)
        return adapter.requires_grad_(False).eval()

    def forward(self, references: torch.Tensor) -> torch.Tensor:
        """[N, S, 512] face embeddings -> [N, T, C] tokens."""
        return self.projection(references)

    def keys_values(self, position: int, tokens: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        """tokens [2, N, T, C] -> keys and values [2, N, T, width] at the site of this position."""
        return self.to_k[position](tokens), self.to_v[position](tokens)


def project_tokens(
    adapter: IdentityAdapter,
    identity: IdentityEmbedding,
    negative: NegativeIdentity,
    device: torch.device,
) -> IdentityTokens:
    """Project an identity and its negative to tokens, in float32 on `device`."""
    references = identity.references
    sides = references, negative_references(references, negative)
    return IdentityTokens(
        *(adapter(side.to(device=device, dtype=torch.float32)).cpu() for side in sides)
    )


def project_keys_values(
    adapter: IdentityAdapter,
    tokens: IdentityTokens,
    device: torch.device,
    keep: tuple[torch.device, torch.dtype],
    each_site: Callable[[], None] = lambda: None,
) -> KeysValues:
    """Project tokens at every site: in float32 on `device`, the results put where `keep` says.

    Together they take 2 (keys, values) x 2 (polarities) x N x T x sum(site_widths) numbers:
    10.6 MB in fp16 for one identity in SDXL. each_site is called after every site, to report
    progress; what it raises (a cancel) ends the projection.
    """
    stacked = tokens.stacked().to(device)
    _, identities, count, _ = stacked.shape
    place, dtype = keep
    like = stacked.new_empty((), dtype=dtype)
    buffer = KeysValues.empty(identities, count, adapter.config.site_widths, like)
    for position in range(len(buffer)):
        buffer.fill(position, *adapter.keys_values(position, stacked))
        each_site()
    return buffer.to(place)


FAMILIES = {768: "SD 1.5", 1024: "SD 2", 1280: "SDXL refiner", 2048: "SDXL-like"}
"""Kinds of UNet by the width of their text context."""
PICTURED = ", with a picture in the place of the text"
WITHOUT_TEXT = ("Stable_Zero123",)
"""Families of a fitting shape whose context is a picture."""


def require_matching_sites(
    config: AdapterConfig, sites: tuple[AttentionSite, ...], model_name: str = ""
) -> None:
    """Check that an adapter was trained for a UNet of this shape.

    model_name: what the host calls the connected model's kind, such as `Flux`. Raises
    IncompatibleModelError that says what the adapter needs and what the model is.
    """
    found = tuple(site.width for site in sites)
    context = {site.context_dim for site in sites}
    fits = found == config.site_widths and context == {config.projection.context_dim}
    if fits and model_name not in WITHOUT_TEXT:
        return
    raise IncompatibleModelError(
        f"This adapter was trained for a UNet with {len(config.site_widths)} cross-attention sites "
        f"and a context of width {config.projection.context_dim}; the connected model"
        f"{_named(model_name)} has {_describe(sites)}{PICTURED if fits else ''}. "
        f"{_advice(config.projection.context_dim)}"
        + ("" if fits else " If the model is the right one, the adapter file is incomplete.")
    )


def _advice(context_width: int) -> str:
    family = family_of(context_width)
    needed = f"an {family.name} checkpoint" if family else "the model that it was made for"
    published = "" if family else "; the published InstantID adapter needs an SDXL checkpoint"
    return f"Connect {needed}{published}."


def _named(model_name: str) -> str:
    return f", {model_name}," if model_name else ""


def _describe(sites: tuple[AttentionSite, ...]) -> str:
    if not sites:
        return "none that fit (it is not a UNet with text cross-attention)"
    contexts = sorted({site.context_dim for site in sites})
    family = f" ({FAMILIES[contexts[0]]})" if contexts[0] in FAMILIES else ""
    return f"{len(sites)} sites and a context of width {', '.join(map(str, contexts))}{family}"
