"""The image adapter: its files, tokens, keys and values, and where and when they act."""

from .amounts import CUSTOM, LIKENESS, LIKENESS_CHOICES, Amounts, amounts_of
from .attention import SiteIdentity, site_identities
from .attention_lora import TRAINED, lora_targets
from .checkpoint import PARTS, AdapterConfig, read_checkpoint
from .group import MATCH, Matching, Placing, group_members
from .guidance import GuidanceScales, Predictions
from .hints import DrawnHint, GivenHint, Hint, hints_for_rows
from .image_adapter import (
    IdentityAdapter,
    project_keys_values,
    project_tokens,
    require_matching_sites,
)
from .insertion import ADD, INSERTION
from .keys_values import KeysValues
from .kinds import FROM_FILE, INSTANTID, RECOGNISERS, AdapterFile, Kind, kind_of
from .masks import Region, RegionMask, Resampling, about_black, about_lost_region
from .memory import Memory
from .profiles import PROFILES, UNIFORM, site_weights
from .projections import Projections
from .reach import Applied
from .resampler import Resampler, ResamplerConfig
from .residuals import Residuals, limit_residuals, sum_residuals
from .reuse import EVERY_STEP, MOST_STEPS, CallLayout, KeptResiduals
from .rows import Area, BatchRows, Latent, Row, SamplingRows, read_rows, select_frames
from .run import Run
from .sd15_checkpoint import is_half, joined, part_of, partner
from .settings import AdapterSettings, NetSettings
from .sites import AttentionSite, cross_attention_sites, transformer_layers
from .window import CONSTANT, CURVES, Span, span

__all__ = [
    "ADD",
    "CONSTANT",
    "CURVES",
    "CUSTOM",
    "EVERY_STEP",
    "FROM_FILE",
    "INSERTION",
    "INSTANTID",
    "LIKENESS",
    "LIKENESS_CHOICES",
    "MATCH",
    "MOST_STEPS",
    "PARTS",
    "PROFILES",
    "RECOGNISERS",
    "TRAINED",
    "UNIFORM",
    "AdapterConfig",
    "AdapterFile",
    "AdapterSettings",
    "Amounts",
    "Applied",
    "Area",
    "AttentionSite",
    "BatchRows",
    "CallLayout",
    "DrawnHint",
    "GivenHint",
    "GuidanceScales",
    "Hint",
    "IdentityAdapter",
    "KeptResiduals",
    "KeysValues",
    "Kind",
    "Latent",
    "Matching",
    "Memory",
    "NetSettings",
    "Placing",
    "Predictions",
    "Projections",
    "Region",
    "RegionMask",
    "Resampler",
    "ResamplerConfig",
    "Resampling",
    "Residuals",
    "Row",
    "Run",
    "SamplingRows",
    "SiteIdentity",
    "Span",
    "about_black",
    "about_lost_region",
    "amounts_of",
    "cross_attention_sites",
    "group_members",
    "hints_for_rows",
    "is_half",
    "joined",
    "kind_of",
    "limit_residuals",
    "lora_targets",
    "part_of",
    "partner",
    "project_keys_values",
    "project_tokens",
    "read_checkpoint",
    "read_rows",
    "require_matching_sites",
    "select_frames",
    "site_identities",
    "site_weights",
    "span",
    "sum_residuals",
    "transformer_layers",
]
