"""A workflow of IPAdapter_plus with FaceID, as its editor saved it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from .older_workflows import CHECKPOINT, Graph, Shape, Start, finish

FACE_ID_NODES: Mapping[str, Shape] = {
    "IPAdapterUnifiedLoaderFaceID": (
        {"model": "MODEL", "ipadapter": "IPADAPTER"},
        ("MODEL", "IPADAPTER"),
    ),
    "IPAdapterInsightFaceLoader": ({}, ("INSIGHTFACE",)),
    "IPAdapterFaceID": (
        {
            **{"model": "MODEL", "ipadapter": "IPADAPTER", "image": "IMAGE"},
            **{"image_negative": "IMAGE", "attn_mask": "MASK", "clip_vision": "CLIP_VISION"},
            "insightface": "INSIGHTFACE",
        },
        ("MODEL", "IMAGE"),
    ),
}
"""Class to its sockets and its outputs."""


def face_id_workflow() -> dict[str, Any]:
    """IPAdapter_plus with FaceID: its unified loader, and a loader of the face model beside it."""
    graph = Graph(more=FACE_ID_NODES)
    checkpoint = graph.add("CheckpointLoaderSimple", CHECKPOINT)
    positive, negative = (
        (graph.add("CLIPTextEncode", text, clip=(checkpoint, 1)), 0)
        for text in ("a comic hero, ink and bright colours", "photo, noise")
    )
    photo = graph.add("LoadImage", "face.png", "image"), 0
    settings = ("FACEID", 0.55, "CPU")
    loader = graph.add("IPAdapterUnifiedLoaderFaceID", *settings, model=(checkpoint, 0))
    analyzer = graph.add("IPAdapterInsightFaceLoader", "CPU", "buffalo_l"), 0
    applied = graph.add(
        "IPAdapterFaceID",
        *(0.85, 1, "linear", "concat", 0, 0.9, "V only"),
        **{"model": (loader, 0), "ipadapter": (loader, 1), "image": photo},
        insightface=analyzer,
    )
    start = Start(checkpoint, positive, negative, photo, {})
    finish(graph, start, ((applied, 0), positive, negative), "karras")
    return graph.saved()
