"""Check that a loaded ControlNet is an IdentityNet."""

from __future__ import annotations

from typing import Any, NamedTuple

import comfy.controlnet
import torch

from ...instantid_core.errors import IncompatibleModelError


def require_identity_net(control_net: Any, context_dim: int) -> comfy.controlnet.ControlNet:
    """Check that a loaded ControlNet has IdentityNet's shape.

    Raises IncompatibleModelError for control LoRAs, T2I adapters, Union nets, and nets for another
    base model.
    """
    advice = (
        "Load InstantID's ControlNetModel/diffusion_pytorch_model.safetensors with the node "
        "Load ControlNet Model."
    )
    network = getattr(control_net, "control_model", None)
    if not isinstance(control_net, comfy.controlnet.ControlNet) or network is None:
        raise IncompatibleModelError(
            f"Expected IdentityNet as a ControlNet, found {type(control_net).__name__}. {advice}"
        )
    found = _context_width(network)
    if found != context_dim:
        what = "no text cross-attention" if found is None else f"a context of width {found}"
        raise IncompatibleModelError(
            f"This ControlNet is not IdentityNet for the loaded adapter: it has {what}, the "
            f"adapter's tokens have width {context_dim}. {advice}"
        )
    hint_channels = network.input_hint_block[0].weight.shape[1]
    if hint_channels != 3 or getattr(network, "task_embedding", None) is not None:
        raise IncompatibleModelError(
            "This ControlNet is not IdentityNet: it takes more than one kind of control picture. "
            + advice
        )
    return control_net


def require_same_base(network: torch.nn.Module, model: Any) -> None:
    """Check that a model about to be sampled is of the kind that IdentityNet was trained for.

    network: IdentityNet's. model: the host's model. Raises IncompatibleModelError for the refiner
    and for other families, whose layers have other sizes.
    """
    config = getattr(model, "model_config", None)
    if config is None:
        return
    found = Widths(config.unet_config.get("context_dim"), getattr(model, "adm_channels", None))
    Widths.of(network).require(found, f", {type(config).__name__},")


class Widths(NamedTuple):
    """Widths of what a model gives to IdentityNet's network in each step."""

    context: int | None
    labels: int | None
    """Of pooled text and sizes; None for networks without."""

    @classmethod
    def of(cls, network: torch.nn.Module) -> Widths:
        """Widths that a network takes."""
        return cls(_context_width(network), _label_width(network))

    @classmethod
    def given(cls, context: torch.Tensor, labels: torch.Tensor | None) -> Widths:
        """Widths that a step brings. context: [B, T, C]. labels: [B, D]."""
        return cls(context.shape[-1], None if labels is None else labels.shape[-1])

    def require(self, found: Widths, name: str = "") -> None:
        """Raises IncompatibleModelError for a model of other widths, with its name if known."""
        if self.context == found.context and self.labels in (None, found.labels):
            return
        raise IncompatibleModelError(
            f"The conditioning carries IdentityNet for a model with a context of width "
            f"{self.context} and labels of width {self.labels}; the model that samples it{name} "
            f"has {found.context} and {found.labels}. Give a refiner or a second model prompts of "
            "its own, from before InstantID, or sample with the model that the adapter is for."
        )


def _label_width(network: torch.nn.Module) -> int | None:
    """Channels of the pooled text and sizes; None for networks without."""
    labels = getattr(network, "label_emb", None)
    layers = () if labels is None else labels.modules()
    return next((layer.in_features for layer in layers if hasattr(layer, "in_features")), None)  # pyright: ignore[reportReturnType]


def _context_width(network: torch.nn.Module) -> int | None:
    keys = (p for name, p in network.named_parameters() if name.endswith("attn2.to_k.weight"))
    first = next(keys, None)
    return None if first is None else first.shape[1]
