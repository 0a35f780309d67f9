"""Report of an analysis as plain values, for the front end's face picker."""

from __future__ import annotations

from typing import Any

import numpy as np

from ..libraries import import_cv2
from ..types import Detection, Extent
from .analysis import Analysis

LONGEST_SIDE = 768
"""Pixels of the pictures to choose from: enough for a node, and quick to write and to load."""
WITHIN = (-1.0, 2.0)
"""Detectors report boxes that reach beyond the picture; further than this they mean nothing."""


def face_report(analysis: Analysis) -> list[dict[str, Any]]:
    """For each picture its size in pixels and its faces from the left, each with its number, its
    box in fractions of the picture, its score, its size in pixels and whether it was chosen."""
    return [
        {
            "width": chosen.extent.width,
            "height": chosen.extent.height,
            "faces": [
                _face(number, face, chosen.extent, chosen.faces)
                for number, face in enumerate(found)
            ],
        }
        for found, chosen in zip(analysis.detections, analysis.faces.frames, strict=True)
    ]


def thumbnails(frames: tuple[np.ndarray, ...]) -> tuple[np.ndarray, ...]:
    """The pictures [H, W, 3] uint8 no larger than LONGEST_SIDE; smaller ones as they are."""
    return tuple(_shrunk(frame) for frame in frames)


def _face(
    number: int, face: Detection, extent: Extent, chosen: tuple[Detection, ...]
) -> dict[str, Any]:
    x0, y0, x1, y1 = face.box
    corners = (x0 / extent.width, y0 / extent.height, x1 / extent.width, y1 / extent.height)
    return {
        "number": number,
        "box": [_plain(edge, *WITHIN) for edge in corners],
        "score": _plain(face.score, 0.0, 1.0),
        "size": round(_plain(min(face.box.width, face.box.height), 0.0, 1e6)),
        "chosen": any(face.keypoints is other.keypoints for other in chosen),
    }


def _plain(value: float, low: float, high: float) -> float:
    """Within limits, since JSON has no words for what is not a number."""
    return round(float(np.clip(np.nan_to_num(value), low, high)), 5)


def _shrunk(frame: np.ndarray) -> np.ndarray:
    height, width = frame.shape[:2]
    scale = LONGEST_SIDE / max(height, width)
    if scale >= 1:
        return frame
    size = max(1, round(width * scale)), max(1, round(height * scale))
    cv2 = import_cv2()
    return cv2.resize(frame, size, interpolation=cv2.INTER_AREA)
