"""The adapter as a model that ComfyUI loads, offloads and accounts for."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import comfy.controlnet
import comfy.model_management
import comfy.model_patcher
import comfy.ops
import comfy.utils
import torch
from safetensors import SafetensorError

from ...instantid_core.adapter import (
    FROM_FILE,
    INSTANTID,
    PARTS,
    TRAINED,
    AdapterConfig,
    AdapterFile,
    IdentityAdapter,
    KeysValues,
    Kind,
    Projections,
    joined,
    kind_of,
    part_of,
    partner,
    project_keys_values,
    project_tokens,
    read_checkpoint,
)
from ...instantid_core.errors import (
    CheckpointError,
    IncompatibleModelError,
    TensorFileError,
    UnknownNumbersError,
)
from ...instantid_core.faces import about_recogniser, require_pack
from ...instantid_core.identity import NegativeIdentity
from ...instantid_core.libraries import first_line
from ...instantid_core.models import sha256_of
from ...instantid_core.types import Family, IdentityEmbedding, IdentityTokens, family_of
from ...instantid_core.weights import read_archive, require_sound_safetensors
from .adapter_lora import AttentionLora, beside
from .notices import warn
from .progress import Reporter, unreported

if TYPE_CHECKING:
    from comfy.controlnet import ControlBase
    from comfy.model_patcher import ModelPatcher

UNREADABLE = (TensorFileError, OSError, KeyError, ValueError, RuntimeError, SafetensorError)
"""Errors of reading files that are cut short, of another kind, or made to do harm."""
WITHOUT_LORA = (
    "'{name}' is an IP-Adapter FaceID without its LoRA, which belongs to it: expected it in the "
    "file, or as {wanted} beside it. Put that file there, or likeness will be lower."
)
SAFETENSORS = (".safetensors", ".sft")


@dataclass(frozen=True, eq=False)
class LoadedAdapter:
    """An image adapter under the host's memory management.

    What it made of an identity is remembered with it, within the bound of `Projections`.
    """

    patcher: ModelPatcher
    """The host looks for this name to learn what a node's output holds in memory."""
    config: AdapterConfig
    kind: Kind = INSTANTID
    lora: AttentionLora | None = None
    assumed_of: str = ""
    """Name of the file where its layout alone speaks for the recogniser; else empty."""
    projections: Projections = field(default_factory=Projections)

    @property
    def family(self) -> Family | None:
        """The base model that it is for; None for one of no known family."""
        return family_of(self.config.projection.context_dim)

    def tokens(self, identity: IdentityEmbedding, negative: NegativeIdentity) -> IdentityTokens:
        """Project an identity, on the device that the host chose for the adapter.

        Warns of an identity that was read for another base model's adapter. Nobody has no tokens.
        Raises IdentityError for one of another recogniser than the adapter's.
        """
        projection = self.config.projection
        if identity.is_nobody:
            none = torch.empty(0, projection.tokens, projection.context_dim)
            return IdentityTokens(none, none)
        require_pack(identity, self.kind.pack, self.kind.name, self.assumed_of)
        if self.kind.has_identity_net:
            warn(filter(None, [about_recogniser(identity, projection.context_dim)]))
        tokens = self.projections.tokens(
            identity,
            negative,
            lambda: project_tokens(self._ready(), identity, negative, self.patcher.load_device),
        )
        foreign = "" if self.kind.has_identity_net else self.kind.name
        return replace(tokens, foreign_to_net=foreign) if foreign else tokens

    def keys_values(
        self, tokens: IdentityTokens, dtype: torch.dtype, report: Reporter = unreported
    ) -> KeysValues:
        """Project tokens at every site; the results lie where the host keeps idle UNet weights.

        report: shows the work while there is any; what is known already has none to show.
        """

        def project() -> KeysValues:
            keep = comfy.model_management.unet_offload_device(), dtype
            each_site = report(len(self.config.site_widths))
            device = self.patcher.load_device
            return project_keys_values(self._ready(), tokens, device, keep, each_site)

        return self.projections.keys_values(tokens, dtype, project)

    def _ready(self) -> IdentityAdapter:
        comfy.model_management.load_models_gpu([self.patcher])
        return self.patcher.model


