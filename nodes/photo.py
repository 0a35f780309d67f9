"""Nodes that take a photo where others take what was found in it.

They have the shape of the older InstantID pack's nodes, so that its graphs can become ours node by
node (`legacy_nodes.py`). In new graphs the separate nodes are easier to combine.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import torch
from comfy_api.latest import io

from ..instantid_core.adapter import GivenHint
from ..instantid_core.faces import FaceAnalyzer, Selection, about_pictures
from ..instantid_core.identity import NegativeIdentity
from ..instantid_core.images import colours_of
from ..instantid_core.keypoints import drawing
from ..instantid_core.types import IdentityTokens
from . import inputs, sockets
from .apply import WORDS, adapter_settings, net_settings, region_of
from .faces import analyse_images, identity_of
from .host.application import apply_adapter, apply_identity_net
from .host.notices import warn
from .host.progress import progress

if TYPE_CHECKING:
    from .host.models import LoadedAdapter

OLDER_FORM = "An older form, for graphs that were made with ComfyUI_InstantID."
"""End of the descriptions; ComfyUI keeps such nodes out of its library and its search."""


class PhotoKeypoints(io.ComfyNode):
    """From a photo to the picture of its keypoints."""

    @classmethod
    def define_schema(cls) -> io.Schema:
        return io.Schema(
            node_id="InstantIDPhotoKeypoints",
            display_name="InstantID Photo Keypoints",
            category=inputs.OLDER_FORMS,
            description="Draws the keypoints of the largest face of each photo, in the aspect "
            "ratio of the photo with a longer side of 1016 pixels. A photo without a face gives "
            "a black image. " + OLDER_FORM,
            is_deprecated=True,
            search_aliases=["face keypoints preprocessor", "kps", "landmarks", "InstantID"],
            inputs=[
                inputs.analyzer(),
                io.Image.Input(
                    "image",
                    tooltip="Photo whose face gives the pose. A batch gives one keypoint image per "
                    "photo.",
                ),
            ],
            outputs=[
                io.Image.Output(display_name="image", tooltip="One keypoint image per photo.")
            ],
        )

    @classmethod
    def execute(cls, analyzer: FaceAnalyzer, image: torch.Tensor) -> io.NodeOutput:
        analysis = analyse_images(analyzer, image, Selection(on_no_face="skip", has_inputs=False))
        warn(about_pictures(analysis, has_inputs=False))
        extent = drawing.usual_extent(analysis.faces.frames[0].extent)
        return io.NodeOutput(drawing.draw(analysis.faces, extent))


class ApplyAdapterFromPhoto(io.ComfyNode):
    """Analyze Faces, Embed Identity and Apply Adapter in one."""

    @classmethod
    def define_schema(cls) -> io.Schema:
        return io.Schema(
            node_id="InstantIDApplyAdapterFromPhoto",
            display_name="InstantID Apply Adapter from Photo",
            category=inputs.OLDER_FORMS,
            description="Adds the person in a photo to the model's cross-attention: face "
            "analysis, embedding and adapter in one node. Its tokens are for InstantID Apply "
            "IdentityNet from Tokens. " + OLDER_FORM,
            is_deprecated=True,
            search_aliases=[*WORDS, "patch attention"],
            inputs=[
                inputs.model(),
                inputs.adapter(),
                inputs.analyzer(),
                io.Image.Input(
                    "image",
                    tooltip="Photo of the person; the largest face is used. Several photos in a "
                    "batch are averaged.",
                ),
                inputs.weight(default=1.0),
                *inputs.window(),
                inputs.mask("the identity"),
                *inputs.negative_identity(),
            ],
            outputs=[
                inputs.model_output(),
                sockets.Tokens.Output(
                    display_name="tokens",
                    tooltip="The identity's tokens, for InstantID Apply IdentityNet from Tokens.",
                ),
            ],
        )

    @classmethod
    def execute(
        cls,
        model: Any,
        adapter: LoadedAdapter,
        analyzer: FaceAnalyzer,
        image: torch.Tensor,
        weight: float,
        start_at: float,
        end_at: float,
        mask: torch.Tensor | None = None,
        negative_identity: str = NegativeIdentity().kind,
        noise_strength: float = NegativeIdentity().strength,
        noise_seed: int = NegativeIdentity().seed,
    ) -> io.NodeOutput:
        settings = adapter_settings(weight, (start_at, end_at), region_of(mask))
        analysis = analyse_images(analyzer, image, Selection(has_inputs=False))
        tokens = adapter.tokens(
            identity_of(analysis.faces, "average"),
            NegativeIdentity(negative_identity, noise_strength, noise_seed),
        )
        return io.NodeOutput(apply_adapter(model, adapter, tokens, settings, progress), tokens)


class ApplyIdentityNetFromTokens(io.ComfyNode):
    """Apply IdentityNet for tokens that are made already."""

    @classmethod
    def define_schema(cls) -> io.Schema:
        return io.Schema(
            node_id="InstantIDApplyIdentityNetFromTokens",
            display_name="InstantID Apply IdentityNet from Tokens",
            category=inputs.OLDER_FORMS,
            description="Adds IdentityNet to the conditioning, with a finished keypoint image "
            "and the tokens of InstantID Apply Adapter from Photo. Other ControlNets in the "
            "chain still see the text. " + OLDER_FORM,
            is_deprecated=True,
            search_aliases=[*WORDS, "controlnet", "keypoints"],
            inputs=[
                *inputs.prompts(),
                inputs.control_net(),
                sockets.Tokens.Input("tokens", tooltip="From InstantID Apply Adapter from Photo."),
                io.Image.Input(
                    "image",
                    tooltip="A finished keypoint image, used as it is, from InstantID Photo "
                    "Keypoints or InstantID Draw Keypoints.",
                ),
                inputs.strength(default=1.0),
                *inputs.window(),
                inputs.mask("IdentityNet"),
            ],
            outputs=inputs.prompt_outputs(),
        )

    @classmethod
    def execute(
        cls,
        positive: list[Any],
        negative: list[Any],
        control_net: Any,
        tokens: IdentityTokens,
        image: torch.Tensor,
        strength: float,
        start_at: float,
        end_at: float,
        mask: torch.Tensor | None = None,
    ) -> io.NodeOutput:
        settings = net_settings(strength, (start_at, end_at), region_of(mask))
        hint = GivenHint(colours_of(image))
        both = (positive, negative)
        return io.NodeOutput(*apply_identity_net(both, control_net, tokens, settings, hint))
