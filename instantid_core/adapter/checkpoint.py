"""Recognise adapter files and read their sizes from tensor shapes.

Two forms are in use: the published `ip-adapter.bin`, a dict of two dicts, and flat safetensors
with the same names behind `image_proj.` and `ip_adapter.`.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from types import MappingProxyType
from typing import Any, NamedTuple

import torch
from torch import nn

from ..errors import CheckpointError
from ..types import EMBEDDING_WIDTH
from .attention_lora import require_whole_lora, split_lora
from .face_id import WHAT_TO_DO as FACE_ID_INSTEAD
from .face_id import FaceIDConfig, is_face_id, read_projection
from .kinds import FACE_ID, INSTANTID, PORTRAIT, Kind
from .resampler import HEAD_WIDTH, ResamplerConfig
from .shapes import require_shapes
from .sites import checkpoint_index

PARTS = ("image_proj", "ip_adapter")
WHAT_TO_DO = "Choose InstantID's ip-adapter.bin (1.69 GB), placed in models/instantid."

LIMITS = ResamplerConfig(*[1 << 16] * 4, depth=64, tokens=1 << 12, context_dim=1 << 16)
"""Largest sizes that are accepted; above these not even a network on the meta device is built."""

FACE_ID_TOKENS = 4
"""Of FaceID for one photo; with more, and without a LoRA, it is FaceID-Portrait."""
StateDict = Mapping[str, torch.Tensor]


class AdapterConfig(NamedTuple):
    """Sizes of an image adapter."""

    projection: ResamplerConfig | FaceIDConfig
    site_widths: tuple[int, ...]
    """Key/value channels of each cross-attention site, in file order; SDXL has 70."""


class AdapterCheckpoint(NamedTuple):
    """An adapter file in canonical form."""

    image_proj: StateDict
    ip_adapter: StateDict
    config: AdapterConfig
    kind: Kind = INSTANTID
    """According to the tensors alone."""
    lora: StateDict = MappingProxyType({})
    """Of FaceID: changes of the UNet's attention, by `attention_lora`; empty where it has none."""


def read_checkpoint(raw: Mapping[str, Any], name: str) -> AdapterCheckpoint:
    """Recognise an adapter file.

    raw: the loaded file, nested or flat; meta tensors will do. name: the file's name, for messages.
    Raises CheckpointError that says what the file seems to be instead.
    """
    parts = [_part(raw, part) for part in PARTS]
    if not all(parts):
        missing = " and ".join(p for p, found in zip(PARTS, parts, strict=True) if not found)
        raise CheckpointError(
            f"'{name}' is not an InstantID adapter: expected the parts image_proj and ip_adapter, "
            f"found no {missing} among {_some_keys(raw)}. {WHAT_TO_DO}"
        )
    image_proj, ip_adapter = parts
    _require_weights([*image_proj.values(), *ip_adapter.values()], name)
    if is_face_id(image_proj):
        return _read_face_id(image_proj, ip_adapter, name)
    config = AdapterConfig(_resampler_config(image_proj, name), _site_widths(ip_adapter, name))
    _require_one_context_width(ip_adapter, config.projection, name)
    return AdapterCheckpoint(image_proj, ip_adapter, config)


def _read_face_id(image_proj: StateDict, both: StateDict, name: str) -> AdapterCheckpoint:
    lora, ip_adapter = split_lora(both)
    projection = read_projection(image_proj, name)
    config = AdapterConfig(projection, _site_widths(ip_adapter, name, FACE_ID_INSTEAD))
    _require_one_context_width(ip_adapter, projection, name, FACE_ID_INSTEAD)
    if lora:
        require_whole_lora(lora, config.site_widths, projection.context_dim, name)
    is_portrait = not lora and projection.tokens > FACE_ID_TOKENS
    kind = PORTRAIT if is_portrait else FACE_ID
    return AdapterCheckpoint(image_proj, ip_adapter, config, kind, lora)


def _part(raw: Mapping[str, Any], part: str) -> StateDict:
    nested = raw.get(part)
    if isinstance(nested, Mapping):
        # Keys may be numbers; as text they are reported like any other unknown key.
        found = {str(key): value for key, value in nested.items()}
    else:
        prefix = part + "."
        found = {
            key[len(prefix) :]: raw[key]
            for key in raw
            if isinstance(key, str) and key.startswith(prefix)
        }
    return {key: value for key, value in found.items() if isinstance(value, torch.Tensor)}


def _require_weights(tensors: Iterable[torch.Tensor], name: str) -> None:
    kinds = {tensor.dtype for tensor in tensors if not tensor.is_floating_point()}
    if kinds:
        found = ", ".join(sorted(str(kind).removeprefix("torch.") for kind in kinds))
        raise CheckpointError(
            f"'{name}' is damaged: weights are floating-point numbers, found {found}. {WHAT_TO_DO}"
        )


def _some_keys(raw: Mapping[str, Any]) -> str:
    if not raw:
        return "nothing at all"
    keys = sorted(str(key) for key in raw)
    return ", ".join(keys[:3]) + (f" and {len(keys) - 3} more" if len(keys) > 3 else "")


