"""What people should know of a run that went well: sentences for the screen and for the log.

Every function here decides and words; who is told, and how often, is the host's business.
"""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np

from ..keypoints import LANDMARKS, without_landmarks
from ..types import SD15, Detection, Extent, Faces, IdentityEmbedding, family_of
from .analysis import Analysis
from .recognisers import base_model_of

RECOGNISER_SIDE = 112
"""Pixels: side of the crop that ArcFace sees. It spans about the face's box, so that a smaller face
is enlarged before it is recognised (insightface, `face_align.norm_crop`)."""
TURNED_AWAY = 0.6
"""How far the nose may lie beside the middle of the eyes, in distances between the eyes. The model
of `geometry.FACE_MODEL` gets there when it is turned by 52 degrees; at 60 it has 0.8."""
WATERMARKED = Extent(1024, 1024)
"""Size at which InstantID's authors and users saw watermarks of stock photos."""

NumberedFace = tuple[int, int, Detection]
"""Number of the picture from 1, number of the face from 0 at the left, and the face."""


def about_faces(analysis: Analysis) -> tuple[str, ...]:
    """Advice on what an analysis of photos has chosen, and on the pictures that it skipped."""
    chosen = tuple(_numbered(analysis))
    advice = (
        _skipped(analysis),
        _small([each for each in chosen if is_small(each[2])], analysis),
        _turned([each for each in chosen if is_turned_away(each[2])], analysis),
    )
    return tuple(sentence for sentence in advice if sentence)


def about_size(extent: Extent) -> str | None:
    """Advice on the size of the picture to be made."""
    if extent != WATERMARKED:
        return None
    return (
        f"At exactly {WATERMARKED} pixels pictures made with InstantID tend to show watermarks: "
        "many stock photos of its training had that size. Use another one, such as 1016 x 1016."
    )


def about_landmarks(pose: Faces) -> str | None:
    """Advice on faces that InstantID for SD 1.5 draws without the landmarks it was trained on."""
    if not without_landmarks(pose):
        return None
    return (
        f"InstantID for SD 1.5 was trained on {LANDMARKS} landmarks beside the five keypoints, and "
        f"{without_landmarks(pose)} of {pose.count} faces have none. Put 2d106det.onnx of the "
        "antelopev2 pack beside its other files and analyse a photo; poses have keypoints alone."
    )


def about_recogniser(identity: IdentityEmbedding, context_width: int) -> str | None:
    """Advice on an identity that was read for another base model's adapter.

    context_width: the adapter's.
    """
    made_for = base_model_of(identity.recogniser)
    family = family_of(context_width)
    if identity.is_nobody or family is None or family.name == made_for:
        return None
    return (
        f"This identity was read for InstantID on {made_for}, and the adapter is the one for "
        f"{family.name}. InstantID for {SD15.name} was trained on faces whose red and blue were "
        f"swapped, so the likeness may suffer. Choose {family.name} as base_model of InstantID "
        "Load Face Analyzer and embed the photos again."
    )


def about_numbers(text: str, index: int) -> str:
    """Advice on a list of face numbers that is none."""
    return (
        f"numbers should be face numbers with commas between, such as 0, 2; found '{text}'. "
        f"Face {index}, which index names, was taken instead."
    )


def is_small(face: Detection) -> bool:
    """Whether the recogniser has to enlarge the face."""
    return min(face.box.width, face.box.height) < RECOGNISER_SIDE


def is_turned_away(face: Detection) -> bool:
    """Whether the five points are those of a profile; a tilted head is none."""
    left_eye, right_eye, nose = np.asarray(face.keypoints[:3], np.float64)
    across = right_eye - left_eye
    beside = abs((nose - (left_eye + right_eye) / 2) @ across)
    return bool(beside > TURNED_AWAY * (across @ across))


def _numbered(analysis: Analysis) -> Iterable[NumberedFace]:
    frames = zip(analysis.detections, analysis.faces.frames, strict=True)
    for picture, (found, chosen) in enumerate(frames, start=1):
        for face in chosen.faces:
            places = [n for n, other in enumerate(found) if other.keypoints is face.keypoints]
            yield picture, places[0] if places else 0, face


def _skipped(analysis: Analysis) -> str | None:
    frames = analysis.faces.frames
    empty = [number for number, frame in enumerate(frames, start=1) if not frame.faces]
    if not empty:
        return None
    named = ", ".join(map(str, empty[:8])) + (", ..." if len(empty) > 8 else "")
    return (
        f"{len(empty)} of {len(frames)} pictures had no face to choose and were skipped: {named}. "
        "Lower min_score if there is one, or set on_no_face to error to stop there."
    )


def _small(faces: list[NumberedFace], analysis: Analysis) -> str | None:
    if not faces:
        return None
    face = faces[0][2]
    size = f"{face.box.width:.0f} x {face.box.height:.0f}"
    return (
        f"{_which(faces, analysis)} is small ({size} pixels). The recogniser looks at "
        f"{RECOGNISER_SIDE} x {RECOGNISER_SIDE} and has to enlarge it, which costs likeness: use a "
        "larger or closer photo."
    )


def _turned(faces: list[NumberedFace], analysis: Analysis) -> str | None:
    if not faces:
        return None
    return (
        f"{_which(faces, analysis)} is turned far to the side. A profile shows half of a face, "
        "which costs likeness: add a photo seen more from the front."
    )


def _which(faces: list[NumberedFace], analysis: Analysis) -> str:
    picture, number, _ = faces[0]
    where = f" of image {picture}" if len(analysis.detections) > 1 else ""
    more = f" (and {len(faces) - 1} more)" if len(faces) > 1 else ""
    return f"Face {number}{where}{more}"
