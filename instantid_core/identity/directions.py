"""Directions in the space of embeddings: what faces with glasses have in common, for example.

A direction is the difference between the mean of embeddings with something and the mean of those
without. Sums run in float64. Whether it holds for other people is measured on photos that it was
not learnt from.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
import torch

from ..errors import DirectionError, IdentityError
from ..faces import mismatch_message
from ..types import EMBEDDING_WIDTH, Direction, Evidence, Face, Faces, FrameFaces
from .embedding import recogniser_of
from .person_notes import checked_name

LEAST_PHOTOS = 8
"""Photos on either side. Of three a side, directions of beards showed nothing, those of twenty lie
at a cosine of 0.74 to 0.85 to what 1,800 give."""
LEAST_PAIRS = 4
HARDLY = 0.7
"""AUC below which a direction is reported as hardly better than chance."""
NOWHERE = 1e-6
"""Length relative to that of an embedding, at or below which a direction points nowhere."""


class Learnt(NamedTuple):
    """A direction with its report."""

    direction: Direction
    text: str
    """Photos, held-out AUC and length, a line each."""
    advice: tuple[str, ...]
    """On a direction that hardly tells photos apart; empty for others."""


class _Sides(NamedTuple):
    """Embeddings on either side, and what became of the photos."""

    with_it: np.ndarray
    """[F, 512] float64."""
    without_it: np.ndarray
    """[G, 512] float64."""
    paired: bool
    remarks: tuple[str, ...]


def learn(with_faces: Faces, without_faces: Faces, name: str, paired: bool = False) -> Learnt:
    """Learn the direction from faces without something to faces with it.

    name: what it leads to, 1 to 80 characters. paired: the n-th photos of both show one person; of
    equally many photos, pairs are then compared, and those in which a face is missing left out.
    Raises DirectionError for fewer than 8 photos a side or 4 pairs, for pairs with several faces in
    a photo, and for sides that do not differ; IdentityError for two recognisers; SettingError for a
    pose and for a name that cannot be shown.
    """
    name = checked_name(name)
    recogniser = recogniser_of(with_faces)
    if recogniser_of(without_faces) != recogniser:
        named = {"with_faces": recogniser, "without_faces": without_faces.recogniser}
        raise IdentityError(mismatch_message(named))
    sides = _sides(with_faces, without_faces, paired)
    vector, midpoint = difference(sides.with_it, sides.without_it)
    auc = held_out_auc(sides.with_it, sides.without_it, sides.paired)
    evidence = Evidence(len(sides.with_it), len(sides.without_it), sides.paired, auc)
    direction = Direction(vector, midpoint, recogniser, name, evidence)
    return Learnt(direction, _text(direction, sides.remarks), _advice(direction))


def difference(with_it: np.ndarray, without_it: np.ndarray) -> tuple[torch.Tensor, float]:
    """Difference [512] float32 of the means of [F, 512] and [G, 512], and the middle along it.

    Of as many pairs the mean of their differences is the same. Raises DirectionError where the
    means are one, or no numbers.
    """
    ends = with_it.mean(0), without_it.mean(0)
    vector = torch.from_numpy(ends[0] - ends[1]).float()
    exact = vector.double().numpy()
    length = np.linalg.norm(exact)
    if not np.isfinite(length):
        raise DirectionError(
            "Expected numbers in the embeddings of with_faces and without_faces, found NaN or "
            "infinite ones. Analyse the photos again."
        )
    if not length > NOWHERE * np.linalg.norm(ends, axis=1).max():
        raise DirectionError(
            "with_faces and without_faces have the same mean, so nothing leads from one to the "
            "other. Expected photos that differ; connect other photos to one of them."
        )
    return vector, float((ends[0] + ends[1]) @ exact / length / 2)


def held_out_auc(with_it: np.ndarray, without_it: np.ndarray, paired: bool) -> float:
    """Mann-Whitney's U over F x G of photos along directions that were learnt without them, 0..1.

    with_it, without_it: [F, D], [G, D]. Of pairs, a photo's direction is learnt without its pair,
    else without the photo alone. The projections are not centred on each direction's own middle:
    that moves away from a photo that is left out, and would make chance look worse than 0.5.
    """
    others_with, others_without = _means_without_each(with_it), _means_without_each(without_it)
    if paired:
        axes_with = axes_without = others_with - others_without
    else:
        axes_with = others_with - without_it.mean(0)
        axes_without = with_it.mean(0) - others_without
    return _auc((with_it * axes_with).sum(1), (without_it * axes_without).sum(1))


def _means_without_each(rows: np.ndarray) -> np.ndarray:
    """[F, D] -> [F, D]: the mean of all other rows."""
    return (rows.sum(0) - rows) / (len(rows) - 1)


def _auc(higher: np.ndarray, lower: np.ndarray) -> float:
    """Share of pairs of numbers in the order that the names say; a tie counts half."""
    ordered = np.sort(lower)
    below = np.searchsorted(ordered, higher, "left") + np.searchsorted(ordered, higher, "right")
    return float(below.mean() / 2 / len(lower))


def _sides(with_faces: Faces, without_faces: Faces, paired: bool) -> _Sides:
    counts = len(with_faces.frames), len(without_faces.frames)
    if paired and counts[0] == counts[1]:
        return _in_pairs(with_faces.frames, without_faces.frames)
    found = with_faces.count, without_faces.count
    if min(found) < LEAST_PHOTOS:
        raise DirectionError(_too_few(found, counts, paired))
    remarks = ()
    if paired:
        remarks = (f"not paired: {counts[0]} photos in with_faces, {counts[1]} in without_faces",)
    return _Sides(_stacked(with_faces.known), _stacked(without_faces.known), False, remarks)


def _in_pairs(with_it: Sequence[FrameFaces], without_it: Sequence[FrameFaces]) -> _Sides:
    """Of photos in the same place, those that show a face each."""
    pairs = [
        (_one_face(one, "with_faces", number), _one_face(other, "without_faces", number))
        for number, (one, other) in enumerate(zip(with_it, without_it, strict=True), start=1)
    ]
    whole = [(one, other) for one, other in pairs if one is not None and other is not None]
    if len(whole) < LEAST_PAIRS:
        raise DirectionError(
            f"Expected at least {LEAST_PAIRS} pairs of photos, each of one person with and without "
            f"what is to be learnt; found {len(whole)} in which both show a face. Add pairs, or "
            f"turn paired off and use {LEAST_PHOTOS} photos or more on either side."
        )
    lost = len(pairs) - len(whole)
    remarks = (f"left out: {lost} of {len(pairs)} pairs, without a face in both",) if lost else ()
    firsts, seconds = zip(*whole, strict=True)
    return _Sides(_stacked(firsts), _stacked(seconds), True, remarks)


def _one_face(frame: FrameFaces, side: str, number: int) -> Face | None:
    """The face of a photo; None without any."""
    known = [face for face in frame.faces if isinstance(face, Face)]
    if len(known) > 1:
        raise DirectionError(
            f"Of pairs, each photo shows one person: photo {number} of {side} has {len(known)} "
            "selected faces. Set select to largest in InstantID Analyze Faces, or turn paired off."
        )
    return known[0] if known else None


def _stacked(faces: Sequence[Face]) -> np.ndarray:
    """[F, 512] float64."""
    return np.stack([face.embedding for face in faces]).reshape(-1, EMBEDDING_WIDTH).astype(float)


def _too_few(found: tuple[int, int], counts: tuple[int, int], paired: bool) -> str:
    sentence = (
        f"Expected at least {LEAST_PHOTOS} faces in with_faces and in without_faces, found "
        f"{found[0]} and {found[1]}. Add photos of more people"
    )
    if paired:
        return f"{sentence}, or for pairs as many photos to one as to the other."
    if counts[0] == counts[1] >= LEAST_PAIRS:
        return f"{sentence}, or turn paired on if the photos show the same people in order."
    return f"{sentence}."


def _text(direction: Direction, remarks: Sequence[str]) -> str:
    seen = direction.evidence
    photos = f"{seen.with_it} photos with it, {seen.without_it} without"
    if seen.paired:
        photos = f"{seen.with_it} pairs of photos with it and without"
    left = "pair" if seen.paired else "photo"
    lines = (
        f"{direction.name}: {photos}",
        *remarks,
        f"tells held-out photos apart: AUC {seen.auc:.2f} (1 always, 0.5 by chance), each {left} "
        "left out in turn",
        f"length: {direction.length:.2f}",
    )
    return "\n".join(lines)


def _advice(direction: Direction) -> tuple[str, ...]:
    auc = direction.evidence.auc
    if auc >= HARDLY:
        return ()
    return (
        f"The direction '{direction.name}' hardly tells photos apart that it was not learnt from: "
        f"AUC {auc:.2f}, where 0.5 is chance. Use more photos, and such as differ in little else.",
    )
