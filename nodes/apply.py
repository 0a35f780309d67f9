"""Nodes that apply an identity to a model and to conditioning."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

import torch
from comfy_api.latest import io

from ..instantid_core.adapter import (
    ADD,
    CONSTANT,
    CUSTOM,
    EVERY_STEP,
    UNIFORM,
    AdapterSettings,
    Amounts,
    DrawnHint,
    GivenHint,
    Hint,
    NetSettings,
    Region,
    RegionMask,
    Span,
    amounts_of,
    span,
)
from ..instantid_core.errors import SettingError, finite
from ..instantid_core.faces import FaceAnalyzer, Selection
from ..instantid_core.identity import COMBINE, OLDER_NAMES, NegativeIdentity
from ..instantid_core.images import colours_of, region_mask
from ..instantid_core.keypoints import FITS
from ..instantid_core.types import Faces, Family, IdentityEmbedding
from . import inputs
from .faces import analyse_images, identity_of
from .host.application import apply_adapter, apply_identity_net
from .host.notices import warn
from .host.progress import progress

if TYPE_CHECKING:
    from .host.models import LoadedAdapter

WORDS = ["InstantID", "identity", "face", "likeness", "portrait", "faceid", "face swap"]
WHOLE_METHOD = [
    *("person", "same person", "head", "headshot", "character", "consistent character", "avatar"),
    *("reference", "ipadapter", "pulid", "reactor", "photomaker"),
]
"""Further search words for the beginner's node, among them names of other methods."""
LETTERBOX = FITS[0]


def adapter_settings(
    weight: float, window: tuple[float, float], region: Region | None
) -> AdapterSettings:
    """Check the widgets of the adapter's side."""
    return AdapterSettings(finite("weight", weight), span(*window), region)


def net_settings(
    strength: float, window: tuple[float, float], region: Region | None, reuse: int = EVERY_STEP
) -> NetSettings:
    """Check the widgets of IdentityNet's side."""
    return NetSettings(finite("strength", strength), span(*window), region, reuse)


def region_of(mask: torch.Tensor | None) -> Region | None:
    """Check a mask, and say so where it has no white."""
    if mask is None:
        return None
    region = RegionMask(region_mask(mask))
    warn(region.advice())
    return region


class ApplyAdapter(io.ComfyNode):
    """Adds an identity to a model's cross-attention."""

    @classmethod
    def define_schema(cls) -> io.Schema:
        return io.Schema(
            node_id="InstantIDApplyAdapter",
            display_name="InstantID Apply Adapter",
            category=inputs.PARTS,
            description="Adds an identity to the model's cross-attention, beside the text. For "
            "several people, chain several of these nodes, each with a mask.",
            search_aliases=WORDS,
            inputs=[
                inputs.model(),
                inputs.adapter(),
                inputs.identity(),
                inputs.weight(),
                *inputs.window(),
                inputs.mask("the identity"),
                inputs.profile(),
                *inputs.negative_identity(),
                inputs.curve(),
                inputs.insertion(),
            ],
            outputs=[inputs.model_output()],
        )

    @classmethod
    def execute(
        cls,
        model: Any,
        adapter: LoadedAdapter,
        identity: IdentityEmbedding,
        weight: float,
        start_at: float,
        end_at: float,
        mask: torch.Tensor | None = None,
        profile: str = UNIFORM,
        negative_identity: str = NegativeIdentity().kind,
        noise_strength: float = NegativeIdentity().strength,
        noise_seed: int = NegativeIdentity().seed,
        curve: str = CONSTANT,
        insertion: str = ADD,
    ) -> io.NodeOutput:
        settings = adapter_settings(weight, (start_at, end_at), region_of(mask))
        settings = replace(settings, profile=profile, curve=curve, insertion=insertion)
        negative = NegativeIdentity(negative_identity, noise_strength, noise_seed)
        tokens = adapter.tokens(identity, negative)
        return io.NodeOutput(apply_adapter(model, adapter, tokens, settings, progress))


class ApplyIdentityNet(io.ComfyNode):
    """Adds IdentityNet to conditioning."""

    @classmethod
    def define_schema(cls) -> io.Schema:
        return io.Schema(
            node_id="InstantIDApplyIdentityNet",
            display_name="InstantID Apply IdentityNet",
            category=inputs.PARTS,
            description="Adds IdentityNet to the conditioning: a ControlNet that takes five "
            "facial keypoints and sees the identity instead of the text. Other ControlNets in "
            "the chain still see the text.",
            search_aliases=[*WORDS, "controlnet", "keypoints", "pose"],
            inputs=[
                *inputs.prompts(),
                inputs.control_net(),
                inputs.adapter(),
                inputs.identity(),
                inputs.strength(),
                *inputs.window(),
                *inputs.pose(),
                inputs.mask("IdentityNet"),
                inputs.fit(advanced=True, optional=True),
                *inputs.negative_identity(),
                inputs.reuse(),
            ],
            outputs=inputs.prompt_outputs(),
        )

    @classmethod
    def execute(
        cls,
        positive: list[Any],
        negative: list[Any],
        control_net: Any,
        adapter: LoadedAdapter,
        identity: IdentityEmbedding,
        strength: float,
        start_at: float,
        end_at: float,
        faces: Faces | None = None,
        image: torch.Tensor | None = None,
        mask: torch.Tensor | None = None,
        fit: str = LETTERBOX,
        negative_identity: str = NegativeIdentity().kind,
        noise_strength: float = NegativeIdentity().strength,
        noise_seed: int = NegativeIdentity().seed,
        reuse: int = EVERY_STEP,
    ) -> io.NodeOutput:
        hint = _one_hint(faces, image, fit, adapter.family)
        settings = net_settings(strength, (start_at, end_at), region_of(mask), reuse)
        tokens = adapter.tokens(
            identity, NegativeIdentity(negative_identity, noise_strength, noise_seed)
        )
        both = (positive, negative)
        return io.NodeOutput(*apply_identity_net(both, control_net, tokens, settings, hint))


