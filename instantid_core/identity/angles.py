"""Angles between embeddings: how near a result comes to a person, and whether it copies a photo.

Embeddings here may be of any recogniser and width, as long as one recogniser made all of them.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np

from ..errors import IdentityError

ONE_PHOTO = 1e-4
"""Radians: photos closer than this are the same photo, and nothing lies between them."""


def direction(embedding: np.ndarray) -> np.ndarray:
    """Unit vector [D] float64 of an embedding [D]. Raises IdentityError for zeros."""
    exact = np.asarray(embedding, np.float64)
    length = np.linalg.norm(exact)
    if not length > 0:
        raise IdentityError(
            "An identity of zeros looks like nobody, so there is nothing to compare. Embed a face."
        )
    return exact / length


def mean_direction(embeddings: Sequence[np.ndarray] | np.ndarray) -> np.ndarray:
    """Unit vector [D] float64: the mean of the directions of [S, D]."""
    return direction(np.mean([direction(each) for each in embeddings], axis=0))


def cosine(one: np.ndarray, other: np.ndarray) -> float:
    """Cosine similarity of two embeddings [D], -1..1."""
    return float(np.clip(direction(one) @ direction(other), -1, 1))


def angle(one: np.ndarray, other: np.ndarray) -> float:
    """Angle between two embeddings [D] in radians, 0..pi."""
    first, second = direction(one), direction(other)
    # Exact at all angles, where the arc cosine loses half its digits near 0 and pi.
    return 2 * math.atan2(np.linalg.norm(first - second), np.linalg.norm(first + second))


def pair_cosines(embeddings: Sequence[np.ndarray]) -> list[float]:
    """Cosine of every two of S embeddings, S (S - 1) / 2 of them."""
    return [cosine(one, other) for n, one in enumerate(embeddings) for other in embeddings[n + 1 :]]


def copy_score(result: np.ndarray, held_out: np.ndarray, reference: np.ndarray) -> float:
    """Tendency of a result to copy the photo that it was made from, -1..1.

    (angle(result, held_out) - angle(result, reference)) / angle(held_out, reference), where
    held_out is another photo of the same person (MultiID-Bench, arXiv 2510.14975). 0: as near to
    either, so that the person was kept and not the photo. 1: the reference itself. -1: the held-out
    photo itself. NaN where both are one photo.
    """
    apart = angle(held_out, reference)
    if apart < ONE_PHOTO:
        return math.nan
    score = (angle(result, held_out) - angle(result, reference)) / apart
    # Angles on a sphere keep the triangle inequality; rounding may not.
    return float(np.clip(score, -1, 1))


def rank(result: np.ndarray, gallery: Sequence[np.ndarray], own: int) -> int:
    """Place of the person `own` among those of a gallery by likeness to a result, 1 the nearest.

    Somebody who is exactly as near comes first: a tie is no recognition.
    """
    cosines = [cosine(result, each) for each in gallery]
    return 1 + sum(each >= cosines[own] for number, each in enumerate(cosines) if number != own)