def load_adapter(
    path: str, name: str, recogniser: str = FROM_FILE, lora_strength: float = TRAINED
) -> LoadedAdapter:
    """Load an adapter of any form: one file, or one of the two for SD 1.5 and its neighbour.

    recogniser: the pack that it was trained on, where the user says so. Raises CheckpointError for
    everything else.
    """
    file = Path(path)
    raw = _readable(file, name)
    part = part_of(raw)
    if part is not None:
        other = partner(name, part, (file.name for file in Path(path).parent.iterdir()))
        neighbour = _readable(Path(path).parent / other, other)
        parts = {part: raw, part_of(neighbour) or "": neighbour}
        raw = joined(parts) if len(parts) == len(PARTS) and "" not in parts else neighbour
    checkpoint = read_checkpoint(raw, name)
    described = AdapterFile(checkpoint.kind, name, file.stat().st_size, lambda: sha256_of(file))
    kind = kind_of(described, recogniser)
    adapter = IdentityAdapter.from_checkpoint(checkpoint, comfy.ops.manual_cast)
    # By attribute: the host exchanges this class when it streams weights dynamically.
    patcher = comfy.model_patcher.CoreModelPatcher(
        adapter,
        load_device=comfy.model_management.get_torch_device(),
        offload_device=comfy.model_management.unet_offload_device(),
    )
    lora = None
    if kind.lora and lora_strength != 0:
        lora = _lora_of(checkpoint.lora, file, name, lora_strength)
    is_assumed = recogniser == FROM_FILE and not described.is_published
    return LoadedAdapter(patcher, checkpoint.config, kind, lora, name if is_assumed else "")


def _lora_of(
    own: Mapping[str, torch.Tensor], file: Path, name: str, strength: float
) -> AttentionLora | None:
    """The LoRA of an adapter: its own, or that of the file beside it."""
    if own:
        return AttentionLora(own, str(file.resolve()), is_numbered=True, strength=strength)
    neighbour = beside(file)
    if neighbour is None:
        warn([WITHOUT_LORA.format(name=name, wanted=f"{file.stem}_lora.safetensors")])
        return None
    tensors = _readable(neighbour, neighbour.name)
    return AttentionLora(tensors, str(neighbour.resolve()), is_numbered=False, strength=strength)


def load_control_net(path: str, name: str) -> ControlBase:
    """Load a ControlNet as the core node does. Raises IncompatibleModelError for everything else;
    whether it is IdentityNet is known where it meets an adapter."""
    try:
        found = comfy.controlnet.load_controlnet(path)
    except UNREADABLE as error:
        raise IncompatibleModelError(
            f"'{name}' cannot be read ({first_line(error)}). It is probably cut short: compare its "
            "size (2.50 GB for the published IdentityNet), delete it and download it again."
        ) from error
    if found is None:
        raise IncompatibleModelError(
            f"'{name}' should be IdentityNet, but is no ControlNet. Choose InstantID's "
            "ControlNetModel/diffusion_pytorch_model.safetensors as control_net_name."
        )
    return found


def _readable(path: Path, name: str) -> Any:
    """A file's tensors. Raises CheckpointError for what cannot be read."""
    try:
        return _read(path)
    except UnknownNumbersError as error:
        raise CheckpointError(
            f"'{name}' cannot be read: {error} in a file of this kind, such as fp8. Save it as "
            "safetensors, which takes every format, or use the published file."
        ) from error
    except UNREADABLE as error:
        raise CheckpointError(
            f"'{name}' cannot be read ({first_line(error)}). "
            "It is probably cut short or an error page saved under the file's name: compare its "
            "size (1.69 GB for ip-adapter.bin), delete it and download it again."
        ) from error


def _read(path: Path) -> Any:
    """The file's tensors. No claim of the file is believed before it was checked."""
    if path.suffix.lower() not in SAFETENSORS:
        return read_archive(path)
    require_sound_safetensors(path)
    return comfy.utils.load_torch_file(str(path), safe_load=True)
