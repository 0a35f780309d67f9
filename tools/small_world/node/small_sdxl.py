"""A UNet and a ControlNet of SDXL's topology at a fraction of its width, with fixed random weights.

The depths, and so the 70 cross-attention sites, are SDXL's. The host would not take a file of this
width for SDXL, which is why these are built in code.
"""

from __future__ import annotations

import math
import zlib
from dataclasses import dataclass
from typing import Any

import comfy.cldm.cldm
import comfy.model_management
import comfy.model_patcher
import comfy.ops
import comfy.supported_models
import torch

POOLED_WIDTH = 1280
"""Width of the pooled text embedding that the host's SDXL class expects."""
SIZE_EMBEDDINGS = 6 * 256
ATTENTION_HEAD_WIDTH = 64
"""Channels per attention head, as the host sets it for this family."""


@dataclass(frozen=True)
class SmallConfig:
    """Sizes of the small models."""

    width: int = 32
    """Channels of the first level; any multiple of 32. At 32 most of a step is the number of
    operations, which the depths set."""
    context_dim: int = 64

    @property
    def unet(self) -> dict[str, Any]:
        """The host's UNet configuration."""
        return {
            "image_size": 32,
            "in_channels": 4,
            "out_channels": 4,
            "model_channels": self.width,
            "num_res_blocks": [2, 2, 2],
            "channel_mult": [1, 2, 4],
            "transformer_depth": [0, 0, 2, 2, 10, 10],
            "transformer_depth_output": [0, 0, 0, 2, 2, 2, 10, 10, 10],
            "transformer_depth_middle": 10,
            "use_linear_in_transformer": True,
            "use_spatial_transformer": True,
            "use_temporal_attention": False,
            "context_dim": self.context_dim,
            "num_heads": -1,
            "num_head_channels": ATTENTION_HEAD_WIDTH,
            "num_classes": "sequential",
            "adm_in_channels": POOLED_WIDTH + SIZE_EMBEDDINGS,
            "legacy": False,
        }

    @property
    def site_widths(self) -> tuple[int, ...]:
        """Channels of the 70 sites, in adapter order: input, output, middle."""
        middle, deep = 2 * self.width, 4 * self.width
        down = (middle,) * 4 + (deep,) * 20
        return down + (deep,) * 30 + (middle,) * 6 + (deep,) * 10


def fill(module: torch.nn.Module, seed: int = 0) -> torch.nn.Module:
    """Give every parameter a value that depends on its name and the seed only."""
    for name, parameter in module.named_parameters():
        parameter.data = weights_for(name, parameter.shape, seed).to(parameter)
    return module.requires_grad_(False).eval()


def weights_for(name: str, shape: tuple[int, ...], seed: int = 0) -> torch.Tensor:
    """Random weights that keep the signal's size; norms near 1, biases near 0."""
    generator = torch.Generator().manual_seed(zlib.crc32(f"{seed}/{name}".encode()))
    values = torch.randn(tuple(shape), generator=generator)
    if len(shape) == 1:
        return values * 0.05 + (1.0 if name.endswith("weight") else 0.0)
    return values / math.sqrt(math.prod(shape[1:]))


def small_unet(
    config: SmallConfig = SmallConfig(), seed: int = 0, dtype: torch.dtype = torch.float32
) -> comfy.model_patcher.ModelPatcher:
    """The UNet as the host's own SDXL model in a patcher."""
    settings = comfy.supported_models.SDXL(config.unet)
    settings.set_inference_dtype(dtype, None)
    model = settings.get_model({}, device=torch.device("cpu"))
    fill(model.diffusion_model, seed)
    return comfy.model_patcher.CoreModelPatcher(
        model,
        load_device=comfy.model_management.get_torch_device(),
        offload_device=comfy.model_management.unet_offload_device(),
    )


def small_controlnet_weights(
    config: SmallConfig = SmallConfig(), seed: int = 1
) -> dict[str, torch.Tensor]:
    """A ControlNet file's contents, in the layout that the host reads without guessing."""
    settings = {key: value for key, value in config.unet.items() if key != "out_channels"}
    net = comfy.cldm.cldm.ControlNet(
        hint_channels=3, operations=comfy.ops.disable_weight_init, dtype=torch.float32, **settings
    )
    return fill(net, seed).state_dict()


def small_lora_weights(
    config: SmallConfig = SmallConfig(), rank: int = 4, seed: int = 4
) -> dict[str, torch.Tensor]:
    """A LoRA file's contents for two layers of the UNet, in the usual naming."""
    layers = {
        "input_blocks_4_1_proj_in": 2 * config.width,
        "middle_block_1_proj_out": 4 * config.width,
    }
    weights = {}
    for layer, width in layers.items():
        for half, shape in (("down", (rank, width)), ("up", (width, rank))):
            name = f"lora_unet_{layer}.lora_{half}.weight"
            weights[name] = weights_for(name, shape, seed)
    return weights