class Apply(io.ComfyNode):
    """The whole method in one node."""

    @classmethod
    def define_schema(cls) -> io.Schema:
        return io.Schema(
            node_id="InstantIDApply",
            display_name="InstantID",
            category=inputs.CATEGORY,
            description="Applies the whole method in one node: face analysis, image adapter and "
            "IdentityNet with their default settings.",
            search_aliases=[*WORDS, *WHOLE_METHOD],
            inputs=[
                inputs.model(),
                *inputs.prompts(),
                inputs.adapter(),
                inputs.analyzer(),
                inputs.control_net(),
                _photo(),
                inputs.weight(),
                inputs.strength(),
                *inputs.window(),
                io.Image.Input(
                    "image_kps",
                    optional=True,
                    tooltip="Position and pose of the face: a photo whose face gives the pose, "
                    "or a finished keypoint image. If nothing is connected, the pose of the "
                    "person's own photo is used.",
                ),
                inputs.mask("the identity"),
                inputs.combine(optional=True),
                *inputs.negative_identity(),
                inputs.likeness(),
                _face(),
                inputs.reuse(),
            ],
            outputs=[
                inputs.model_output(),
                *inputs.prompt_outputs(),
            ],
        )

    @classmethod
    def validate_inputs(cls, combine: str | None = None) -> bool | str:
        """Takes the place of the host's check of this choice: graphs made for the older pack hold
        its words."""
        known = (*COMBINE, *OLDER_NAMES)
        if combine is None or combine in known:
            return True
        return f"combine must be one of {', '.join(COMBINE)}; found '{combine}'."

    @classmethod
    def execute(
        cls,
        model: Any,
        positive: list[Any],
        negative: list[Any],
        adapter: LoadedAdapter,
        analyzer: FaceAnalyzer,
        control_net: Any,
        image: torch.Tensor,
        weight: float,
        strength: float,
        start_at: float,
        end_at: float,
        image_kps: torch.Tensor | None = None,
        mask: torch.Tensor | None = None,
        combine: str = COMBINE[0],
        negative_identity: str = NegativeIdentity().kind,
        noise_strength: float = NegativeIdentity().strength,
        noise_seed: int = NegativeIdentity().seed,
        likeness: str = CUSTOM,
        face: int = 0,
        reuse: int = EVERY_STEP,
    ) -> io.NodeOutput:
        region = region_of(mask)
        custom = Amounts(weight, strength, Span(start_at, end_at))
        amounts = amounts_of(likeness, custom)
        to_model = adapter_settings(amounts.weight, amounts.window, region)
        to_net = net_settings(amounts.strength, amounts.window, region, reuse)
        analysis = analyse_images(analyzer, image, _selection_of(face))
        hint = DrawnHint(analysis.faces, LETTERBOX, adapter.family)
        if image_kps is not None:
            hint = _hint_of_photo(analyzer, image_kps, adapter.family)
        tokens = adapter.tokens(
            identity_of(analysis.faces, combine),
            NegativeIdentity(negative_identity, noise_strength, noise_seed),
        )
        patched = apply_adapter(model, adapter, tokens, to_model, progress)
        both = (positive, negative)
        conditioned = apply_identity_net(both, control_net, tokens, to_net, hint)
        return io.NodeOutput(patched, *conditioned)


def _photo() -> io.Image.Input:
    return io.Image.Input(
        "image",
        tooltip="Photo of the person; the largest face is used, or the one that face names. "
        "Several photos in a batch are averaged.",
    )


def _face() -> io.Int.Input:
    return io.Int.Input(
        "face",
        default=0,
        min=0,
        max=64,
        optional=True,
        tooltip="Which face of the photo is the person, counted from 1 at the left; 0 is the "
        "largest. Find faces shows them with their numbers, before anything else runs.",
    )


def _selection_of(face: int) -> Selection:
    """The face of a number that counts from 1; of 0, the largest."""
    largest = Selection(has_inputs=False)
    return replace(largest, policy="index", index=face - 1) if face else largest


def _one_hint(
    faces: Faces | None, image: torch.Tensor | None, fit: str, family: Family | None
) -> Hint:
    """The hint of whichever of the two is connected. Raises SettingError for both and neither."""
    if faces is not None and image is None:
        return DrawnHint(faces, fit, family)
    if image is not None and faces is None:
        return GivenHint(colours_of(image))
    found = "neither" if faces is None else "both"
    raise SettingError(
        "InstantID Apply IdentityNet takes its keypoints from exactly one of faces and image; "
        f"{found} is connected. Connect faces from InstantID Analyze Faces, or a drawn "
        "keypoint picture as image."
    )


def _hint_of_photo(analyzer: FaceAnalyzer, image: torch.Tensor, family: Family | None) -> Hint:
    """Faces of a photo; a picture without any is taken for drawn keypoints."""
    selection = Selection(on_no_face="skip", has_inputs=False)
    faces = analyse_images(analyzer, image, selection).faces
    return DrawnHint(faces, LETTERBOX, family) if faces.count else GivenHint(colours_of(image))
