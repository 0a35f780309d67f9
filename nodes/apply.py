"""Nodes that apply an identity to a model and to conditioning."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import torch
from comfy_api.latest import io

from ..instantid_core.embedding import NegativeIdentity, combine
from ..instantid_core.errors import SettingError
from ..instantid_core.face_models import FaceAnalyzer
from ..instantid_core.images import frames_of
from ..instantid_core.keypoints import FITS
from ..instantid_core.masks import RegionMask, region_mask
from ..instantid_core.profiles import PROFILES
from ..instantid_core.schedule import finite, span
from ..instantid_core.selection import Selection
from ..instantid_core.types import Faces, IdentityEmbedding
from . import sockets
from .faces import analyse_images
from .host.application import Influence, apply_adapter, apply_identity_net
from .inputs import CATEGORY, fit, mask, negative_identity, strength, weight, window

if TYPE_CHECKING:
    from .host.models import LoadedAdapter

WORDS = ["InstantID", "identity", "face", "likeness", "portrait", "faceid", "face swap"]
UNIFORM = next(iter(PROFILES))
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
            category=CATEGORY,
            description="Lets the model attend to an identity beside the text. Chain several, each "
            "with a mask, for several people.",
            search_aliases=WORDS,
            inputs=[
                io.Model.Input(
                    "model", tooltip="An SDXL model. It is not changed; a copy comes out."
                ),
                sockets.Adapter.Input("adapter", tooltip="From InstantID Load Adapter."),
                sockets.Identity.Input("identity", tooltip="From InstantID Embed Identity."),
                weight(),
                *window(),
                mask("the identity"),
                io.Combo.Input(
                    "profile",
                    options=list(PROFILES),
                    default=UNIFORM,
                    optional=True,
                    advanced=True,
                    tooltip="How the weight is spread over the layers of the model; uniform as "
                    "published. Names as in IP-Adapter.",
                ),
                *negative_identity(),
            ],
            outputs=[io.Model.Output(display_name="model")],
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
    ) -> io.NodeOutput:
        negative = NegativeIdentity(negative_identity, noise_strength, noise_seed)
        how = influence("weight", weight, (start_at, end_at), mask, negative)
        return io.NodeOutput(apply_adapter(model, adapter, identity, how, profile))


class ApplyIdentityNet(io.ComfyNode):
    """Adds IdentityNet to conditioning."""

    @classmethod
    def define_schema(cls) -> io.Schema:
        return io.Schema(
            node_id="InstantIDApplyIdentityNet",
            display_name="InstantID Apply IdentityNet",
            category=CATEGORY,
            description="Adds IdentityNet: a ControlNet that takes five facial keypoints and sees "
            "the identity in place of the text. Other ControlNets in the chain keep their text.",
            search_aliases=[*WORDS, "controlnet", "keypoints", "pose"],
            inputs=[
                io.Conditioning.Input("positive", tooltip="The prompt. A copy comes out."),
                io.Conditioning.Input("negative", tooltip="The negative prompt. A copy comes out."),
                io.ControlNet.Input(
                    "control_net",
                    tooltip="InstantID's ControlNet, from the core node Load ControlNet Model.",
                ),
                sockets.Adapter.Input("adapter", tooltip="From InstantID Load Adapter."),
                sockets.Identity.Input("identity", tooltip="From InstantID Embed Identity."),
                strength(),
                *window(),
                sockets.Faces.Input(
                    "faces",
                    optional=True,
                    tooltip="Where the face goes: drawn at the size of the picture being made. "
                    "Connect this or image, not both.",
                ),
                io.Image.Input(
                    "image",
                    optional=True,
                    tooltip="A drawn keypoint picture, used as it is. Connect this or faces, not "
                    "both.",
                ),
                mask("IdentityNet"),
                fit(advanced=True, optional=True),
                *negative_identity(),
            ],
            outputs=[
                io.Conditioning.Output(display_name="positive"),
                io.Conditioning.Output(display_name="negative"),
            ],
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
            category=CATEGORY,
            description="From a photo to a model and conditioning that keep its identity: face "
            "analysis, image adapter and IdentityNet with their usual settings.",
            search_aliases=WORDS,
            inputs=[
                io.Model.Input(
                    "model", tooltip="An SDXL model. It is not changed; a copy comes out."
                ),
                io.Conditioning.Input("positive", tooltip="The prompt. A copy comes out."),
                io.Conditioning.Input("negative", tooltip="The negative prompt. A copy comes out."),
                sockets.Adapter.Input("adapter", tooltip="From InstantID Load Adapter."),
                sockets.Analyzer.Input("analyzer", tooltip="From InstantID Load Face Analyzer."),
                io.ControlNet.Input(
                    "control_net",
                    tooltip="InstantID's ControlNet, from the core node Load ControlNet Model.",
                ),
                io.Image.Input(
                    "image",
                    tooltip="Photo of the person; several photos in a batch are averaged.",
                ),
                weight(),
                strength(),
                *window(),
                io.Image.Input(
                    "image_kps",
                    optional=True,
                    tooltip="Where the face goes: a photo whose face gives the pose, or a drawn "
                    "keypoint picture. Without it the photo's own pose is used.",
                ),
                mask("the identity"),
            ],
            outputs=[
                io.Model.Output(display_name="model"),
                io.Conditioning.Output(display_name="positive"),
                io.Conditioning.Output(display_name="negative"),
            ],
        )

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
    ) -> io.NodeOutput:
        to_model = influence("weight", weight, (start_at, end_at), mask)
        to_net = influence("strength", strength, (start_at, end_at), mask)
        faces = analyse_images(analyzer, image, Selection()).faces
        pose = faces if image_kps is None else _pose_of(analyzer, image_kps)
        identity = combine(faces, "average")
        patched = apply_adapter(model, adapter, identity, to_model, UNIFORM)
        both = (positive, negative)
        conditioned = apply_identity_net(
            both, control_net, adapter, identity, to_net, pose, LETTERBOX
        )
        return io.NodeOutput(patched, *conditioned)


def _one_pose(faces: Faces | None, image: torch.Tensor | None) -> Faces | torch.Tensor:
    if (faces is None) == (image is None):
        found = "neither" if faces is None else "both"
        raise SettingError(
            "InstantID Apply IdentityNet takes its keypoints from exactly one of faces and image; "
            f"{found} is connected. Connect faces from InstantID Analyze Faces, or a drawn "
            "keypoint picture as image."
        )
    return faces if image is None else _checked(image)


def _pose_of(analyzer: FaceAnalyzer, image_kps: torch.Tensor) -> Faces | torch.Tensor:
    """Faces of a photo; a picture without any is taken for drawn keypoints."""
    faces = analyse_images(analyzer, image_kps, Selection(on_no_face="skip")).faces
    return faces if faces.count else image_kps


def _checked(image: torch.Tensor) -> torch.Tensor:
    frames_of(image)
    return image
