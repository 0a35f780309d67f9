"""A separate pack in which Load Checkpoint returns the small SDXL, whatever file is chosen.

It stands in for the SDXL checkpoint that people have already, which is no file of InstantID.
"""

from __future__ import annotations

from typing import Any

import nodes

from .small_sdxl import POOLED_WIDTH, SmallConfig, small_unet
from .stand_ins import ColourVAE, WordEncoder

NODE_CLASS_MAPPINGS: dict[str, Any] = {}


def load_checkpoint(_self: object, ckpt_name: str) -> tuple[Any, ...]:
    """Takes the place of the method of core's node."""
    config = SmallConfig()
    encoder = WordEncoder(config.context_dim, POOLED_WIDTH)
    return small_unet(config), encoder, ColourVAE()


nodes.CheckpointLoaderSimple.load_checkpoint = load_checkpoint
