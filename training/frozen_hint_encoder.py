"""A frozen hint encoder: what it makes of each picture's keypoints, computed once.

On small latents IdentityNet's hint encoder costs more than all other networks together, and it is
done learning long before they are.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import nn
from torch.nn import functional

TOGETHER = 32
Hints = Callable[[torch.Tensor], torch.Tensor]
"""Indices [B] -> drawn keypoints [B, 3, H, W] in 0..1."""
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


class KeptFeatures:
    """Hint features of an album, computed when they are first asked for and kept in a file."""

    def __init__(self, identity_net: nn.Module, hints: Hints, path: Path, count: int) -> None:
        example = hint_features(identity_net, hints(torch.tensor([0])))
        shape = (count, *example.shape[1:])
        mode = "r+" if path.exists() else "w+"
        self.values = np.memmap(path, np.int16, mode, shape=shape)
        self.identity_net, self.hints = identity_net, hints

    def __call__(self, indices: torch.Tensor) -> torch.Tensor:
        """[B, C, h, w] float32 of some pictures."""
        # The file starts as zeros, and no picture's features are all zero.
        missing = [index for index in indices.tolist() if not self.values[index, :, 0, 0].any()]
        for part in torch.tensor(missing, dtype=torch.long).split(TOGETHER) if missing else ():
            found = hint_features(self.identity_net, self.hints(part))
            self.values[part.numpy()] = found.view(torch.int16).numpy()
        return torch.from_numpy(self.values[indices.numpy()]).view(torch.bfloat16).float()


def take_features(identity_net: nn.Module) -> None:
    """Make IdentityNet take `hint_features` from now on, not pictures.

    Its hint encoder's last layer, which starts at zero, goes on learning. The others get no
    gradient; they stay in the network, and so in its files.
    """
    encoder: Any = identity_net.get_submodule("controlnet_cond_embedding")
    encoder.forward = encoder.conv_out.forward
