"""Pictures that show what face analysis saw."""

from __future__ import annotations

import numpy as np
import torch

from ..images import batch_of
from ..libraries import import_cv2
from ..types import Box, Detection, Extent
from .analysis import Analysis

CHOSEN, PASSED_OVER = (80, 220, 100), (150, 150, 150)
TEXT_COLOUR, TEXT_SHADOW = (255, 255, 255), (0, 0, 0)


def annotated(frames: tuple[np.ndarray, ...], analysis: Analysis) -> torch.Tensor:
    """The pictures with every face boxed and numbered from the left; chosen ones in green.

    Returns [B, H, W, 3] float32, 0..1. The numbers are those that `index` takes.
    """
    return batch_of(
        [
            _annotate(frame, found, chosen.faces)
            for frame, found, chosen in zip(
                frames, analysis.detections, analysis.faces.frames, strict=True
            )
        ]
    )


def box_masks(analysis: Analysis) -> torch.Tensor:
    """[B, H, W] float32: 1 inside the boxes of the chosen faces, 0 elsewhere."""
    masks = [
        _box_mask([face.box for face in frame.faces], frame.extent)
        for frame in analysis.faces.frames
    ]
    return torch.from_numpy(np.stack(masks))


def _annotate(
    frame: np.ndarray, found: tuple[Detection, ...], chosen: tuple[Detection, ...]
) -> np.ndarray:
    picture = frame.copy()
    scale = max(picture.shape[:2]) / 640
    for number, face in enumerate(found):
        is_chosen = any(face.keypoints is other.keypoints for other in chosen)
        _draw_face(picture, face, f"{number}: {face.score:.2f}", is_chosen, scale)
    return picture


def _draw_face(
    picture: np.ndarray, face: Detection, label: str, is_chosen: bool, scale: float
) -> None:
    cv2 = import_cv2()
    colour = CHOSEN if is_chosen else PASSED_OVER
    line = max(1, round(2 * scale))
    x0, y0, x1, y1 = (round(edge) for edge in face.box)
    cv2.rectangle(picture, (x0, y0), (x1, y1), colour, line)
    for x, y in face.keypoints:
        cv2.circle(picture, (round(float(x)), round(float(y))), line + 1, colour, -1)
    corner = (max(x0, 0), max(y0 - 2 * line, round(18 * scale)))
    for ink, width in ((TEXT_SHADOW, 3 * line), (TEXT_COLOUR, line)):
        cv2.putText(picture, label, corner, cv2.FONT_HERSHEY_SIMPLEX, 0.6 * scale, ink, width)


def _box_mask(boxes: list[Box], extent: Extent) -> np.ndarray:
    mask = np.zeros((extent.height, extent.width), np.float32)
    for x0, y0, x1, y1 in boxes:
        mask[max(0, round(y0)) : max(0, round(y1)), max(0, round(x0)) : max(0, round(x1))] = 1
    return mask
