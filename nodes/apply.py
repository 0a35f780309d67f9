"""Nodes that apply an identity to a model and to conditioning."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

import torch
from comfy_api.latest import io

from ..instantid_core.adapter import CONSTANT, UNIFORM, RegionMask, span
from ..instantid_core.errors import SettingError, finite
from ..instantid_core.faces import FaceAnalyzer, Selection, about_faces
from ..instantid_core.identity import COMBINE, OLDER_NAMES, NegativeIdentity
from ..instantid_core.images import colours_of, region_mask
from ..instantid_core.keypoints import FITS
from ..instantid_core.types import Faces, IdentityEmbedding
from . import inputs
from .faces import analyse_images, make_identity
from .host.application import Influence, apply_adapter, apply_identity_net
from .host.notices import warn
from .host.progress import progress

if TYPE_CHECKING:
    from .host.models import LoadedAdapter

WORDS = ["InstantID", "identity", "face", "likeness", "portrait", "faceid", "face swap"]
LETTERBOX = FITS[0]


def influence(
    name: str,
    amount: float,
    window: tuple[float, float],
    mask: torch.Tensor | None,
    negative: NegativeIdentity = NegativeIdentity(),  # noqa: B008  an immutable value
) -> Influence:
    """Check what the widgets say."""
    region = None if mask is None else RegionMask(region_mask(mask))
    return Influence(finite(name, amount), span(*window), region, negative)


class ApplyAdapter(io.ComfyNode):
    """Adds an identity to a model's cross-attention."""

    @classmethod
    def define_schema(cls) -> io.Schema:
        return io.Schema(
            node_id="InstantIDApplyAdapter",
            display_name="InstantID Apply Adapter",
            category=inputs.CATEGORY,
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
            ],
            outputs=[io.Model.Output(display_name="model", tooltip="The model with the identity.")],
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
    ) -> io.NodeOutput:
        negative = NegativeIdentity(negative_identity, noise_strength, noise_seed)
        how = influence("weight", weight, (start_at, end_at), mask, negative)
        how = replace(how, profile=profile, curve=curve)
        return io.NodeOutput(apply_adapter(model, adapter, identity, how, progress))


class ApplyIdentityNet(io.ComfyNode):
    """Adds IdentityNet to conditioning."""

    @classmethod
    def define_schema(cls) -> io.Schema:
        return io.Schema(
            node_id="InstantIDApplyIdentityNet",
            display_name="InstantID Apply IdentityNet",
            category=inputs.CATEGORY,
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
    ) -> io.NodeOutput:
        pose = _one_pose(faces, image)
        against = NegativeIdentity(negative_identity, noise_strength, noise_seed)
        how = influence("strength", strength, (start_at, end_at), mask, against)
        both = (positive, negative)
        return io.NodeOutput(
            *apply_identity_net(both, control_net, adapter, identity, how, pose, fit)
        )


class Apply(io.ComfyNode):
    """The whole method in one node."""

    @classmethod
    def define_schema(cls) -> io.Schema:
        return io.Schema(
            node_id="InstantIDApply",
            display_name="InstantID Apply",
            category=inputs.CATEGORY,
            description="Applies the whole method in one node: face analysis, image adapter and "
            "IdentityNet with their default settings.",
            search_aliases=WORDS,
            inputs=[
                inputs.model(),
                *inputs.prompts(),
                inputs.adapter(),
                inputs.analyzer(),
                inputs.control_net(),
                io.Image.Input(
                    "image",
                    tooltip="Photo of the person; the largest face is used. Several photos in a "
                    "batch are averaged.",
                ),
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
            ],
            outputs=[
                io.Model.Output(display_name="model", tooltip="The model with the identity."),
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
    ) -> io.NodeOutput:
        against = NegativeIdentity(negative_identity, noise_strength, noise_seed)
        to_model = influence("weight", weight, (start_at, end_at), mask, against)
        to_net = influence("strength", strength, (start_at, end_at), mask, against)
        analysis = analyse_images(analyzer, image, Selection())
        warn(about_faces(analysis))
        faces = analysis.faces
        pose = faces if image_kps is None else _pose_of(analyzer, image_kps)
        identity = make_identity(faces, combine)
        patched = apply_adapter(model, adapter, identity, to_model, progress)
        both = (positive, negative)
        conditioned = apply_identity_net(
            both, control_net, adapter, identity, to_net, pose, LETTERBOX
        )
        return io.NodeOutput(patched, *conditioned)


def _one_pose(faces: Faces | None, image: torch.Tensor | None) -> Faces | torch.Tensor:
    if faces is not None and image is None:
        return faces
    if image is None or faces is not None:
        found = "neither" if faces is None else "both"
        raise SettingError(
            "InstantID Apply IdentityNet takes its keypoints from exactly one of faces and image; "
            f"{found} is connected. Connect faces from InstantID Analyze Faces, or a drawn "
            "keypoint picture as image."
        )
    return colours_of(image)


def _pose_of(analyzer: FaceAnalyzer, image_kps: torch.Tensor) -> Faces | torch.Tensor:
    """Faces of a photo; a picture without any is taken for drawn keypoints."""
    faces = analyse_images(analyzer, image_kps, Selection(on_no_face="skip")).faces
    return faces if faces.count else colours_of(image_kps)
