"""Square canvases with faces at any size and place, as the detector sees them after pooling."""

from __future__ import annotations

from collections.abc import Sequence

import cv2
import numpy as np

from .dataset import Album
from .world.canvas import OVERSAMPLING
from .world.scenery import BACKGROUNDS, SCENERY
from .world.scenes import SIDE
from .world.styles import STYLES, painted

CANVAS = 160
"""Pixels of a side: 640 averaged by 4."""
SMALLEST_FACE, LARGEST_FACE = 0.08, 0.85
"""Heights of faces as fractions of the canvas."""
EMPTY_SCENES = 120
SHARE_LETTERBOXED, SHARE_EMPTY = 0.45, 0.1
Faces = tuple[np.ndarray, np.ndarray]
"""Boxes [P, 4] and keypoints [P, 5, 2] in a canvas's pixels."""
Canvas = tuple[np.ndarray, np.ndarray, np.ndarray]
"""Picture [160, 160, 3] uint8 RGB, then its faces' boxes and keypoints."""


def empty_scenes(count: int, seed: int) -> list[np.ndarray]:
    """Pictures [192, 192, 3] of places without people, in every style."""
    rng, found = np.random.default_rng((seed, 11)), []
    for _ in range(count):
        canvas = np.zeros((SIDE * OVERSAMPLING, SIDE * OVERSAMPLING, 3), np.uint8)
        SCENERY[str(rng.choice(BACKGROUNDS))](canvas, rng)
        small = cv2.resize(canvas, (SIDE, SIDE), interpolation=cv2.INTER_AREA)
        found.append(painted(small, str(rng.choice(STYLES))))
    return found


def resized(picture: np.ndarray, scale: float) -> np.ndarray:
    """A picture at another scale: averaged when smaller, linear when larger."""
    height, width = picture.shape[:2]
    size = (max(1, round(width * scale)), max(1, round(height * scale)))
    how = cv2.INTER_AREA if scale < 1 else cv2.INTER_LINEAR
    return cv2.resize(picture, size, interpolation=how)


def letterboxed(picture: np.ndarray) -> tuple[np.ndarray, float]:
    """A picture fitted into the upper left of a black canvas, as SCRFD does, and its scale."""
    scale = CANVAS / max(picture.shape[:2])
    canvas = np.zeros((CANVAS, CANVAS, 3), np.uint8)
    _paste(canvas, resized(picture, scale), 0, 0)
    return canvas, scale


class Canvases:
    """Draws canvases from albums; the same random numbers give the same canvases."""

    def __init__(self, albums: Sequence[Album], seed: int) -> None:
        self.albums = albums
        self.empty = empty_scenes(EMPTY_SCENES, seed)

    def draw(self, rng: np.random.Generator) -> Canvas:
        """A letterboxed picture, one pasted somewhere at some size, or a place without faces."""
        kind = rng.random()
        if kind < SHARE_EMPTY:
            return self._ground(rng), np.zeros((0, 4)), np.zeros((0, 5, 2))
        shares = np.array([len(album) for album in self.albums], float)
        album = self.albums[int(rng.choice(len(self.albums), p=shares / shares.sum()))]
        index = int(rng.integers(len(album)))
        picture, faces = album.images[index], (album.boxes[index], album.keypoints[index])
        if kind < SHARE_EMPTY + SHARE_LETTERBOXED:
            canvas, scale = letterboxed(picture)
            return canvas, faces[0] * scale, faces[1] * scale
        return self._pasted(picture, faces, rng)

    def _pasted(self, picture: np.ndarray, faces: Faces, rng: np.random.Generator) -> Canvas:
        boxes, keypoints = faces
        height = float((boxes[:, 3] - boxes[:, 1]).max())
        wanted = SMALLEST_FACE * (LARGEST_FACE / SMALLEST_FACE) ** rng.random()
        part = resized(picture, wanted * CANVAS / height)
        scale = np.array([part.shape[1] / picture.shape[1], part.shape[0] / picture.shape[0]])
        # One whole face stays inside: the place is chosen for its box.
        box = boxes[int(rng.integers(len(boxes)))].reshape(2, 2) * scale
        room = np.maximum(CANVAS - (box[1] - box[0]), 0)
        shift = np.round(rng.uniform(0, 1, 2) * room - box[0]).astype(int)
        canvas = self._ground(rng)
        _paste(canvas, part, int(shift[0]), int(shift[1]))
        moved = (boxes.reshape(-1, 2, 2) * scale + shift).reshape(-1, 4)
        points = keypoints * scale + shift
        visible = [((face > 0) & (face < CANVAS)).all() for face in points]
        return canvas, moved[visible], points[visible]

    def _ground(self, rng: np.random.Generator) -> np.ndarray:
        """Plain, noisy, or a place without people at any scale."""
        shape = (CANVAS, CANVAS, 3)
        kind = rng.random()
        if kind < 0.35:
            canvas = np.empty(shape, np.uint8)
            canvas[:] = rng.choice([0, 255]) if rng.random() < 0.3 else rng.integers(256, size=3)
            return canvas
        if kind < 0.6:
            cells = int(rng.choice([4, 12, 40, CANVAS]))
            noise = rng.integers(256, size=(cells, cells, 3)).astype(np.uint8)
            return cv2.resize(noise, (CANVAS, CANVAS), interpolation=cv2.INTER_LINEAR)
        picture = self.empty[int(rng.integers(len(self.empty)))]
        return resized(picture, CANVAS / picture.shape[0])


def _paste(canvas: np.ndarray, part: np.ndarray, x: int, y: int) -> None:
    """Copies what of `part`, with its corner at x, y, lies on the canvas."""
    height, width = part.shape[:2]
    left, top = max(0, -x), max(0, -y)
    right, bottom = min(width, CANVAS - x), min(height, CANVAS - y)
    if right > left and bottom > top:
        canvas[y + top : y + bottom, x + left : x + right] = part[top:bottom, left:right]
