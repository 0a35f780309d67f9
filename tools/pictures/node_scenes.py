"""A small graph around one node: what usually feeds it, and what usually takes from it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, NamedTuple

from tools.comfyui.prompts import ObjectInfo
from tools.comfyui.widgets import InputSpec, Schema, inputs_of
from tools.workflows.values import AUTOGROW


class End(NamedTuple):
    """A class, and the output that is taken from it or the input that is given to it."""

    kind: str
    name: str


ANALYZE, EMBED = "InstantIDAnalyzeFaces", "InstantIDEmbedIdentity"
APPLY_ADAPTER, APPLY_NET = "InstantIDApplyAdapter", "InstantIDApplyIdentityNet"
DRAW, CROP, POSE = "InstantIDDrawKeypoints", "InstantIDCropFace", "InstantIDPose"
LOAD_ANALYZER, LOAD_ADAPTER = "InstantIDLoadFaceAnalyzer", "InstantIDLoadAdapter"
TOKENS_NET = "InstantIDApplyIdentityNetFromTokens"
SOURCES = {
    "MODEL": End("CheckpointLoaderSimple", "MODEL"),
    "CLIP": End("CheckpointLoaderSimple", "CLIP"),
    "CONDITIONING": End("CLIPTextEncode", "CONDITIONING"),
    "CONTROL_NET": End("ControlNetLoader", "CONTROL_NET"),
    "IMAGE": End("LoadImage", "IMAGE"),
    "MASK": End("InstantIDFaceMask", "mask"),
    "INSTANTID_ANALYZER": End(LOAD_ANALYZER, "analyzer"),
    "INSTANTID_ADAPTER": End(LOAD_ADAPTER, "adapter"),
    "INSTANTID_FACES": End(ANALYZE, "faces"),
    "INSTANTID_IDENTITY": End(EMBED, "identity"),
    "INSTANTID_DIRECTION": End("InstantIDLoadDirection", "direction"),
    "INSTANTID_CROP": End(CROP, "crop"),
    "INSTANTID_TOKENS": End("InstantIDApplyAdapterFromPhoto", "tokens"),
}
"""Source node of each type of value."""
TARGETS = {
    "MODEL": End("KSampler", "model"),
    "CONDITIONING": End("KSampler", ""),
    "IMAGE": End("PreviewImage", "images"),
    "MASK": End("MaskPreview", "mask"),
    "STRING": End("PreviewAny", "source"),
    "CONTROL_NET": End(APPLY_NET, "control_net"),
    "INSTANTID_ANALYZER": End(ANALYZE, "analyzer"),
    "INSTANTID_ADAPTER": End(APPLY_ADAPTER, "adapter"),
    "INSTANTID_FACES": End(DRAW, "faces"),
    "INSTANTID_IDENTITY": End(APPLY_ADAPTER, "identity"),
    "INSTANTID_DIRECTION": End("InstantIDEditIdentity", "direction"),
    "INSTANTID_CROP": End("InstantIDPasteFace", "crop"),
    "INSTANTID_TOKENS": End(TOKENS_NET, "tokens"),
    "GUIDER": End("SamplerCustomAdvanced", "guider"),
}
"""Consumer node of each type of value; an empty name stands for the output's."""
OTHER_SOURCES = {
    ("InstantIDPasteFace", "crop_image"): End(CROP, "image"),
    ("InstantIDKeepBest", "scores"): End("InstantIDScoreIdentity", "scores"),
    ("InstantIDInterpolatePoses", "faces_a"): End(POSE, "faces"),
    ("InstantIDInterpolatePoses", "faces_b"): End(POSE, "faces"),
    (TOKENS_NET, "image"): End("InstantIDPhotoKeypoints", "image"),
}
OPTIONAL = {
    (APPLY_NET, "faces"),
    ("InstantIDScoreIdentity", "reference_image"),
    ("InstantIDPasteFace", "mask"),
}
"""Optional inputs that are connected as well."""
OTHER_MASK = {("InstantIDPasteFace", "mask"): End(CROP, "mask")}
SHOWN_ON_THE_NODE = {
    (ANALYZE, "preview"),
    ("InstantIDScoreIdentity", "picture"),
    ("InstantIDCompareIdentities", "picture"),
    (POSE, "preview"),
    ("InstantIDPoseSheet", "preview"),
}
"""Outputs that the node itself shows."""
MOST_TARGETS = 2
TWINS = (
    "identities.",
    "identity_",
    "faces_",
    "with_faces",
    "without_faces",
    "positive",
    "negative",
    "reference_image",
)
"""Inputs that are fed by a node of their own."""


