"""Pictures that show what face analysis saw."""

from __future__ import annotations

import math

import numpy as np
import torch

from ..images import batch_of
from ..keypoints import moved, placement
from ..libraries import import_cv2
from ..types import Detection, Extent, FrameFaces
from .analysis import Analysis

CHOSEN, PASSED_OVER = (80, 220, 100), (150, 150, 150)
TEXT_COLOUR, TEXT_SHADOW = (255, 255, 255), (0, 0, 0)


MOST_PIXELS = 32_000_000
"""Pixels of the largest picture drawn; a larger photo is shrunk, as a pixel takes 12 bytes."""


def annotated(frames: tuple[np.ndarray, ...], analysis: Analysis) -> torch.Tensor:
    """The pictures with every face boxed and numbered from the left; chosen ones in green.

    frames: [H, W, 3] uint8, the pictures analysed or smaller copies of them. Returns [B, H, W, 3]
    float32, 0..1. The numbers begin at 1, as on the node; `index` begins at 0.
    """
    batch = batch_of([_limited(frame) for frame in frames])
    faces = zip(analysis.detections, analysis.faces.frames, strict=True)
    for picture, (found, chosen) in zip(batch, faces, strict=True):
        _annotate(picture.numpy(), found, chosen)
    return batch


def box_masks(analysis: Analysis) -> torch.Tensor:
    """[B, H, W] float32: 1 inside the boxes of the chosen faces, 0 elsewhere."""
    extent = analysis.faces.frames[0].extent
    masks = np.zeros((len(analysis.faces.frames), extent.height, extent.width), np.float32)
    for mask, frame in zip(masks, analysis.faces.frames, strict=True):
        for x0, y0, x1, y1 in (map(round, face.box) for face in frame.faces):
            mask[max(0, y0) : max(0, y1), max(0, x0) : max(0, x1)] = 1
    return torch.from_numpy(masks)


def _limited(frame: np.ndarray) -> np.ndarray:
    height, width = frame.shape[:2]
    scale = math.sqrt(MOST_PIXELS / (height * width))
    if scale >= 1:
        return frame
    size = max(1, int(width * scale)), max(1, int(height * scale))
    return import_cv2().resize(frame, size, interpolation=import_cv2().INTER_AREA)


def _annotate(picture: np.ndarray, found: tuple[Detection, ...], chosen: FrameFaces) -> None:
    """Draw into a picture [H, W, 3] float32, of the photo's size or smaller."""
    place = placement(chosen.extent, Extent(picture.shape[1], picture.shape[0]), "stretch")
    for number, face in enumerate(found):
        is_chosen = any(face.keypoints is other.keypoints for other in chosen.faces)
        _draw_face(picture, moved(face, place), f"{number + 1}: {face.score:.2f}", is_chosen)


def _draw_face(picture: np.ndarray, face: Detection, label: str, is_chosen: bool) -> None:
    cv2 = import_cv2()
    scale = max(picture.shape[:2]) / 640
    colour = tuple(level / 255 for level in (CHOSEN if is_chosen else PASSED_OVER))
    line = max(1, round(2 * scale))
    x0, y0, x1, y1 = (round(edge) for edge in face.box)
    cv2.rectangle(picture, (x0, y0), (x1, y1), colour, line)
    for x, y in face.keypoints:
        cv2.circle(picture, (round(float(x)), round(float(y))), line + 1, colour, -1)
    corner = (max(x0, 0), max(y0 - 2 * line, round(18 * scale)))
    _write(picture, label, corner, scale)


def _write(picture: np.ndarray, label: str, corner: tuple[int, int], scale: float) -> None:
    """Text that begins at a corner. OpenCV writes on bytes alone, so its place becomes bytes."""
    cv2 = import_cv2()
    font, size, line = cv2.FONT_HERSHEY_SIMPLEX, 0.6 * scale, max(1, round(2 * scale))
    (width, height), below = cv2.getTextSize(label, font, size, 3 * line)
    left, top = max(0, corner[0] - 3 * line), max(0, corner[1] - height - 3 * line)
    place = picture[top : corner[1] + below + 3 * line, left : corner[0] + width + 3 * line]
    if not place.size:
        return
    levels = np.ascontiguousarray((place * 255).round().astype(np.uint8))
    start = (corner[0] - left, corner[1] - top)
    for ink, thickness in ((TEXT_SHADOW, 3 * line), (TEXT_COLOUR, line)):
        cv2.putText(levels, label, start, font, size, ink, thickness)
    place[:] = levels.astype(np.float32) / 255
