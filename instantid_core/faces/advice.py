"""Advice on runs that succeed: sentences for the screen and the log.

The functions here decide and word; the host decides where and how often a sentence is shown.
"""

from __future__ import annotations

from collections.abc import Iterable

from ..errors import listed
from ..keypoints import LANDMARKS, without_landmarks
from ..types import SD15, Detection, Extent, Face, Faces, IdentityEmbedding, family_of
from .analysis import Analysis
from .quality import Flaw, flaws_of
from .recognisers import base_model_of

WATERMARKED = Extent(1024, 1024)
"""Size at which InstantID's authors and users saw watermarks of stock photos."""
WORDS = {
    Flaw.SMALL: "is small: the recogniser looks at 112 x 112 pixels, and this photo has "
    "{face.quality.span:.0f} x {face.quality.span:.0f} of them. Use a larger or closer photo.",
    Flaw.BLURRED: "is blurred, which costs likeness: use a sharper photo.",
    Flaw.DARK: "is too dark to be recognised well: use a photo with more light on the face.",
    Flaw.NOISY: "is noisy, which costs likeness: use a photo taken in more light.",
    Flaw.TURNED: "is turned far to the side. A profile shows half of a face, which costs likeness: "
    "add a photo seen more from the front.",
    Flaw.HIDDEN: "is seen badly (detection score {face.score:.2f}): it may be half hidden, or cut "
    "by the edge of the picture. Use a photo that shows all of the face.",
}
"""Sentences after the name of a face."""


def about_pictures(analysis: Analysis, has_inputs: bool = True) -> tuple[str, ...]:
    """Advice on the pictures that an analysis skipped.

    has_inputs: whether the node at hand has those that choose among faces.
    """
    frames = analysis.faces.frames
    empty = [number for number, frame in enumerate(frames, start=1) if not frame.faces]
    if not empty:
        return ()
    skipped = (
        f"{len(empty)} of {len(frames)} pictures had no face to choose and were skipped: "
        f"{listed(empty)}."
    )
    if not has_inputs:
        return (skipped,)
    return (
        f"{skipped} Lower min_score if there is one, or set on_no_face to error to stop there.",
    )


def about_identity(faces: Faces) -> tuple[str, ...]:
    """Advice on faces whose identity is read: those that the recogniser can hardly see."""
    advice = []
    for flaw, words in WORDS.items():
        numbered = enumerate(faces.frames, start=1)
        flawed = [(n, face) for n, frame in numbered for face in _with(flaw, frame.faces)]
        if flawed:
            advice.append(f"{_which(flawed, faces)} {words.format(face=flawed[0][1])}")
    return tuple(advice)


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
        f"The face of index = {index} was taken instead."
    )


def _with(flaw: Flaw, faces: Iterable[Detection]) -> list[Face]:
    return [face for face in faces if isinstance(face, Face) and flaw in flaws_of(face)]


def _which(flawed: list[tuple[int, Face]], faces: Faces) -> str:
    picture, face = flawed[0]
    where = f" of image {picture}" if len(faces.frames) > 1 else ""
    more = f" (and {len(flawed) - 1} more)" if len(flawed) > 1 else ""
    return f"Face {face.number + 1}{where}{more}"
