"""Apply an identity: the two operations that the nodes offer, each on copies of what came in."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING

from ...instantid_core.adapter import (
    AdapterSettings,
    Hint,
    NetSettings,
    cross_attention_sites,
    require_matching_sites,
    site_identities,
    site_weights,
)
from ...instantid_core.errors import IncompatibleModelError
from ...instantid_core.types import IdentityTokens
from .adapter_lora import with_lora
from .attention_patch import install
from .conditioning import Conditioning, attach
from .identity_net import IdentityCondition, with_identity
from .identity_net_check import require_identity_net
from .notices import warn
from .progress import Reporter, unreported

if TYPE_CHECKING:
    from comfy.model_patcher import ModelPatcher

    from .models import LoadedAdapter

log = logging.getLogger(__name__)


def apply_adapter(
    model: ModelPatcher,
    adapter: LoadedAdapter,
    tokens: IdentityTokens,
    settings: AdapterSettings,
    report: Reporter = unreported,
) -> ModelPatcher:
    """A clone of the model whose cross-attention also attends to the identity.

    report: shows the projection, the one part of it that takes a while. The model itself comes
    back when the weight is 0 or the identity is nobody. Raises IncompatibleModelError for a base
    model that the adapter was not trained for.
    """
    if _changes_nothing(tokens, settings.weight, "The model"):
        return model
    sites = cross_attention_sites(model.get_model_object("diffusion_model"))
    require_matching_sites(adapter.config, sites, _name_of(model))
    if adapter.lora is not None:
        model = with_lora(model, adapter.lora)
    # As the UNet computes, also where its weights are stored in fp8.
    keys_values = adapter.keys_values(tokens, model.model.get_dtype_inference(), report)
    weights = site_weights(settings.profile, settings.weight, sites)
    identities = site_identities(
        keys_values,
        weights,
        settings.window,
        settings.region,
        settings.curve,
        settings.insertion,
    )
    return install(model, sites, identities)


def apply_identity_net(
    conditioning: tuple[Conditioning, Conditioning],
    control_net: object,
    tokens: IdentityTokens,
    settings: NetSettings,
    hint: Hint,
) -> tuple[Conditioning, Conditioning]:
    """Copies of (positive, negative) with IdentityNet behind the ControlNets they have.

    Both come back as they are when the strength is 0, the identity is nobody, or the hint has no
    face. Raises IncompatibleModelError for a ControlNet that is not IdentityNet, and for tokens of
    an adapter that it does not belong to.
    """
    if _changes_nothing(tokens, settings.strength, "The conditioning"):
        return conditioning
    if hint.is_empty:
        log.warning("The conditioning passes through unchanged: the pose has no face.")
        return conditioning
    _require_tokens_for_net(tokens)
    net = require_identity_net(control_net, tokens.context_width)
    warn(hint.advice())
    condition = IdentityCondition(tokens, settings, hint)
    return attach(*conditioning, with_identity(net, condition))


def _require_tokens_for_net(tokens: IdentityTokens) -> None:
    if tokens.foreign_to_net:
        raise IncompatibleModelError(
            f"The adapter is {tokens.foreign_to_net}, and IdentityNet was trained on the tokens of "
            "InstantID's. Connect InstantID's adapter here, or use InstantID Apply Adapter alone "
            "with this one."
        )


def _name_of(model: ModelPatcher) -> str:
    """The host's name for the kind of the model."""
    return type(getattr(model.model, "model_config", model.model)).__name__


def _changes_nothing(tokens: IdentityTokens, amount: float, what: str) -> bool:
    if tokens.is_nobody:
        log.warning("%s passes through unchanged: no face was found for the identity.", what)
        return True
    return amount == 0
