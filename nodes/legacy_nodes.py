"""The nodes of the older InstantID pack (ComfyUI_InstantID), and what takes their place here.

Each has one replacement with outputs in the same order. Names, widget orders and hidden values are
those of the pack's `InstantID.py` at its last release; the numbers that change are
listed in `docs/older-pack.md`.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from comfy_api.latest import io

from ..instantid_core.libraries import AUTO
from ..instantid_core.models import MODEL_PACK

HIDDEN_NOISE = 0.35
"""Noise that the older Apply InstantID adds to the negative identity without a widget for it."""


@dataclass(frozen=True)
class NodeReplacement:
    """A node of the older pack and the node here that does its work."""

    old: str
    new: str
    outputs: int
    inputs: Mapping[str, str]
    """New input to the old one that it takes its wire or value from."""
    widgets: tuple[str, ...] = ()
    """The old node's widgets, in the order in which workflow files keep their values."""
    fixed: Mapping[str, Any] = field(default_factory=dict)
    """New input to a value that the old node had no widget for."""
    skipped_outputs: int = 0
    """First outputs of the old node that the new one has not."""

    def for_comfyui(self) -> io.NodeReplace:
        """For ComfyUI's table, by which the editor exchanges nodes in an open workflow."""
        taken: list[Any] = [{"new_id": new, "old_id": old} for new, old in self.inputs.items()]
        fixed: list[Any] = [
            {"new_id": new, "set_value": value} for new, value in self.fixed.items()
        ]
        return io.NodeReplace(
            new_node_id=self.new,
            old_node_id=self.old,
            old_widget_ids=list(self.widgets),
            input_mapping=[*taken, *fixed],
            output_mapping=[
                {"new_idx": i, "old_idx": i + self.skipped_outputs} for i in range(self.outputs)
            ],
        )

    def translated(self, node: Mapping[str, Any]) -> dict[str, Any]:
        """A node of an API prompt; what it has no value for stays away."""
        given = node.get("inputs", {})
        taken = {new: given[old] for new, old in self.inputs.items() if old in given}
        title = {"_meta": {"title": self.old}, **node}
        inputs = switched_off({**taken, **self.fixed})
        return {**title, "class_type": self.new, "inputs": inputs}


def switched_off(inputs: dict[str, Any]) -> dict[str, Any]:
    """The same, with weight 0 in place of a window without length, by which people switch the older
    nodes off. A wire's numbers are not known yet."""
    start, end = inputs.get("start_at"), inputs.get("end_at")
    if not isinstance(start, (int, float)) or not isinstance(end, (int, float)) or start < end:
        return inputs
    off = {name: 0.0 for name in ("weight", "strength") if name in inputs}
    return {**inputs, **off, "start_at": 0.0, "end_at": 1.0}


SHARED = {name: name for name in ("model", "positive", "negative", "control_net", "image")}
LOADED = {"adapter": "instantid", "analyzer": "insightface"}
WINDOW = {"start_at": "start_at", "end_at": "end_at"}
FREE = {"image_kps": "image_kps", "mask": "mask"}
NOISE = {"negative_identity": "noise"}

REPLACEMENTS = (
    NodeReplacement(
        "InstantIDModelLoader",
        "InstantIDLoadAdapter",
        outputs=1,
        inputs={"adapter_name": "instantid_file"},
        widgets=("instantid_file",),
    ),
    NodeReplacement(
        "InstantIDFaceAnalysis",
        "InstantIDLoadFaceAnalyzer",
        outputs=1,
        inputs={},
        widgets=("provider",),
        fixed={"model_pack": MODEL_PACK, "provider": AUTO},
    ),
    NodeReplacement(
        "FaceKeypointsPreprocessor",
        "InstantIDPhotoKeypoints",
        outputs=1,
        inputs={"analyzer": "faceanalysis", "image": "image"},
    ),
    NodeReplacement(
        "ApplyInstantID",
        "InstantIDApply",
        outputs=3,
        inputs={**SHARED, **LOADED, "weight": "weight", "strength": "weight", **WINDOW, **FREE},
        widgets=("weight", "start_at", "end_at"),
        fixed={**NOISE, "noise_strength": HIDDEN_NOISE},
    ),
    NodeReplacement(
        "ApplyInstantIDAdvanced",
        "InstantIDApply",
        outputs=3,
        inputs={
            **SHARED,
            **LOADED,
            **{"weight": "ip_weight", "strength": "cn_strength", **WINDOW, **FREE},
            **{"noise_strength": "noise", "combine": "combine_embeds"},
        },
        widgets=("ip_weight", "cn_strength", "start_at", "end_at", "noise", "combine_embeds"),
        fixed=NOISE,
    ),
    NodeReplacement(
        "InstantIDAttentionPatch",
        "InstantIDApplyAdapterFromPhoto",
        outputs=2,
        inputs={
            **{"model": "model", "image": "image", **LOADED},
            **{"weight": "weight", **WINDOW, "mask": "mask", "noise_strength": "noise"},
        },
        widgets=("weight", "start_at", "end_at", "noise"),
        fixed=NOISE,
    ),
    NodeReplacement(
        "ApplyInstantIDControlNet",
        "InstantIDApplyIdentityNetFromTokens",
        outputs=2,
        inputs={
            **{"positive": "positive", "negative": "negative", "control_net": "control_net"},
            **{"tokens": "face_embeds", "image": "image_kps"},
            **{"strength": "strength", **WINDOW, "mask": "mask"},
        },
        widgets=("strength", "start_at", "end_at"),
    ),
)
