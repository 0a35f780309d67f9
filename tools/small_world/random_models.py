"""Write the model files that the demo and the tests load through the pack's and the host's loaders.

`python tools/run.py tools.small_world.random_models COMFYUI FOLDER` writes them in a process
of its own.
"""

from __future__ import annotations

import sys
from pathlib import Path

import torch
from safetensors.torch import save_file

from .adapter import AdapterSizes, adapter_weights, flat
from .antelope import build_pack
from .random_files import ADAPTER_FILE, CONTROLNET_FILE, LORA_FILE, PLAIN_CONTROLNET_FILE


def use_cpu_without_gpu() -> None:
    """Must be called before the host's model management is imported."""
    from comfy.cli_args import args

    args.cpu = args.cpu or not torch.cuda.is_available()


def write_models(models: Path) -> None:
    """Fill a models folder: adapter, two ControlNets, a LoRA, and the synthetic antelopev2."""
    use_cpu_without_gpu()
    from .node.small_sdxl import SmallConfig, small_controlnet_weights, small_lora_weights

    config = SmallConfig()
    for folder in ("instantid", "controlnet", "insightface", "loras"):
        (models / folder).mkdir(parents=True, exist_ok=True)
    sizes = AdapterSizes(config.site_widths, config.context_dim)
    save_file(flat(adapter_weights(sizes)), models / "instantid" / ADAPTER_FILE)
    for name, seed in ((CONTROLNET_FILE, 1), (PLAIN_CONTROLNET_FILE, 3)):
        save_file(small_controlnet_weights(config, seed), models / "controlnet" / name)
    save_file(small_lora_weights(config), models / "loras" / LORA_FILE)
    build_pack(models / "insightface")


if __name__ == "__main__":
    sys.path.insert(0, sys.argv[1])
    write_models(Path(sys.argv[2]))
