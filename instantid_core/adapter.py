"""The image adapter: resampler plus one key and one value projection per cross-attention site.

Decoupled cross-attention (InstantID, section 3.2; IP-Adapter, section 3.2.2) adds
`weight * attention(q, W_k t, W_v t)` to the text's attention. The tokens t are constant while
sampling, so their keys and values are projected once and the projections are not needed again.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple

import torch
from torch import nn

from .checkpoint import AdapterCheckpoint, AdapterConfig, site_keys
from .embedding import NegativeIdentity, negative_references
from .errors import IncompatibleModelError
from .resampler import Resampler
from .sites import AttentionSite
from .types import IdentityEmbedding, IdentityTokens


class SiteKeysValues(NamedTuple):
    """Keys and values of identity tokens at one site."""

    keys: torch.Tensor
    """[2, N, T, width], indexed first by `Polarity`."""
    values: torch.Tensor
    """[2, N, T, width]."""

    def to(self, *args: Any, **kwargs: Any) -> SiteKeysValues:
        """Like `torch.Tensor.to`; returns itself where nothing changes."""
        keys, values = self.keys.to(*args, **kwargs), self.values.to(*args, **kwargs)
        unchanged = keys is self.keys and values is self.values
        return self if unchanged else SiteKeysValues(keys, values)

    @property
    def nbytes(self) -> int:
        return self.keys.nbytes + self.values.nbytes


class IdentityAdapter(nn.Module):
    """The adapter's weights. Runs in the dtype and on the device of its input."""

    def __init__(self, config: AdapterConfig, operations: Any, **factory: Any) -> None:
        super().__init__()
        self.config = config
        context_dim = config.resampler.context_dim
        self.resampler = Resampler(config.resampler, operations, **factory)
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
        state = {f"resampler.{key}": tensor for key, tensor in checkpoint.image_proj.items()}
        for position, (key, value) in enumerate(site_keys(len(checkpoint.config.site_widths))):
            state[f"to_k.{position}.weight"] = checkpoint.ip_adapter[key]
            state[f"to_v.{position}.weight"] = checkpoint.ip_adapter[value]
        adapter.load_state_dict(state, assign=True)
        return adapter.requires_grad_(False).eval()

    def forward(self, references: torch.Tensor) -> torch.Tensor:
        """[N, S, 512] face embeddings -> [N, T, C] tokens."""
        return self.resampler(references)

    def keys_values(self, position: int, tokens: torch.Tensor) -> SiteKeysValues:
        """tokens [2, N, T, C] -> keys and values at the site with this position."""
        return SiteKeysValues(self.to_k[position](tokens), self.to_v[position](tokens))


def project_tokens(
    adapter: IdentityAdapter,
    identity: IdentityEmbedding,
    negative: NegativeIdentity,
    device: torch.device,
) -> IdentityTokens:
    """Run the resampler on an identity and on its negative, in float32 on `device`."""
    references = identity.references
    opposite = negative_references(references, negative)
    positive, against = (
        adapter(batch.to(device=device, dtype=torch.float32)).cpu()
        for batch in (references, opposite)
    )
    return IdentityTokens(positive, against)


def project_keys_values(
    adapter: IdentityAdapter,
    tokens: IdentityTokens,
    device: torch.device,
    keep: tuple[torch.device, torch.dtype],
    each_site: Callable[[], None] = lambda: None,
) -> tuple[SiteKeysValues, ...]:
    """Project tokens at every site: in float32 on `device`, each result put where `keep` says.

    Together they take 2 (keys, values) x 2 (polarities) x N x T x sum(site_widths) numbers:
    10.6 MB in fp16 for one identity in SDXL. each_site is called after every site, to report
    progress; what it raises (a cancel) ends the projection.
    """
    stacked = tokens.stacked().to(device)
    projected = []
    for position in range(len(adapter.config.site_widths)):
        projected.append(adapter.keys_values(position, stacked).to(*keep))
        each_site()
    return tuple(projected)


def require_matching_sites(config: AdapterConfig, sites: tuple[AttentionSite, ...]) -> None:
    """Check that an adapter was trained for a UNet of this shape.

    Raises IncompatibleModelError that says what the adapter needs and what the model is.
    """
    found = tuple(site.width for site in sites)
    context = {site.context_dim for site in sites}
    if found == config.site_widths and context == {config.resampler.context_dim}:
        return
    raise IncompatibleModelError(
        f"This adapter was trained for a UNet with {len(config.site_widths)} cross-attention sites "
        f"and a context of width {config.resampler.context_dim}; the connected model has "
        f"{_describe(sites)}. The published InstantID adapter needs an SDXL checkpoint; if "
        "the model is one, the adapter file is incomplete."
    )


def _describe(sites: tuple[AttentionSite, ...]) -> str:
    if not sites:
        return "none that fit (it is not a UNet with cross-attention, such as Flux or SD3)"
    families = {768: " (SD 1.5)", 1024: " (SD 2)", 1280: " (SDXL refiner)", 2048: " (SDXL-like)"}
    contexts = sorted({site.context_dim for site in sites})
    family = families.get(contexts[0], "")
    return f"{len(sites)} sites and a context of width {', '.join(map(str, contexts))}{family}"
