"""The image adapter: its files, tokens, keys and values, and where and when they act."""

from .attention import SiteIdentity, site_identities
from .checkpoint import PARTS, AdapterConfig, read_checkpoint
from .group import MATCH, Matching, Placing, group_members
from .image_adapter import (
    IdentityAdapter,
    project_keys_values,
    project_tokens,
    require_matching_sites,
)
from .keys_values import KeysValues
from .masks import Region, RegionMask, Resampling
from .profiles import PROFILES, UNIFORM, site_weights
from .resampler import Resampler, ResamplerConfig
from .sd15_checkpoint import joined, part_of, partner
from .sites import AttentionSite, cross_attention_sites
from .window import CONSTANT, CURVES, Area, BatchRows, Latent, Row, SamplingRows, Span, span

__all__ = [
    "CONSTANT",
    "CURVES",
    "MATCH",
    "PARTS",
    "PROFILES",
    "UNIFORM",
    "AdapterConfig",
    "Area",
    "AttentionSite",
    "BatchRows",
    "IdentityAdapter",
    "KeysValues",
    "Latent",
    "Matching",
    "Placing",
    "Region",
    "RegionMask",
    "Resampler",
    "ResamplerConfig",
    "Resampling",
    "Row",
    "SamplingRows",
    "SiteIdentity",
    "Span",
    "cross_attention_sites",
    "group_members",
    "joined",
    "part_of",
    "partner",
    "project_keys_values",
    "project_tokens",
    "read_checkpoint",
    "require_matching_sites",
    "site_identities",
    "site_weights",
    "span",
]
