"""The node that applies several identities at once."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

from comfy_api.latest import io

from ..instantid_core.adapter import MATCH, DrawnHint, Matching, Placing, group_members
from ..instantid_core.identity import NegativeIdentity
from ..instantid_core.keypoints import FITS, FaceShape
from ..instantid_core.types import Faces, IdentityEmbedding
from . import inputs, sockets
from .apply import WORDS, adapter_settings, net_settings
from .host.application import apply_adapter, apply_identity_net
from .host.progress import progress
from .regions import face_shape

if TYPE_CHECKING:
    from .host.models import LoadedAdapter

GROUP_SHAPE = FaceShape(padding=0.5, feather=0.2)
"""Wide enough for hair and neck; neighbours never overlap."""


class ApplyGroup(io.ComfyNode):
    """Several people, each at the place of a face in a pose photo, in one pass of the model."""

    @classmethod
    def define_schema(cls) -> io.Schema:
        return io.Schema(
            node_id="InstantIDApplyGroup",
            display_name="InstantID Apply Group",
            category=inputs.CATEGORY,
            description="Puts several people into one image: each identity takes the position of "
            "one face of the pose, limited by a mask made from that face. The UNet still runs "
            "only once per step and row.",
            search_aliases=[*WORDS, "group", "two people", "couple", "multiple faces", "regional"],
            inputs=[
                inputs.model(),
                *inputs.prompts(),
                inputs.adapter(),
                inputs.control_net(),
                sockets.Faces.Input(
                    "faces",
                    tooltip="Position and pose of each person: the faces of one photo, from "
                    "InstantID Analyze Faces with select = left_to_right, or from InstantID "
                    "Pose. Only their keypoints are used, not their identities.",
                ),
                inputs.growing_identities(
                    "One identity per person. Connecting one adds a socket for the next.",
                    each="One person. Connecting it adds a socket for the next.",
                ),
                inputs.weight(),
                inputs.strength(),
                *inputs.window(),
                _matching(),
                *face_shape(GROUP_SHAPE),
                inputs.fit(advanced=True, optional=True),
                _face_numbers(),
            ],
            outputs=[
                inputs.model_output("The model with all identities."),
                *inputs.prompt_outputs("one IdentityNet per person"),
            ],
        )

    @classmethod
    def execute(
        cls,
        model: Any,
        positive: list[Any],
        negative: list[Any],
        adapter: LoadedAdapter,
        control_net: Any,
        faces: Faces,
        identities: dict[str, IdentityEmbedding],
        weight: float,
        strength: float,
        start_at: float,
        end_at: float,
        match: str,
        shape: str,
        padding: float,
        feather: float,
        fit: str = FITS[0],
        face_numbers: str = "",
    ) -> io.NodeOutput:
        people = [identity for identity in identities.values() if identity is not None]
        matching = Matching(match, face_numbers)
        placing = Placing(fit, FaceShape(shape, padding, feather))
        to_model = adapter_settings(weight, (start_at, end_at), None)
        to_net = net_settings(strength, (start_at, end_at), None)
        both = (positive, negative)
        members = group_members(faces, people, matching, placing)
        step = progress(len(members))
        for member in members:
            tokens = adapter.tokens(member.identity, NegativeIdentity())
            model = apply_adapter(model, adapter, tokens, replace(to_model, region=member.region))
            hint = DrawnHint(member.pose, fit, adapter.family)
            own = replace(to_net, region=member.region)
            both = apply_identity_net(both, control_net, tokens, own, hint)
            step()
        return io.NodeOutput(model, *both)


def _matching() -> io.Combo.Input:
    return io.Combo.Input(
        "match",
        options=list(MATCH),
        default=MATCH[0],
        tooltip="Which identity takes which face. left_to_right: by position. as_given: in the "
        "order of the faces. by_index: by the numbers in face_numbers.",
    )


def _face_numbers() -> io.String.Input:
    return io.String.Input(
        "face_numbers",
        default="",
        optional=True,
        advanced=True,
        tooltip="One face number per identity, for match = by_index. Faces are numbered from 0 "
        "at the left. Example: 1, 0.",
    )
