"""A ControlNet whose hint encoder runs once per picture instead of once per step."""

from __future__ import annotations

import copy
from typing import Any

import torch

from ...instantid_core.adapter import Memory

ENCODER = "input_hint_block"
"""Name of the hint encoder in a ControlNet of the LDM layout. It sees neither text nor time."""


class CachedHintEncoder(torch.nn.Module):
    """A stand-in for a hint encoder, made for one run, that keeps the latest encoded hint."""

    def __init__(self, encoder: torch.nn.Module) -> None:
        super().__init__()
        self.encoder = encoder
        self.memory = Memory(1)

    def forward(self, hint: torch.Tensor, *args: Any, **kwargs: Any) -> torch.Tensor:
        """hint [B, 3, H, W] -> [B, C, h, w], or [1, C, h, w] where one picture is spread over all
        rows (`Tensor.expand`). The ControlNet adds it to its first layer."""

        def encode() -> tuple[torch.Tensor, torch.Tensor]:
            pictures = hint[:1] if hint.stride(0) == 0 else hint
            # Pixel by pixel, as ComfyUI's own hints are: convolutions run faster so. The result in
            # the layout of the first layer, to which it is added in every step.
            pixels = pictures.clone(memory_format=torch.channels_last)
            return hint, self.encoder(pixels, *args, **kwargs).contiguous()

        # The hint is kept beside the result, so that no other one gets its id.
        return self.memory.once(id(hint), encode)[1]


def with_cached_hint(network: torch.nn.Module) -> torch.nn.Module:
    """A twin of the network that shares every layer and weight with it, but for the encoder's
    stand-in. The network itself is not changed."""
    twin = copy.copy(network)
    layers = dict(network._modules)
    encoder = layers[ENCODER]
    if encoder is None:
        return network
    layers[ENCODER] = CachedHintEncoder(encoder)
    twin.__dict__["_modules"] = layers
    return twin
