"""Socket types, and the values that they take."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, NamedTuple

import torch
from comfy_api.latest import io

from ..instantid_core.faces import FaceAnalyzer
from ..instantid_core.keypoints import FaceCrops
from ..instantid_core.types import Direction as LearntDirection
from ..instantid_core.types import Faces as FoundFaces
from ..instantid_core.types import IdentityEmbedding, IdentityTokens
from .host.models import LoadedAdapter

Analyzer = io.Custom("INSTANTID_ANALYZER")
Faces = io.Custom("INSTANTID_FACES")
Identity = io.Custom("INSTANTID_IDENTITY")
Direction = io.Custom("INSTANTID_DIRECTION")
Tokens = io.Custom("INSTANTID_TOKENS")
Adapter = io.Custom("INSTANTID_ADAPTER")
Crop = io.Custom("INSTANTID_CROP")


class Travels(NamedTuple):
    """The values that a socket takes."""

    name: str
    """As an error names them, with an article."""
    fits: Callable[[Any], bool]


def _of(kind: type) -> Callable[[Any], bool]:
    return lambda value: isinstance(value, kind)


def _with(*attributes: str) -> Callable[[Any], bool]:
    # By what the pack calls: packs have models and ControlNets that inherit nothing from ComfyUI's.
    return lambda value: all(hasattr(value, name) for name in attributes)


def _is_latent(value: Any) -> bool:
    return isinstance(value, dict) and isinstance(value.get("samples"), torch.Tensor)


def _is_conditioning(value: Any) -> bool:
    return isinstance(value, list) and all(
        isinstance(entry, (list, tuple)) and len(entry) == 2 and isinstance(entry[1], dict)
        for entry in value
    )


TRAVELS: Mapping[str, Travels] = {
    Analyzer.io_type: Travels("a face analyzer", _of(FaceAnalyzer)),
    Faces.io_type: Travels("analyzed faces", _of(FoundFaces)),
    Identity.io_type: Travels("an identity", _of(IdentityEmbedding)),
    Direction.io_type: Travels("a direction", _of(LearntDirection)),
    Tokens.io_type: Travels("identity tokens", _of(IdentityTokens)),
    Adapter.io_type: Travels("an InstantID adapter", _of(LoadedAdapter)),
    Crop.io_type: Travels("a face crop", _of(FaceCrops)),
    io.Model.io_type: Travels("a model", _with("clone", "model", "model_options")),
    io.ControlNet.io_type: Travels("a ControlNet", _with("copy", "set_cond_hint")),
    io.Conditioning.io_type: Travels("conditioning", _is_conditioning),
    io.Image.io_type: Travels("images", _of(torch.Tensor)),
    io.Latent.io_type: Travels("latents", _is_latent),
    io.Mask.io_type: Travels("a mask", _of(torch.Tensor)),
    io.String.io_type: Travels("a text", _of(str)),
    io.Boolean.io_type: Travels("true or false", _of(int)),
    io.Combo.io_type: Travels("one of its choices", _of(str)),
}
"""Values of each socket type, without numbers, which have bounds, and growing inputs."""