@dataclass
class Node:
    """A node of a scene."""

    kind: str
    column: int
    """-1 for what feeds the node, 0 for the node, 1 for what takes from it; further ones feed those
    and are not in the picture."""
    title: str = ""
    wires: dict[str, tuple[int, str]] = field(default_factory=dict)
    """Input to the number of a node and its output."""


class Scene:
    """The graph around one node, which is its first."""

    def __init__(self, kind: str, object_info: ObjectInfo) -> None:
        self.object_info = object_info
        self.nodes = [Node(kind, 0)]
        self._feed(0)
        self._take()
        for number in range(1, len(self.nodes)):
            if self.nodes[number].column < 0:
                self._feed(number)

    @property
    def shown(self) -> list[int]:
        """Numbers of the nodes in the picture."""
        return [number for number, node in enumerate(self.nodes) if abs(node.column) <= 1]

    def _feed(self, number: int) -> None:
        """Connects what a node needs to nodes that give it, and those in turn."""
        node = self.nodes[number]
        made: dict[str, int] = {}
        for name, kind in wanted(self.object_info[node.kind], node.kind):
            key = (node.kind, name)
            end = OTHER_MASK.get(key) or OTHER_SOURCES.get(key) or SOURCES[kind]
            twin = name if name.startswith(TWINS) else ""
            mark = f"{end.kind} {twin}"
            if mark not in made:
                made[mark] = self._add(
                    end.kind, node.column - 1, title_of(node.kind, end.kind, name)
                )
                if node.column < 0:
                    self._feed(made[mark])
            node.wires[name] = (made[mark], end.name)

    def _take(self) -> None:
        """Adds nodes that take from the first one."""
        kind = self.nodes[0].kind
        schema = self.object_info[kind]
        made: dict[str, int] = {}
        for output, value in zip(schema["output_name"], schema["output"], strict=True):
            end = TARGETS.get(value)
            if end is None or (kind, output) in SHOWN_ON_THE_NODE:
                continue
            if end.kind not in made:
                if len(made) == MOST_TARGETS:
                    break
                made[end.kind] = self._add(end.kind, 1, "")
            name = end.name or output
            self.nodes[made[end.kind]].wires.setdefault(name, (0, output))

    def _add(self, kind: str, column: int, title: str) -> int:
        self.nodes.append(Node(kind, column, title))
        return len(self.nodes) - 1


def wanted(schema: Schema, kind: str) -> Iterator[tuple[str, str]]:
    """Sockets of a class that a scene connects, with their kinds; two of a growing input."""
    optional = schema["input"].get("optional") or {}
    for spec in inputs_of(schema):
        if spec.kind == AUTOGROW:
            yield from grown(spec)
        elif not spec.is_widget and (spec.name not in optional or (kind, spec.name) in OPTIONAL):
            yield spec.name, spec.kind


def grown(spec: InputSpec) -> Iterator[tuple[str, str]]:
    """The first two slots of a growing input."""
    template: Mapping[str, Any] = spec.options["template"]
    ((kind, *_),) = template["input"]["required"].values()
    for number in range(2):
        yield f"{spec.name}.{template['prefix']}{number}", kind


def title_of(target: str, kind: str, name: str) -> str:
    """Titles that distinguish nodes of the same class."""
    if kind == "CLIPTextEncode":
        return "Negative prompt" if name == "negative" else "Prompt"
    if kind == "LoadImage":
        scored = target == "InstantIDScoreIdentity" and name == "image"
        return "Picture to score" if scored else "Photo of the person"
    return "Load IdentityNet" if kind == "ControlNetLoader" else ""
