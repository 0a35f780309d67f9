"""Embeddings in which a direction is planted, and faces that have them."""

from __future__ import annotations

import numpy as np

from instantid_core.types import Box, Extent, Face, Faces, FrameFaces, Recogniser

OURS, OTHER = Recogniser("4a" * 32), Recogniser("5b" * 32)
TRUTH = np.eye(512)[0]
"""What is planted."""


def faces(rows: np.ndarray, recogniser: Recogniser = OURS) -> Faces:
    """A photo for each embedding."""
    return Faces(tuple(frame(row) for row in rows), recogniser)


def frame(*rows: np.ndarray) -> FrameFaces:
    box, points = Box(0, 0, 64, 64), np.zeros((5, 2), np.float32)
    found = [Face(box, 0.9, points, row.astype(np.float32)) for row in rows]
    return FrameFaces(Extent(64, 64), tuple(found))


def people(count: int, shift: float = 0.0, seed: int = 0) -> np.ndarray:
    """[count, 512] embeddings of norm 20 about a common mean, moved along the planted direction."""
    rng = np.random.default_rng(seed)
    rows = rng.normal(size=(count, 512)) + 3 * np.eye(512)[1]
    return 20 * rows / np.linalg.norm(rows, axis=1, keepdims=True) + shift * TRUTH
