"""Sizes of the denoising UNet: SDXL's kind, narrow, as diffusers and as the host write them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

LATENT_CHANNELS = 4
SIZE_EMBEDDING_WIDTH = 256
SIZE_NUMBERS = 6
"""Height, width, crop top, crop left, target height, target width (SDXL, arXiv 2307.01952, 2.2)."""
TIMESTEPS = 1000
BETAS = (0.00085, 0.012)
"""First and last beta; their square roots are spaced evenly."""


@dataclass(frozen=True)
class DenoiserConfig:
    """Sizes of the UNet, and of the IdentityNet that copies its encoder."""

    widths: tuple[int, ...] = (64, 128, 128)
    """Channels per level; multiples of the first one and of 32."""
    depths: tuple[int, ...] = (0, 1, 1)
    """Transformer layers per attention block of each level; the last also in the middle."""
    layers_per_block: int = 1
    head_width: int = 64
    """Channels per attention head; the host fixes 64 for this family."""
    context_dim: int = 128
    pooled_width: int = 1280
    """Width of the pooled text embedding that the host's SDXL class expects."""

    @property
    def extra_width(self) -> int:
        """Numbers of the pooled text and of the six embedded sizes together."""
        return self.pooled_width + SIZE_NUMBERS * SIZE_EMBEDDING_WIDTH

    @property
    def encoder(self) -> dict[str, Any]:
        """Settings that diffusers' UNet and ControlNet share."""
        down = tuple("CrossAttnDownBlock2D" if depth else "DownBlock2D" for depth in self.depths)
        return {
            "in_channels": LATENT_CHANNELS,
            "block_out_channels": self.widths,
            "down_block_types": down,
            "layers_per_block": self.layers_per_block,
            "transformer_layers_per_block": [max(1, depth) for depth in self.depths],
            # diffusers calls the number of heads attention_head_dim.
            "attention_head_dim": [width // self.head_width for width in self.widths],
            "cross_attention_dim": self.context_dim,
            "use_linear_projection": True,
            "addition_embed_type": "text_time",
            "addition_time_embed_dim": SIZE_EMBEDDING_WIDTH,
            "projection_class_embeddings_input_dim": self.extra_width,
        }

    @property
    def unet(self) -> dict[str, Any]:
        """diffusers' settings of the UNet."""
        up = ("CrossAttnUpBlock2D" if depth else "UpBlock2D" for depth in reversed(self.depths))
        return {
            **self.encoder,
            "up_block_types": tuple(up),
            "out_channels": LATENT_CHANNELS,
        }

    @property
    def host(self) -> dict[str, Any]:
        """The host's settings of the UNet."""
        layers = self.layers_per_block
        return {
            "image_size": 32,
            "in_channels": LATENT_CHANNELS,
            "out_channels": LATENT_CHANNELS,
            "model_channels": self.widths[0],
            "num_res_blocks": [layers] * len(self.widths),
            "channel_mult": [width // self.widths[0] for width in self.widths],
            "transformer_depth": [depth for depth in self.depths for _ in range(layers)],
            "transformer_depth_output": [depth for depth in self.depths for _ in range(layers + 1)],
            "transformer_depth_middle": self.depths[-1],
            "use_linear_in_transformer": True,
            "use_spatial_transformer": True,
            "use_temporal_attention": False,
            "context_dim": self.context_dim,
            "num_heads": -1,
            "num_head_channels": self.head_width,
            "num_classes": "sequential",
            "adm_in_channels": self.extra_width,
            "legacy": False,
        }
