"""A frozen hint encoder: what it makes of each picture's keypoints, computed once.

On small latents IdentityNet's hint encoder costs more than all other networks together, and it is
done learning long before they are.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import torch
from torch import nn
from torch.nn import functional

PREFIX = "identity_net.controlnet_cond_embedding."


def load_hint_encoder(identity_net: nn.Module, weights: Path) -> None:
    """Give IdentityNet the hint encoder that an earlier training wrote to `weights`."""
    values = torch.load(weights, weights_only=True)
    ours = {name[len(PREFIX) :]: v for name, v in values.items() if name.startswith(PREFIX)}
    identity_net.get_submodule("controlnet_cond_embedding").load_state_dict(ours)


@torch.no_grad()
def hint_features(identity_net: nn.Module, hints: torch.Tensor) -> torch.Tensor:
    """Drawn keypoints [B, 3, 8 h, 8 w] in 0..1 -> [B, C, h, w] bfloat16, before the last layer."""
    encoder: Any = identity_net.get_submodule("controlnet_cond_embedding")
    features = functional.silu(encoder.conv_in(hints))
    for block in encoder.blocks:
        features = functional.silu(block(features))
    return features.bfloat16()


def take_features(identity_net: nn.Module) -> None:
    """Make IdentityNet take `hint_features` from now on, not pictures.

    Its hint encoder's last layer, which starts at zero, goes on learning. The others get no
    gradient; they stay in the network, and so in its files.
    """
    encoder: Any = identity_net.get_submodule("controlnet_cond_embedding")
    encoder.forward = encoder.conv_out.forward
