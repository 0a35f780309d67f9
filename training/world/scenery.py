"""Backgrounds."""

from __future__ import annotations

from collections.abc import Callable

import cv2
import numpy as np

from .identity import jittered, of_hue


def plain(canvas: np.ndarray, rng: np.random.Generator) -> None:
    """One colour."""
    canvas[:] = of_hue(float(rng.uniform()), float(rng.uniform(0.1, 0.5)), 0.85)


def sky(canvas: np.ndarray, rng: np.random.Generator) -> None:
    """Blue, with white clouds."""
    height, width = canvas.shape[:2]
    canvas[:] = jittered((120, 180, 235), rng, 8)
    for _ in range(5):
        x, y = int(rng.uniform(0, width)), int(rng.uniform(0, height * 0.8))
        axes = (int(height * rng.uniform(0.1, 0.2)), int(height * rng.uniform(0.04, 0.08)))
        cv2.ellipse(canvas, (x, y), axes, 0, 0, 360, (248, 250, 252), -1)


def forest(canvas: np.ndarray, rng: np.random.Generator) -> None:
    """Fir trees on green."""
    height, width = canvas.shape[:2]
    canvas[:] = jittered((150, 200, 140), rng, 8)
    for x in np.linspace(0, width, 2 + width // (height // 5)):
        middle = x + rng.normal(0, height * 0.03)
        top = height * rng.uniform(0.05, 0.3)
        half = height * 0.11
        tree = np.array([[middle - half, height], [middle, top], [middle + half, height]])
        cv2.fillPoly(canvas, [tree.astype(np.int32)], jittered((34, 98, 52), rng, 8))


def city(canvas: np.ndarray, rng: np.random.Generator) -> None:
    """Houses with lit windows."""
    height, width = canvas.shape[:2]
    canvas[:] = jittered((222, 196, 190), rng, 6)
    step = height // 4
    for x in range(0, width, step):
        top = int(height * rng.uniform(0.1, 0.4))
        wall = jittered((112, 104, 122), rng, 10)
        cv2.rectangle(canvas, (x, top), (x + step - step // 16, height), wall, -1)
        for y in range(top + step // 6, height, step // 2):
            for window in range(x + step // 8, x + step - step // 3, 2 * step // 5):
                corner = (window + step // 5, y + step // 4)
                cv2.rectangle(canvas, (window, y), corner, (250, 226, 130), -1)


def beach(canvas: np.ndarray, rng: np.random.Generator) -> None:
    """Sky, sea and sand."""
    height = canvas.shape[0]
    sea, sand = int(height * rng.uniform(0.3, 0.45)), int(height * rng.uniform(0.6, 0.75))
    canvas[:sea] = jittered((170, 220, 245), rng, 5)
    canvas[sea:sand] = jittered((40, 140, 180), rng, 8)
    canvas[sand:] = jittered((238, 214, 160), rng, 6)


SCENERY: dict[str, Callable[[np.ndarray, np.random.Generator], None]] = {
    "plain": plain,
    "sky": sky,
    "forest": forest,
    "city": city,
    "beach": beach,
}
"""Painters that fill a [H, W, 3] uint8 canvas in place."""
BACKGROUNDS = tuple(SCENERY)