def _resampler_config(image_proj: StateDict, name: str) -> ResamplerConfig:
    _refuse_other_families(image_proj, name)
    shapes = {key: tuple(tensor.shape) for key, tensor in image_proj.items()}
    try:
        config = _read_sizes(shapes)
    except (KeyError, IndexError, ValueError) as error:
        raise CheckpointError(
            f"'{name}' has an image_proj part that is not InstantID's resampler "
            f"(problem at {error}). {WHAT_TO_DO}"
        ) from error
    if config.inner_width % HEAD_WIDTH:
        raise CheckpointError(
            f"'{name}' is of another family: its attention is {config.inner_width} wide, which "
            f"does not divide into heads of {HEAD_WIDTH}. {WHAT_TO_DO}"
        )
    if not all(0 < size <= limit for size, limit in zip(config, LIMITS, strict=True)):
        raise CheckpointError(
            f"'{name}' is damaged or of another family: its resampler would have sizes that no "
            f"adapter has ({config}). {WHAT_TO_DO}"
        )
    what = f"its resampler of depth {config.depth}"
    require_shapes(shapes, config.build(nn, device="meta"), name, what, WHAT_TO_DO)
    return config


def _read_sizes(shapes: Mapping[str, tuple[int, ...]]) -> ResamplerConfig:
    width, embed_dim = shapes["proj_in.weight"]
    return ResamplerConfig(
        embed_dim=embed_dim,
        width=width,
        inner_width=shapes["layers.0.0.to_q.weight"][0],
        feedforward_width=shapes["layers.0.1.1.weight"][0],
        depth=len({m[1] for key in shapes if (m := re.match(r"layers\.(\d+)\.", key))}),
        tokens=shapes["latents"][1],
        context_dim=shapes["proj_out.weight"][0],
    )


def _refuse_other_families(image_proj: StateDict, name: str) -> None:
    family = None
    if "proj.weight" in image_proj:
        family = "a plain IP-Adapter for CLIP image features"
    elif any(key.startswith("perceiver_resampler.") for key in image_proj):
        family = (
            "an IP-Adapter FaceID Plus, which needs pictures of the face through CLIP that an "
            "identity does not hold (an IP-Adapter FaceID without Plus loads here, and "
            "IPAdapter_plus loads this file)"
        )
    elif "latents" in image_proj and "proj_in.weight" in image_proj:
        width = _last_side(image_proj["proj_in.weight"])
        if width != EMBEDDING_WIDTH:
            family = f"an IP-Adapter Plus for image features of width {width}"
    elif "proj.0.weight" in image_proj:
        width = _last_side(image_proj["proj.0.weight"])
        family = f"an IP-Adapter Full, for image features of width {width}"
    elif any(key.startswith("mapping_") or key.startswith("id_") for key in image_proj):
        family = "a PuLID adapter"
    if family:
        raise CheckpointError(
            f"'{name}' is {family}; InstantID's adapter takes face embeddings of width "
            f"{EMBEDDING_WIDTH} through a resampler. {WHAT_TO_DO}"
        )


def _last_side(tensor: torch.Tensor) -> int:
    return tensor.shape[-1] if tensor.ndim else 0


def _site_widths(ip_adapter: StateDict, name: str, what_to_do: str = WHAT_TO_DO) -> tuple[int, ...]:
    count = len(ip_adapter) // 2
    names = site_keys(count)
    expected = {key for pair in names for key in pair}
    if not count or set(ip_adapter) != expected:
        missing = [key for pair in names for key in pair if key not in ip_adapter]
        odd = [*missing, *sorted(set(ip_adapter) - expected)][:3]
        raise CheckpointError(
            f"'{name}' is damaged or of another family: expected a to_k_ip and a to_v_ip tensor "
            f"for every cross-attention site, numbered 1, 3, 5, ...; the difference begins with "
            f"{', '.join(odd) or 'no tensor at all'}. {what_to_do}"
        )
    for key, value in names:
        shapes = [tuple(ip_adapter[each].shape) for each in (key, value)]
        if shapes[0] != shapes[1] or len(shapes[0]) != 2:
            raise CheckpointError(
                f"'{name}' is damaged: {key} and {value} must be two matrices of one shape, found "
                f"{shapes[0]} and {shapes[1]}. {what_to_do}"
            )
    return tuple(ip_adapter[key].shape[0] for key, _ in names)


def _require_one_context_width(
    ip_adapter: StateDict,
    projection: ResamplerConfig | FaceIDConfig,
    name: str,
    what_to_do: str = WHAT_TO_DO,
) -> None:
    widths = {int(tensor.shape[1]) for tensor in ip_adapter.values()}
    if widths != {projection.context_dim}:
        raise CheckpointError(
            f"'{name}' does not fit together: the projection makes tokens of width "
            f"{projection.context_dim}, the attention layers take {sorted(widths)}. {what_to_do}"
        )


def site_keys(count: int) -> list[tuple[str, str]]:
    """Names of the key and value projection of each of `count` sites, in file order."""
    numbers = (checkpoint_index(position) for position in range(count))
    return [(f"{n}.to_k_ip.weight", f"{n}.to_v_ip.weight") for n in numbers]
