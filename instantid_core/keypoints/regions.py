"""Masks around faces: boxes or ellipses with padding and a soft edge, at any size.

The outline of a face is a function of the place in its picture and is evaluated at the middle of
every cell, so a mask for a latent is not a mask for the picture made smaller.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import torch

from ..errors import SettingError, finite, one_of
from ..types import Detection, Extent, Faces, FrameFaces
from .geometry import box_of, oval_of, placement

SHAPES = ("ellipse", "box")


@dataclass(frozen=True)
class FaceShape:
    """The outline of a face's region. Lengths are fractions of the face's height."""

    kind: str = "ellipse"
    """`ellipse` follows the tilt of the face; `box` is the detector's box."""
    padding: float = 0.1
    """Distance of the outline outside the face; negative numbers go inside."""
    feather: float = 0.1
    """Width of the soft edge. It lies across the outline, where the mask is 0.5."""

    def __post_init__(self) -> None:
        one_of("shape", self.kind, SHAPES)
        finite("padding", self.padding)
        if finite("feather", self.feather) < 0:
            raise SettingError(f"feather must be 0 or more, found {self.feather:g}.")

    def fall_off(self, depth: np.ndarray) -> np.ndarray:
        """Distance to the outline, in face heights and positive outside, -> 0..1, float32."""
        if not self.feather:
            return (depth <= 0).astype(np.float32)
        return np.clip(0.5 - depth / self.feather, 0, 1).astype(np.float32)


def render(frame: FrameFaces, grid: Extent, fit: str, shape: FaceShape) -> np.ndarray:
    """[height, width] float32, 0..1: the union of a frame's faces; zeros without any.

    grid: cells across and down of what the frame is laid on by `fit`, be it pixels or latent cells.
    """
    mask = np.zeros((grid.height, grid.width), np.float32)
    for depth in _depths(frame, grid, fit, shape):
        np.maximum(mask, shape.fall_off(depth), out=mask)
    return mask


def partition(frame: FrameFaces, grid: Extent, fit: str, shape: FaceShape) -> np.ndarray:
    """[faces, height, width] float32, 0..1: one mask per face, in the order of the frame.

    Every cell belongs to the face whose outline it is deepest in, measured by the size of that
    face; the others have 0 there. So the masks never add up to more than 1.
    """
    depths = list(_depths(frame, grid, fit, shape))
    masks = np.zeros((len(depths), grid.height, grid.width), np.float32)
    if depths:
        nearest = np.argmin(depths, axis=0)
        for number, depth in enumerate(depths):
            np.copyto(masks[number], shape.fall_off(depth), where=nearest == number)
    return masks


def frame_masks(faces: Faces, grid: Extent, fit: str, shape: FaceShape) -> torch.Tensor:
    """[frames, height, width] float32: each frame's faces together."""
    return torch.from_numpy(np.stack([render(frame, grid, fit, shape) for frame in faces.frames]))


def face_masks(faces: Faces, grid: Extent, fit: str, shape: FaceShape) -> torch.Tensor:
    """[masks, height, width] float32: each face apart, frame by frame, without overlap.

    A frame without faces counts with one empty mask.
    """
    parts = [partition(frame, grid, fit, shape) for frame in faces.frames]
    empty = np.zeros((1, grid.height, grid.width), np.float32)
    return torch.from_numpy(np.concatenate([part if len(part) else empty for part in parts]))


def _depths(frame: FrameFaces, grid: Extent, fit: str, shape: FaceShape) -> Iterator[np.ndarray]:
    """Per face, [height, width] float32: distance of every cell's middle from the outline, in face
    heights, positive outside."""
    place = placement(frame.extent, grid, fit)
    x = (np.arange(grid.width) + 0.5 - place.offset[0]) / place.scale[0]
    y = (np.arange(grid.height) + 0.5 - place.offset[1]) / place.scale[1]
    measure = _to_box if shape.kind == "box" else _to_ellipse
    for face in frame.faces:
        yield (measure(face, x[None, :], y[:, None]) - shape.padding).astype(np.float32)


def _to_box(face: Detection, x: np.ndarray, y: np.ndarray) -> np.ndarray:
    """Exact signed distance from the box, in face heights."""
    box = box_of(face)
    if not box.area:
        return _never(x, y)
    beyond_x = abs(x - box.centre[0]) - box.width / 2
    beyond_y = abs(y - box.centre[1]) - box.height / 2
    outside = np.hypot(np.maximum(beyond_x, 0), np.maximum(beyond_y, 0))
    return (outside + np.minimum(np.maximum(beyond_x, beyond_y), 0)) / box.height


def _to_ellipse(face: Detection, x: np.ndarray, y: np.ndarray) -> np.ndarray:
    """Signed distance from the oval, in face heights: exact to first order near the outline."""
    oval = oval_of(face)
    if not oval.half_width * oval.half_height:
        return _never(x, y)
    off_x, off_y = x - oval.centre[0], y - oval.centre[1]
    down_x, down_y = oval.down
    across = off_x * down_y - off_y * down_x
    along = off_x * down_x + off_y * down_y
    ratio = np.hypot(across / oval.half_width, along / oval.half_height)
    slope = np.hypot(across / oval.half_width**2, along / oval.half_height**2)
    inward = oval.half_width  # the limit at the very middle, where the slope is 0
    reach = np.divide(ratio, slope, out=np.full_like(ratio, inward), where=slope > 0)
    return reach * (ratio - 1) / oval.size


def _never(x: np.ndarray, y: np.ndarray) -> np.ndarray:
    """A face without size covers nothing."""
    return np.full(np.broadcast_shapes(x.shape, y.shape), np.inf)
