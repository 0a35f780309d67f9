"""The small SDXL as a diffusers model with the same weights.

This only renames keys; diffusers' own classes do the arithmetic.
"""

from __future__ import annotations

from typing import Any

import comfy.utils
import torch
from diffusers import ControlNetModel, UNet2DConditionModel

from tools.small_world.node.small_sdxl import ATTENTION_HEAD_WIDTH, SmallConfig

HINT_CONVOLUTIONS = 8
SIZE_EMBEDDING_WIDTH = 256


def twin_unet(config: SmallConfig, weights: dict[str, torch.Tensor]) -> UNet2DConditionModel:
    """diffusers' UNet with a UNet's weights in LDM names."""
    unet = UNet2DConditionModel(
        **_shared(config),
        up_block_types=("CrossAttnUpBlock2D", "CrossAttnUpBlock2D", "UpBlock2D"),
        in_channels=4,
        out_channels=4,
    )
    names = _unet_names(config, weights)
    unet.load_state_dict({theirs: weights[ours] for theirs, ours in names.items()})
    return unet.eval().requires_grad_(False)


def twin_controlnet(config: SmallConfig, weights: dict[str, torch.Tensor]) -> ControlNetModel:
    """diffusers' ControlNet with a ControlNet's weights in LDM names."""
    net = ControlNetModel(
        **_shared(config),
        in_channels=4,
        conditioning_channels=3,
        conditioning_embedding_out_channels=(16, 32, 96, 256),
    )
    names = _controlnet_names(config, weights)
    net.load_state_dict({theirs: weights[ours] for theirs, ours in names.items()})
    return net.eval().requires_grad_(False)


def _shared(config: SmallConfig) -> dict[str, Any]:
    widths = tuple(config.width * factor for factor in (1, 2, 4))
    return {
        "block_out_channels": widths,
        "down_block_types": ("DownBlock2D", "CrossAttnDownBlock2D", "CrossAttnDownBlock2D"),
        "layers_per_block": 2,
        "transformer_layers_per_block": [1, 2, 10],
        # diffusers calls the number of heads attention_head_dim.
        "attention_head_dim": [width // ATTENTION_HEAD_WIDTH for width in widths],
        "cross_attention_dim": config.context_dim,
        "use_linear_projection": True,
        "addition_embed_type": "text_time",
        "addition_time_embed_dim": SIZE_EMBEDDING_WIDTH,
        "projection_class_embeddings_input_dim": config.unet["adm_in_channels"],
    }


def _unet_names(config: SmallConfig, weights: dict[str, torch.Tensor]) -> dict[str, str]:
    """The host's table from diffusers' names to its own, without entries for other families."""
    return {
        theirs: ours
        for theirs, ours in comfy.utils.unet_to_diffusers(config.unet).items()
        if ours in weights and not theirs.startswith("class_embedding")
    }


def _controlnet_names(config: SmallConfig, weights: dict[str, torch.Tensor]) -> dict[str, str]:
    names = _unet_names(config, weights)
    for kind in ("weight", "bias"):
        names[f"controlnet_mid_block.{kind}"] = f"middle_block_out.0.{kind}"
        zero_convolutions = sum(name.startswith("zero_convs") for name in weights) // 2
        for number in range(zero_convolutions):
            names[f"controlnet_down_blocks.{number}.{kind}"] = f"zero_convs.{number}.0.{kind}"
        blocks = [f"blocks.{number}" for number in range(HINT_CONVOLUTIONS - 2)]
        for position, name in enumerate(["conv_in", *blocks, "conv_out"]):
            ours = f"input_hint_block.{2 * position}.{kind}"
            names[f"controlnet_cond_embedding.{name}.{kind}"] = ours
    return names
