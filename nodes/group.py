"""The node that applies several identities at once."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

from comfy_api.latest import io

from ..instantid_core.adapter import MATCH, Matching, Placing, group_members
from ..instantid_core.keypoints import FITS, FaceShape
from ..instantid_core.types import Faces, IdentityEmbedding
from . import inputs, sockets
from .apply import WORDS, influence
from .host.application import apply_adapter, apply_identity_net
from .host.progress import progress
from .regions import face_shape

if TYPE_CHECKING:
    from .host.models import LoadedAdapter

MOST_PEOPLE = 16
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
            description="Puts several people into one picture: every identity takes the place of a "
            "face in the pose, within a mask of its own. The model still runs once per step.",
            search_aliases=[*WORDS, "group", "two people", "couple", "multiple faces", "regional"],
            inputs=[
                inputs.model(),
                *inputs.prompts(),
                inputs.adapter(),
                inputs.control_net(),
                sockets.Faces.Input(
                    "faces",
                    tooltip="Where the people are: the faces of one photo, from InstantID Analyze "
                    "Faces with select = left_to_right, or a pose.",
                ),
                _people(),
                inputs.weight(),
                inputs.strength(),
                *inputs.window(),
                _matching(),
                *face_shape(GROUP_SHAPE),
                inputs.fit(advanced=True, optional=True),
                _face_numbers(),
            ],
            outputs=[io.Model.Output(display_name="model"), *inputs.prompt_outputs()],
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
        to_model = influence("weight", weight, (start_at, end_at), None)
        to_net = influence("strength", strength, (start_at, end_at), None)
        both = (positive, negative)
        members = group_members(faces, people, matching, placing)
        step = progress(len(members))
        for member in members:
            own_model, own_net = (replace(how, region=member.region) for how in (to_model, to_net))
            model = apply_adapter(model, adapter, member.identity, own_model)
            both = apply_identity_net(
                both, control_net, adapter, member.identity, own_net, member.pose, fit
            )
            step()
        return io.NodeOutput(model, *both)


def _matching() -> io.Combo.Input:
    return io.Combo.Input(
        "match",
        options=list(MATCH),
        default=MATCH[0],
        tooltip="Which identity takes which face: by place from left to right, in the order in "
        "which the faces come, or by the numbers in face_numbers.",
    )


def _people() -> io.Autogrow.Input:
    return io.Autogrow.Input(
        "identities",
        template=io.Autogrow.TemplatePrefix(
            sockets.Identity.Input(
                "identity", tooltip="One person; a new socket appears for the next."
            ),
            prefix="identity",
            min=1,
            max=MOST_PEOPLE,
        ),
        tooltip="One identity per person.",
    )


def _face_numbers() -> io.String.Input:
    return io.String.Input(
        "face_numbers",
        default="",
        optional=True,
        advanced=True,
        tooltip="For match = by_index: the number of a face for each identity, counted "
        "from 0 at the left, such as 1, 0.",
    )
