"""The LoRA of an adapter, through the path that ComfyUI's own LoRA loader takes."""

from __future__ import annotations

import logging
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import comfy.lora
import comfy.lora_convert
import torch

from ...instantid_core.adapter import TRAINED, lora_targets, transformer_layers
from ...instantid_core.errors import IncompatibleModelError

if TYPE_CHECKING:
    from comfy.model_patcher import ModelPatcher

APPLIED = "instantid_lora"
"""Attachment of a model: source and strength of the LoRAs that adapters have added to it."""
UNET = "diffusion_model."
OTHER_STRENGTH = (
    "The model has the LoRA of this adapter at strength %g already; %g was not added to it. Set "
    "the same lora_strength in every InstantID Load Adapter of this file."
)
RAISED = ("up.weight", "lora_B.weight")
"""Ends of the names of which every layer of a LoRA has one."""

log = logging.getLogger(__name__)


@dataclass(frozen=True, eq=False)
class AttentionLora:
    """Changes of the UNet's attention."""

    tensors: Mapping[str, torch.Tensor]
    source: str
    """Equal for the same file loaded twice."""
    is_numbered: bool
    """True for the numbered layers of an adapter file, False for names that ComfyUI knows."""
    strength: float = TRAINED


def beside(file: Path) -> Path | None:
    """The file with the LoRA of an adapter, which has its name and `_lora` behind it."""
    names = (f"{file.stem}_lora{suffix}" for suffix in (".safetensors", ".bin"))
    return next((path for name in names if (path := file.with_name(name)).is_file()), None)


def with_lora(model: ModelPatcher, lora: AttentionLora) -> ModelPatcher:
    """A clone of the model with the LoRA; the model itself where an earlier identity of the same
    adapter has brought it. Raises IncompatibleModelError where layers have no place in the model.
    """
    applied = dict(model.get_attachment(APPLIED) or ())
    if lora.source in applied:
        if applied[lora.source] != lora.strength:
            log.warning(OTHER_STRENGTH, applied[lora.source], lora.strength)
        return model
    patched = model.clone()
    tensors = dict(lora.tensors)
    if not lora.is_numbered:
        tensors = comfy.lora_convert.convert_lora(tensors)
    changes = comfy.lora.load_lora(tensors, _places(model, lora), log_missing=False)
    added = patched.add_patches(changes, lora.strength)
    expected = sum(key.endswith(RAISED) for key in tensors)
    if len(added) < expected or not expected:
        raise IncompatibleModelError(
            f"The LoRA of this adapter has {expected} layers, and {len(added)} of them have a "
            "place in the connected model. Connect a checkpoint of the base model that the adapter "
            "was made for; if it is one, use the adapter's own LoRA file."
        )
    patched.set_attachments(APPLIED, ((lora.source, lora.strength), *applied.items()))
    return patched


def _places(model: ModelPatcher, lora: AttentionLora) -> dict[str, str]:
    """The model's weight for every name of a layer."""
    if not lora.is_numbered:
        return comfy.lora.model_lora_keys_unet(model.model, {})
    layers = transformer_layers(model.get_model_object("diffusion_model"))
    return lora_targets([UNET + layer for layer in layers])
