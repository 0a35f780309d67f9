"""Apply an identity: the two operations that the nodes offer, each on copies of what came in."""

from __future__ import annotations

import logging
from dataclasses import dataclass
from typing import TYPE_CHECKING

import torch

from ...instantid_core.adapter import (
    CONSTANT,
    UNIFORM,
    Region,
    Span,
    cross_attention_sites,
    require_matching_sites,
    site_identities,
    site_weights,
)
from ...instantid_core.faces import CONTEXT_WIDTHS, SD15, about_landmarks, about_recogniser
from ...instantid_core.identity import NegativeIdentity
from ...instantid_core.types import Faces, IdentityEmbedding, IdentityTokens
from .attention_patch import install
from .conditioning import Conditioning, attach
from .identity_net import IdentityCondition, IdentityNet, require_identity_net
from .notices import warn
from .progress import Reporter, unreported

if TYPE_CHECKING:
    from comfy.model_patcher import ModelPatcher

    from .models import LoadedAdapter

log = logging.getLogger(__name__)


@dataclass(frozen=True, eq=False)
class Influence:
    """How much, when and where an identity acts. Profile and curve are for the adapter alone."""

    amount: float
    window: Span
    region: Region | None
    negative: NegativeIdentity
    profile: str = UNIFORM
    curve: str = CONSTANT


def apply_adapter(
    model: ModelPatcher,
    adapter: LoadedAdapter,
    identity: IdentityEmbedding,
    influence: Influence,
    report: Reporter = unreported,
) -> ModelPatcher:
    """A clone of the model whose cross-attention also attends to the identity.

    report: shows the projection, the one part of it that takes a while. The model itself comes
    back when the weight is 0 or the identity is nobody. Raises IncompatibleModelError for a base
    model that the adapter was not trained for.
    """
    if _changes_nothing(identity, influence, "The model"):
        return model
    sites = cross_attention_sites(model.get_model_object("diffusion_model"))
    require_matching_sites(adapter.config, sites, _name_of(model))
    warn(filter(None, [about_recogniser(identity, adapter.config.resampler.context_dim)]))
    tokens = adapter.tokens(identity, influence.negative)
    # As the UNet computes, also where its weights are stored in fp8.
    keys_values = adapter.keys_values(tokens, model.model.get_dtype_inference(), report)
    weights = site_weights(influence.profile, influence.amount, sites)
    identities = site_identities(
        keys_values, weights, influence.window, influence.region, influence.curve
    )
    return install(model, sites, identities)


def apply_identity_net(
    conditioning: tuple[Conditioning, Conditioning],
    control_net: object,
    adapter: LoadedAdapter,
    identity: IdentityEmbedding,
    influence: Influence,
    pose: Faces | torch.Tensor,
    fit: str,
) -> tuple[Conditioning, Conditioning]:
    """Copies of (positive, negative) with IdentityNet behind the ControlNets they have.

    Both come back as they are when the strength is 0 or the identity is nobody. Raises
    IncompatibleModelError for a ControlNet that is not IdentityNet.
    """
    if _changes_nothing(identity, influence, "The conditioning"):
        return conditioning
    warn(filter(None, [about_recogniser(identity, adapter.config.resampler.context_dim)]))
    tokens = adapter.tokens(identity, influence.negative)
    return apply_tokens(conditioning, control_net, tokens, influence, pose, fit)


def apply_tokens(
    conditioning: tuple[Conditioning, Conditioning],
    control_net: object,
    tokens: IdentityTokens,
    influence: Influence,
    pose: Faces | torch.Tensor,
    fit: str,
) -> tuple[Conditioning, Conditioning]:
    """The same for an identity that the adapter has turned into tokens already.

    The negative identity of `influence` has no say: it is in the tokens.
    """
    if not influence.amount:
        return conditioning
    if isinstance(pose, Faces) and not pose.count:
        log.warning("The conditioning passes through unchanged: the pose has no face.")
        return conditioning
    net = require_identity_net(control_net, tokens.positive.shape[-1])
    if isinstance(pose, Faces) and CONTEXT_WIDTHS.get(tokens.positive.shape[-1]) == SD15:
        warn(filter(None, [about_landmarks(pose)]))
    condition = IdentityCondition(
        tokens=tokens,
        strength=influence.amount,
        window=influence.window,
        pose=pose,
        fit=fit,
        region=influence.region,
    )
    return attach(*conditioning, IdentityNet.wrapping(net, condition))


def _name_of(model: ModelPatcher) -> str:
    """What the host calls the kind of the model."""
    return type(getattr(model.model, "model_config", model.model)).__name__


def _changes_nothing(identity: IdentityEmbedding, influence: Influence, what: str) -> bool:
    if identity.is_nobody:
        log.warning("%s passes through unchanged: no face was found for the identity.", what)
        return True
    return influence.amount == 0
