"""The small world's base model in the host: its UNet, caption encoder and autoencoder.

Unlike the small SDXL beside it this one is trained, so its pictures show something.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import comfy.model_management
import comfy.model_patcher
import comfy.supported_models
import comfy.utils
import torch

from .networks.autoencoder import (
    FACTOR,
    LATENT_CHANNELS,
    Autoencoder,
    AutoencoderConfig,
)
from .networks.caption_encoder import CaptionConfig, CaptionEncoder
from .networks.denoiser import DenoiserConfig

UNET_PREFIX = "model.diffusion_model."
Tensors = dict[str, torch.Tensor]


def load_small_world(path: str | Path) -> tuple[Any, TrainedCaptions, TrainedVAE]:
    """MODEL, CLIP and VAE from the one file of the small world's base model."""
    weights, metadata = comfy.utils.load_torch_file(str(path), return_metadata=True)
    configs = {name: _tuples(json.loads(metadata[name])) for name in CONFIGS if name in metadata}
    if len(configs) < len(CONFIGS):
        raise ValueError(
            f"{path} is not the small world's checkpoint: expected the sizes of "
            f"{', '.join(CONFIGS)} in its metadata, found {', '.join(metadata or {}) or 'none'}."
        )
    captions = CaptionEncoder(CaptionConfig(**configs["captions"]))
    captions.load_state_dict(_part(weights, "caption_encoder."))
    autoencoder = Autoencoder(AutoencoderConfig(**configs["autoencoder"]))
    autoencoder.load_state_dict(_part(weights, "autoencoder."))
    unet = _unet(DenoiserConfig(**configs["denoiser"]), _part(weights, UNET_PREFIX))
    return unet, TrainedCaptions(_frozen(captions)), TrainedVAE(_frozen(autoencoder))


CONFIGS = ("denoiser", "captions", "autoencoder")


def _tuples(values: dict[str, Any]) -> dict[str, Any]:
    return {name: tuple(v) if isinstance(v, list) else v for name, v in values.items()}


def _part(weights: Tensors, prefix: str) -> Tensors:
    return {
        name[len(prefix) :]: tensor.float()
        for name, tensor in weights.items()
        if name.startswith(prefix)
    }


def _frozen(module: torch.nn.Module) -> torch.nn.Module:
    return module.requires_grad_(False).eval()


def _unet(config: DenoiserConfig, weights: Tensors) -> comfy.model_patcher.ModelPatcher:
    """The UNet as the host's own SDXL model, which detection would not take for one."""
    settings = comfy.supported_models.SDXL(config.host)
    settings.set_inference_dtype(torch.float32, None)
    model = settings.get_model({}, device=torch.device("cpu"))
    model.diffusion_model.load_state_dict(weights)
    _frozen(model.diffusion_model)
    return comfy.model_patcher.CoreModelPatcher(
        model,
        load_device=comfy.model_management.get_torch_device(),
        offload_device=comfy.model_management.unet_offload_device(),
    )


class TrainedCaptions:
    """The trained caption encoder with the methods that the host's nodes call on a CLIP."""

    def __init__(self, encoder: torch.nn.Module) -> None:
        self.cond_stage_model = encoder
        """Attribute in which LoRA loaders search for layers."""

    def clone(self) -> TrainedCaptions:
        return self

    def add_patches(self, *_: Any) -> tuple[str, ...]:
        """Take nothing of a LoRA: no file names these layers."""
        return ()

    def clip_layer(self, *_: Any) -> None:
        """There is no other layer to stop at."""

    def tokenize(self, text: str, **_: Any) -> list[int]:
        return self.cond_stage_model.tokenize(text)

    def encode_from_tokens_scheduled(
        self, tokens: list[int], **_: Any
    ) -> list[tuple[torch.Tensor, dict[str, torch.Tensor]]]:
        with torch.inference_mode():
            context, pooled = self.cond_stage_model(torch.tensor([tokens]))
        return [(context, {"pooled_output": pooled})]


@dataclass
class TrainedVAE:
    """The trained autoencoder with the methods that the host's nodes call on a VAE."""

    first_stage_model: torch.nn.Module
    latent_channels: int = LATENT_CHANNELS
    downscale_ratio: int = FACTOR
    upscale_ratio: int = FACTOR
    latent_dim: int = 2

    def decode(self, latent: torch.Tensor) -> torch.Tensor:
        """[B, 4, h, w] -> [B, 8 h, 8 w, 3] in 0..1."""
        with torch.inference_mode():
            pictures = self.first_stage_model.decode(latent.float().cpu())
        picture = ((pictures + 1) / 2).clamp(0, 1).movedim(1, -1).contiguous()
        return picture.to(comfy.model_management.intermediate_device())

    def encode(self, pixels: torch.Tensor) -> torch.Tensor:
        """[B, H, W, 3] in 0..1 -> [B, 4, H / 8, W / 8]; edges beyond whole cells are cut off."""
        _, height, width, _ = pixels.shape
        top, left = height % FACTOR // 2, width % FACTOR // 2
        whole = pixels[
            :, top : top + height // FACTOR * FACTOR, left : left + width // FACTOR * FACTOR, :3
        ]
        with torch.inference_mode():
            latents = self.first_stage_model.encode(whole.movedim(-1, 1).float().cpu() * 2 - 1)
        return latents.to(comfy.model_management.intermediate_device())

    def decode_tiled(self, latent: torch.Tensor, **_: Any) -> torch.Tensor:
        """Whole pictures: they are too small to need tiles."""
        return self.decode(latent)

    def encode_tiled(self, pixels: torch.Tensor, **_: Any) -> torch.Tensor:
        """Whole pictures: they are too small to need tiles."""
        return self.encode(pixels)

    def spacial_compression_decode(self) -> int:
        return FACTOR

    def spacial_compression_encode(self) -> int:
        return FACTOR

    def temporal_compression_decode(self) -> None:
        return None

    def throw_exception_if_invalid(self) -> None:
        """It always is valid."""
