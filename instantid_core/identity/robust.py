"""One identity of many photos, some of which show somebody else or show the person badly."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
import torch

from ..errors import IdentityError
from ..faces import Flaw, flaws_of
from ..types import Face, Faces
from .bands import Bands, bands_of

ROBUST = "robust"
"""The widget's value."""
SHARES = {
    Flaw.SMALL: 0.5,
    Flaw.BLURRED: 0.1,
    Flaw.DARK: 0.1,
    Flaw.NOISY: 0.2,
    Flaw.TURNED: 0.2,
    Flaw.HIDDEN: 0.3,
}
"""Weight of a face with this flaw; one without a flaw weighs 1."""
LITTLE = 0.3
"""Share of the largest weight below which a face is named as left out."""
ROUNDS = 5


class Weighing(NamedTuple):
    """Weight of each face of an album."""

    weights: np.ndarray
    """[F] float64; they sum to 1."""
    agreements: np.ndarray
    """[F] float64: mean cosine to the faces that count; 1 for a single face."""


def weigh(faces: Faces) -> Weighing:
    """Weigh faces by their agreement with the others, and by how well they are seen.

    The start is the face with which most others agree. Raises IdentityError where no two agree.
    """
    known = faces.known
    vectors = np.stack([face.embedding for face in known])
    clear = np.array([_clearness(face) for face in known])
    return weigh_vectors(vectors, clear, bands_of(faces.recogniser), "faces")


def weigh_vectors(
    vectors: np.ndarray, clear: np.ndarray, bands: Bands, noun: str = "references"
) -> Weighing:
    """Weigh embeddings [F, D] by their agreement, at most as `clear` [F] >= 0 says.

    noun: what the error calls them. Raises IdentityError where no two agree.
    """
    if len(vectors) == 1:
        return Weighing(np.ones(1), np.ones(1))
    cosines = _cosines(vectors)
    support = _agreement(cosines, bands) @ clear
    centre = int(np.argmax(support * clear))
    if not support[centre] * clear[centre] > 0:
        raise IdentityError(_nobody_agrees(cosines, bands, noun))
    weights = clear * _agreement(cosines[centre], bands)
    weights[centre], agreements = clear[centre], np.ones(len(vectors))
    for _ in range(ROUNDS):
        agreements = cosines @ weights / np.maximum(weights.sum() - weights, 1e-9)
        weights = clear * _agreement(agreements, bands)
        weights[centre] = max(weights[centre], 0.1 * clear[centre])
    return Weighing(weights / weights.sum(), agreements)


def weighted_mean(embeddings: torch.Tensor, weights: np.ndarray) -> torch.Tensor:
    """[F, 512] float32 -> [1, 512]."""
    shares = torch.from_numpy(weights)[:, None]
    return (embeddings.double() * shares).sum(0, keepdim=True).float()


def about_left_out(faces: Faces, how: str) -> tuple[str, ...]:
    """Advice on the faces that count little or nothing in a robust identity, with the reason."""
    if how != ROBUST or faces.count < 2:
        return ()
    weighing = weigh(faces)
    bands, little = bands_of(faces.recogniser), LITTLE * weighing.weights.max()
    numbered = [(n, face) for n, frame in enumerate(faces.frames, 1) for face in frame.faces]
    named = [
        f"face {face.number + 1} of image {n} ({_reason(face, agreement, bands)})"
        for (n, face), weight, agreement in zip(numbered, *weighing, strict=True)
        if isinstance(face, Face) and weight < little
    ]
    return left_out(named, faces.count, "faces")


def left_out(named: Sequence[str], count: int, noun: str) -> tuple[str, ...]:
    """Advice that lists those that count little, each with its reason; none for none.

    count: of all that were combined; noun: what they are called.
    """
    if not named:
        return ()
    more = f", and {len(named) - 8} more" if len(named) > 8 else ""
    return (
        f"{len(named)} of {count} {noun} count little or nothing in this identity: "
        f"{', '.join(named[:8])}{more}.",
    )


def _reason(face: Face, agreement: float, bands: Bands) -> str:
    if agreement < bands.same:
        return f"{bands.of_photos(agreement)}, {agreement:.2f}"
    return " and ".join(flaw.value for flaw in flaws_of(face))


def _clearness(face: Face) -> float:
    return float(np.prod([SHARES[flaw] for flaw in flaws_of(face)]))


def _cosines(embeddings: np.ndarray) -> np.ndarray:
    """[F, D] to [F, F] float64, with zeros on the diagonal: a face does not support itself."""
    vectors = embeddings.astype(np.float64)
    lengths = np.linalg.norm(vectors, axis=1, keepdims=True)
    units = vectors / np.maximum(lengths, 1e-12)
    cosines = units @ units.T
    np.fill_diagonal(cosines, 0)
    return cosines


def _agreement(cosines: np.ndarray, bands: Bands) -> np.ndarray:
    """0 for another person, 1 for the same one."""
    return np.clip((cosines - bands.another) / max(bands.same - bands.another, 1e-9), 0, 1)


def _nobody_agrees(cosines: np.ndarray, bands: Bands, noun: str) -> str:
    return (
        f"No two of these {len(cosines)} {noun} are of one person: the closest two have a cosine "
        f"similarity of {cosines.max():.2f}, and photos of one person at least {bands.same:.2f}. "
        "Choose photos of one person, or set combine to average."
    )
