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
from safetensors.torch import save_file
from torch import nn

from .adapter_network import InstantID
from .autoencoder_training import load_autoencoder
from .background_training import load_surroundings_weights
from .base_training import BaseModel, load_base
from .face_id_training import NAME as FACE_ID
from .face_id_training import FaceID
from .instantid_training import NAME as INSTANTID
from .loop import Tensors, load_trained
from .networks.autoencoder import Autoencoder
from .networks.denoiser import DenoiserConfig

BASE_FILE = "small_world.safetensors"
ADAPTER_FILE = "ip-adapter.bin"
IDENTITY_NET_FILE = "identity_net.safetensors"
FACE_ID_FILE = "ip-adapter-faceid.bin"
SURROUNDINGS_FILE = "surroundings_control_lora.safetensors"
FORMAT = "instantid-small-world-1"


def export_base(base: BaseModel, autoencoder: Autoencoder, out: Path) -> None:
    """Write the base model's one file.

    The UNet in LDM names, caption encoder and autoencoder, each behind a prefix; as its metadata
    the configurations that rebuild the three networks, as JSON.
    """
    config = DenoiserConfig()
    parts = {
        "model.diffusion_model.": to_ldm(base.unet.state_dict(), unet_names(config)),
        "caption_encoder.": base.caption_encoder.state_dict(),
        "autoencoder.": autoencoder.state_dict(),
    }
    weights = {
        prefix + name: value for prefix, part in parts.items() for name, value in part.items()
    }
    configs = {
        "denoiser": config,
        "captions": base.caption_encoder.config,
        "autoencoder": autoencoder.config,
    }
    told = {name: json.dumps(asdict(each)) for name, each in configs.items()}
    save_file(half(weights), out / BASE_FILE, {"format": FORMAT} | told)


def export_instantid(model: InstantID, out: Path) -> None:
    """Write the image adapter in the published nested form, and IdentityNet in LDM names, which
    the host reads without guessing."""
    adapter, weights = model.adapter, model.identity_net.state_dict()
    sites = adapter_sites(adapter.to_k, adapter.to_v)
    nested = {"image_proj": half(adapter.resampler.state_dict()), "ip_adapter": half(sites)}
    torch.save(nested, out / ADAPTER_FILE)
    names = unet_names(DenoiserConfig()) | controlnet_names(weights)
    save_file(half(to_ldm(weights, names)), out / IDENTITY_NET_FILE)


def export_face_id(model: FaceID, out: Path) -> None:
    """Write the adapter in FaceID's published nested form: LoRA parts of all attentions, keys and
    values of every second."""
    sites = adapter_sites(model.to_k, model.to_v)
    for name, value in model.lora.state_dict().items():
        number, layer, part, _ = name.split(".")
        sites[f"{number}.{layer}_lora.{part}.weight"] = value
    nested = {"image_proj": half(model.projection.state_dict()), "ip_adapter": half(sites)}
    torch.save(nested, out / FACE_ID_FILE)


def export_surroundings(net: Tensors, out: Path) -> None:
    """Write the ControlNet that follows the colours behind people, as a Control-LoRA without
    low-rank parts: what the host does not take from the base model."""
    weights = to_ldm(net, controlnet_names(net)) | {"lora_controlnet": torch.zeros(1)}
    save_file(half(weights), out / SURROUNDINGS_FILE)


def adapter_sites(to_k: nn.ModuleList, to_v: nn.ModuleList) -> Tensors:
    """Keys and values by their published names: sites are numbered 1, 3, 5 and so on."""
    return {
        f"{2 * position + 1}.to_{kind}_ip.weight": layer.get_parameter("weight").detach()
        for kind, layers in (("k", to_k), ("v", to_v))
        for position, layer in enumerate(layers)
    }


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


def half(weights: Tensors) -> Tensors:
    """Contiguous copies in float16."""
    return {
        name: tensor.detach().to(torch.float16, memory_format=torch.contiguous_format, copy=True)
        for name, tensor in weights.items()
    }


def main() -> None:
    """The command line."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--run", type=Path, required=True)
    parser.add_argument("--out", type=Path, required=True)
    arguments = parser.parse_args()
    run, out = arguments.run, arguments.out
    out.mkdir(parents=True, exist_ok=True)
    export_base(load_base(run), load_autoencoder(run), out)
    export_instantid(load_trained(InstantID(load_base(run).unet), run / INSTANTID), out)
    export_surroundings(load_surroundings_weights(run), out)
    if (run / FACE_ID).exists():
        export_face_id(load_trained(FaceID(load_base(run).unet), run / FACE_ID), out)
    for path in sorted(out.iterdir()):
        print(f"{path.name}: {path.stat().st_size / 1e6:.1f} MB")


if __name__ == "__main__":
    main()
