"""Write the model files that the demo and the tests load through the pack's and the host's loaders.

Run inside the environment, with the host's source folder on the import path.
"""

from __future__ import annotations

from pathlib import Path

import torch
from safetensors.torch import save_file

from .antelope import build_pack
from .small_adapter import AdapterSizes, adapter_weights, flat

ADAPTER_FILE = "instantid_small.safetensors"
CONTROLNET_FILE = "instantid_small.safetensors"
PLAIN_CONTROLNET_FILE = "depth_small.safetensors"
"""A ControlNet that sees text, for chains."""
LORA_FILE = "style_small.safetensors"


def use_cpu_without_gpu() -> None:
    """Must be called before the host's model management is imported."""
    from comfy.cli_args import args

    args.cpu = args.cpu or not torch.cuda.is_available()


def write_models(models: Path) -> None:
    """Fill a models folder: adapter, two ControlNets, a LoRA, and the synthetic antelopev2."""
    use_cpu_without_gpu()
    from .small_models_node.small_sdxl import (
        SmallConfig,
        small_controlnet_weights,
        small_lora_weights,
    )

    config = SmallConfig()
    for folder in ("instantid", "controlnet", "insightface", "loras"):
        (models / folder).mkdir(parents=True, exist_ok=True)
    sizes = AdapterSizes(config.site_widths, config.context_dim)
    save_file(flat(adapter_weights(sizes)), models / "instantid" / ADAPTER_FILE)
    for name, seed in ((CONTROLNET_FILE, 1), (PLAIN_CONTROLNET_FILE, 3)):
        save_file(small_controlnet_weights(config, seed), models / "controlnet" / name)
    save_file(small_lora_weights(config), models / "loras" / LORA_FILE)
    build_pack(models / "insightface")
