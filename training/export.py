"""Write a run's models as the files that the pack and the host load.

`python -m training.export --run RUN --out DIR`, with ComfyUI's source on the import path, gives
`small_world.safetensors`, `ip-adapter.bin`, `identity_net.safetensors`,
`surroundings_control_lora.safetensors` and, if it was trained, `ip-adapter-faceid.bin`, in fp16.
"""

from __future__ import annotations

import argparse
import json
from dataclasses import asdict
from pathlib import Path

import torch
from diffusers import ControlNetModel
from safetensors.torch import save_file
from torch import nn

from .adapter_network import ImageAdapter, InstantID
from .autoencoder_training import load_autoencoder
from .background_training import load_surroundings_weights
from .base_training import BaseModel, load_base
from .face_id_network import FaceID
from .face_id_training import NAME as FACE_ID_NAME
from .face_id_training import load_face_id
from .instantid_training import load_instantid
from .networks.autoencoder import Autoencoder
from .networks.denoiser import DenoiserConfig

Tensors = dict[str, torch.Tensor]
BASE_FILE = "small_world.safetensors"
ADAPTER_FILE = "ip-adapter.bin"
IDENTITY_NET_FILE = "identity_net.safetensors"
FACE_ID_FILE = "ip-adapter-faceid.bin"
SURROUNDINGS_FILE = "surroundings_control_lora.safetensors"
FORMAT = "instantid-small-world-1"


def base_weights(base: BaseModel, autoencoder: Autoencoder, config: DenoiserConfig) -> Tensors:
    """UNet in LDM names, caption encoder and autoencoder, each behind a prefix."""
    parts = {
        "model.diffusion_model.": to_ldm(base.unet.state_dict(), unet_names(config)),
        "caption_encoder.": base.caption_encoder.state_dict(),
        "autoencoder.": autoencoder.state_dict(),
    }
    return {
        prefix + name: tensor for prefix, part in parts.items() for name, tensor in part.items()
    }


def base_metadata(
    base: BaseModel, autoencoder: Autoencoder, config: DenoiserConfig
) -> dict[str, str]:
    """The configurations that rebuild the three networks, as JSON."""
    configs = {
        "denoiser": config,
        "captions": base.caption_encoder.config,
        "autoencoder": autoencoder.config,
    }
    return {"format": FORMAT} | {name: json.dumps(asdict(each)) for name, each in configs.items()}


def adapter_weights(adapter: ImageAdapter) -> dict[str, Tensors]:
    """The published nested form."""
    sites = adapter_sites(adapter.to_k, adapter.to_v)
    return {"image_proj": dict(adapter.resampler.state_dict()), "ip_adapter": sites}


def adapter_sites(to_k: nn.ModuleList, to_v: nn.ModuleList) -> Tensors:
    """Keys and values by their published names: sites are numbered 1, 3, 5 and so on."""
    return {
        f"{2 * position + 1}.to_{kind}_ip.weight": layer.get_parameter("weight").detach()
        for kind, layers in (("k", to_k), ("v", to_v))
        for position, layer in enumerate(layers)
    }


def face_id_weights(model: FaceID) -> dict[str, Tensors]:
    """The published nested form: LoRA parts of all attentions, keys and values of every second."""
    sites = adapter_sites(model.to_k, model.to_v)
    lora = {
        f"{number}.{layer}_lora.{half}.weight": getattr(getattr(each, layer), half).weight
        for number, each in enumerate(model.lora)
        for layer in ("to_q", "to_k", "to_v", "to_out")
        for half in ("down", "up")
    }
    return {"image_proj": dict(model.projection.state_dict()), "ip_adapter": sites | lora}


def identity_net_weights(net: ControlNetModel, config: DenoiserConfig) -> Tensors:
    """A ControlNet in LDM names, which the host reads without guessing."""
    weights = net.state_dict()
    return to_ldm(weights, unet_names(config) | controlnet_names(weights))


def unet_names(config: DenoiserConfig) -> dict[str, str]:
    """diffusers' names of a UNet's layers -> LDM names, by the host's own table."""
    import comfy.utils

    table = comfy.utils.unet_to_diffusers(config.host)
    # The table also lists the class embedding of another family under the same LDM name.
    return {ours: ldm for ours, ldm in table.items() if not ours.startswith("class_embedding")}


