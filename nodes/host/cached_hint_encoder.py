"""A ControlNet whose hint encoder runs once per picture instead of once per step."""

from __future__ import annotations

import copy
from typing import Any

import torch

ENCODER = "input_hint_block"
"""Name of the hint encoder in a ControlNet of the LDM layout. It sees neither text nor time."""


class KeptHint(torch.nn.Module):
    """Stands in for a hint encoder and keeps what that made of the latest hint."""

    def __init__(self, encoder: torch.nn.Module) -> None:
        super().__init__()
        self.encoder = encoder
        self._latest: tuple[torch.Tensor, torch.Tensor] | None = None

    def forward(self, hint: torch.Tensor, *args: Any, **kwargs: Any) -> torch.Tensor:
        """hint [B, 3, H, W] -> [B, C, h, w], or [1, C, h, w] where one picture is spread over all
        rows (`Tensor.expand`). The ControlNet adds it to its first layer."""
        if self._latest is None or self._latest[0] is not hint:
            pictures = hint[:1] if hint.stride(0) == 0 else hint
            # Pixel by pixel, as ComfyUI's own hints are: convolutions run faster so. The result in
            # the layout of the first layer, to which it is added in every step.
            pixels = pictures.clone(memory_format=torch.channels_last)
            encoded = self.encoder(pixels, *args, **kwargs)
            self._latest = (hint, encoded.contiguous())
        return self._latest[1]


def with_kept_hint(network: torch.nn.Module) -> torch.nn.Module:
    """A twin of the network that shares every layer and weight with it, but for the encoder's
    stand-in. The network itself is not changed."""
    twin = copy.copy(network)
    layers = dict(network._modules)
    encoder = layers[ENCODER]
    if encoder is None:
        return network
    layers[ENCODER] = KeptHint(encoder)
    twin.__dict__["_modules"] = layers
    return twin
