"""Put the models of the shipped small world back into a run's folder, so that training goes on from
them: `python -m training.unpack_small_world --files tools/small_world/files --run RUN`, with
ComfyUI's source on the import path.
"""

from __future__ import annotations

import argparse
import shutil
from pathlib import Path
from typing import Any

import torch
from diffusers import ControlNetModel
from safetensors.torch import load_file

from . import autoencoder_training, base_training, instantid_training, recogniser
from .export import ADAPTER_FILE, BASE_FILE, IDENTITY_NET_FILE, controlnet_names, unet_names
from .loop import WEIGHTS_FILE, Tensors
from .networks.denoiser import DenoiserConfig

STATISTICS = ("latent_mean", "latent_deviation")


def part_of(weights: Tensors, prefix: str) -> Tensors:
    """The tensors behind a prefix, in float32."""
    found = {name: value.float() for name, value in weights.items() if name.startswith(prefix)}
    return {name.removeprefix(prefix): value for name, value in found.items()}


def base_weights(weights: Tensors) -> Tensors:
    """UNet and caption encoder in the training's names."""
    ours = {ldm: f"unet.{name}" for name, ldm in unet_names(DenoiserConfig()).items()}
    unet = part_of(weights, "model.diffusion_model.")
    captions = {n: v.float() for n, v in weights.items() if n.startswith("caption_encoder.")}
    return {ours[name]: value for name, value in unet.items()} | captions


def instantid_weights(files: Path) -> Tensors:
    """Image adapter and IdentityNet in the training's names."""
    nested = torch.load(files / ADAPTER_FILE, weights_only=True)
    found = {f"adapter.resampler.{name}": value for name, value in nested["image_proj"].items()}
    for name, value in nested["ip_adapter"].items():
        number, kind, _ = name.split(".")
        found[f"adapter.to_{kind[3]}.{int(number) // 2}.weight"] = value
    net = load_file(files / IDENTITY_NET_FILE)
    blank: Any = ControlNetModel.from_config(DenoiserConfig().encoder)
    names = unet_names(DenoiserConfig()) | controlnet_names(blank.state_dict())
    ours = {ldm: name for name, ldm in names.items()}
    found |= {f"identity_net.{ours[name]}": value for name, value in net.items()}
    return {name: value.float() for name, value in found.items()}


def main() -> None:
    """Write what `load_base`, `load_autoencoder` and the InstantID training read."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--files", type=Path, required=True)
    parser.add_argument("--run", type=Path, required=True)
    arguments = parser.parse_args()
    files, run = arguments.files, arguments.run
    weights = load_file(files / BASE_FILE)
    autoencoder = part_of(weights, "autoencoder.")
    statistics = {name: autoencoder.pop(name) for name in STATISTICS}
    folders = {
        run / autoencoder_training.NAME / WEIGHTS_FILE: autoencoder,
        run / autoencoder_training.NAME / autoencoder_training.STATISTICS_FILE: statistics,
        run / instantid_training.NAME / WEIGHTS_FILE: instantid_weights(files),
        run / base_training.NAME / WEIGHTS_FILE: base_weights(weights),
    }
    for path, content in folders.items():
        path.parent.mkdir(parents=True, exist_ok=True)
        torch.save(content, path)
    (run / recogniser.NAME).mkdir(exist_ok=True)
    shutil.copy2(files / recogniser.FILE, run / recogniser.NAME / recogniser.FILE)


if __name__ == "__main__":
    main()