def controlnet_names(weights: Tensors) -> dict[str, str]:
    """diffusers' names of what a ControlNet adds to a UNet's encoder -> LDM names."""
    names = {}
    for name in weights:
        part, _, rest = name.partition(".")
        number, _, kind = rest.partition(".")
        if part == "controlnet_down_blocks":
            names[name] = f"zero_convs.{number}.0.{kind}"
        elif part == "controlnet_mid_block":
            names[name] = f"middle_block_out.0.{rest}"
    layers = [name for name in weights if name.startswith("controlnet_cond_embedding.")]
    blocks = sum(".blocks." in name for name in layers) // 2
    order = ["conv_in", *(f"blocks.{number}" for number in range(blocks)), "conv_out"]
    for position, layer in enumerate(order):
        for kind in ("weight", "bias"):
            # Between two convolutions is an activation, which takes a number of its own.
            name = f"controlnet_cond_embedding.{layer}.{kind}"
            names[name] = f"input_hint_block.{2 * position}.{kind}"
    return names


def to_ldm(weights: Tensors, names: dict[str, str]) -> Tensors:
    """Rename every tensor. Raises KeyError for one that the table does not know."""
    return {names[name]: tensor for name, tensor in weights.items()}


def cast(weights: Tensors, dtype: torch.dtype) -> Tensors:
    """Contiguous copies in `dtype`."""
    return {
        name: tensor.detach().to(dtype, memory_format=torch.contiguous_format, copy=True)
        for name, tensor in weights.items()
    }


def export_base(run: Path, out: Path, dtype: torch.dtype = torch.float16) -> None:
    """Write the base model's one file."""
    base, autoencoder, config = load_base(run), load_autoencoder(run), DenoiserConfig()
    save_file(
        cast(base_weights(base, autoencoder, config), dtype),
        out / BASE_FILE,
        base_metadata(base, autoencoder, config),
    )


def export_instantid(model: InstantID, out: Path, dtype: torch.dtype = torch.float16) -> None:
    """Write the image adapter and IdentityNet."""
    nested = adapter_weights(model.adapter)
    torch.save({part: cast(each, dtype) for part, each in nested.items()}, out / ADAPTER_FILE)
    weights = identity_net_weights(model.identity_net, DenoiserConfig())
    save_file(cast(weights, dtype), out / IDENTITY_NET_FILE)


def export_face_id(model: FaceID, out: Path, dtype: torch.dtype = torch.float16) -> None:
    """Write the adapter in FaceID's form."""
    nested = face_id_weights(model)
    torch.save({part: cast(each, dtype) for part, each in nested.items()}, out / FACE_ID_FILE)


def surroundings_weights(net: Tensors) -> Tensors:
    """A Control-LoRA without low-rank parts: what the host does not take from the base model."""
    return to_ldm(net, controlnet_names(net)) | {"lora_controlnet": torch.zeros(1)}


def export_surroundings(run: Path, out: Path, dtype: torch.dtype = torch.float16) -> None:
    """Write the ControlNet that follows the colours behind people."""
    weights = surroundings_weights(load_surroundings_weights(run))
    save_file(cast(weights, dtype), out / SURROUNDINGS_FILE)


def main() -> None:
    """The command line."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--run", type=Path, required=True)
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--dtype", choices=("float16", "float32"), default="float16")
    parser.add_argument("--base-only", action="store_true")
    arguments = parser.parse_args()
    arguments.out.mkdir(parents=True, exist_ok=True)
    dtype = getattr(torch, arguments.dtype)
    export_base(arguments.run, arguments.out, dtype)
    if not arguments.base_only:
        export_instantid(load_instantid(arguments.run), arguments.out, dtype)
        export_surroundings(arguments.run, arguments.out, dtype)
    if (arguments.run / FACE_ID_NAME).exists():
        export_face_id(load_face_id(arguments.run), arguments.out, dtype)
    for path in sorted(arguments.out.iterdir()):
        print(f"{path.name}: {path.stat().st_size / 1e6:.1f} MB")


if __name__ == "__main__":
    main()
