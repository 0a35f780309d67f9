"""Find faces, choose among them, and embed the chosen ones."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import NamedTuple, Protocol

import numpy as np

from ..errors import NoFaceError
from ..images import extent_of
from ..types import Box, Detection, Face, Faces, FrameFaces, Recogniser
from .memory import Latest, digest_of
from .selection import Selection

DETECTION_SIZES = (640, 512, 448, 384, 320, 256, 192, 128)
"""Sizes at which the detector looks. The first is the reference's; a face that fills the picture is
too large for the detector there and is found at a smaller one."""
PADDING = 0.5
"""Border added on each side, as a fraction of the picture, when no size finds a face without it."""


PICTURES = 512
"""Pictures that are remembered: a few kilobytes each, and two more for every embedded face."""
ANALYSES = 4
"""Analyses that are remembered as a whole; an identity made of one is 10 MB."""


class FaceEngine(Protocol):
    """The face models as analysis needs them; `FaceAnalyzer` is the real one."""

    recogniser: Recogniser

    def detect(self, bgr: np.ndarray, size: int) -> tuple[np.ndarray, np.ndarray]: ...

    def embed(self, bgr: np.ndarray, keypoints: np.ndarray) -> np.ndarray: ...

    def landmarks(self, bgr: np.ndarray, box: Box) -> np.ndarray | None: ...


class Analysis(NamedTuple):
    """All that was seen in a batch of pictures."""

    faces: Faces
    """The chosen faces, with embeddings."""
    detections: tuple[tuple[Detection, ...], ...]
    """Per picture, every face found, from left to right."""


@dataclass
class PictureFaces:
    """Every face found in one picture, and those of them that have been read."""

    detections: tuple[Detection, ...]
    """From left to right."""
    known: dict[int, Face] = field(default_factory=dict)
    """Faces with embeddings, by their place among the detections."""


class AnalysisMemory:
    """Latest pictures and analyses of one analyzer.

    A click on another face, or a change of another widget, runs a node again: the detector has seen
    the pictures by then, and the recogniser the faces that were chosen before.
    """

    def __init__(self) -> None:
        self.pictures: Latest[tuple[str, float], PictureFaces] = Latest(PICTURES)
        """By the picture's digest and min_score."""
        self.analyses: Latest[tuple[tuple[str, ...], Selection, float], Analysis] = Latest(ANALYSES)


def analyse(
    frames: Sequence[np.ndarray],
    engine: FaceEngine,
    selection: Selection,
    min_score: float,
    each_frame: Callable[[], None] = lambda: None,
    memory: AnalysisMemory | None = None,
) -> Analysis:
    """Detect, choose and embed.

    frames: [H, W, 3] uint8 RGB. min_score: 0..1, detections below are not faces. each_frame is
    called after every frame, to report progress; what it raises (a cancel) ends the analysis.
    memory: of what this engine has seen before. Raises NoFaceError for a frame without a face
    unless the selection skips such frames.
    """
    memory = memory or AnalysisMemory()
    digests = tuple(map(digest_of, frames))
    analysis = memory.analyses.get((digests, selection, min_score))
    if analysis is not None:
        return analysis
    found, chosen = [], []
    for number, (frame, digest) in enumerate(zip(frames, digests, strict=True), start=1):
        bgr = np.ascontiguousarray(frame[..., ::-1])
        seen = memory.pictures.get((digest, min_score))
        if seen is None:
            seen = PictureFaces(detect(bgr, engine, min_score))
            memory.pictures.keep((digest, min_score), seen)
        where = f"image {number} of {len(frames)} ({extent_of(frame)} pixels)"
        if not seen.detections and not selection.skip_empty:
            raise NoFaceError(_no_face(where, min_score))
        picked = selection.choose(seen.detections, extent_of(frame), where)
        faces = tuple(_embedded(face, seen, bgr, engine) for face in picked)
        chosen.append(FrameFaces(extent_of(frame), faces))
        found.append(seen.detections)
        each_frame()
    analysis = Analysis(Faces(tuple(chosen), engine.recogniser), tuple(found))
    return memory.analyses.keep((digests, selection, min_score), analysis)


def detect(bgr: np.ndarray, engine: FaceEngine, min_score: float) -> tuple[Detection, ...]:
    """All faces of the first attempt that finds any, from left to right; empty when none does."""
    for picture, border in _pictures(bgr):
        for size in _usable_sizes(picture):
            boxes, keypoints = engine.detect(picture, size)
            faces = tuple(_detections(boxes, keypoints, min_score, border))
            if faces:
                return tuple(sorted(faces, key=lambda face: face.box.centre[0]))
    return ()


def _pictures(bgr: np.ndarray) -> Iterator[tuple[np.ndarray, tuple[int, int]]]:
    """The picture as it is, then with a border; with the border's width at the left and the top."""
    yield bgr, (0, 0)
    top, left = (int(side * PADDING) for side in bgr.shape[:2])
    if top or left:
        yield np.pad(bgr, ((top, top), (left, left), (0, 0))), (left, top)


def _usable_sizes(picture: np.ndarray) -> Iterator[int]:
    """Leave out sizes at which a very narrow picture would shrink to nothing."""
    short, long = sorted(picture.shape[:2])
    return (size for size in DETECTION_SIZES if int(size * short / long) >= 1)


def _detections(
    boxes: np.ndarray, keypoints: np.ndarray, min_score: float, border: tuple[int, int]
) -> Iterable[Detection]:
    shift = np.array(border, np.float32)
    for (*corners, score), points in zip(boxes, keypoints, strict=True):
        if score >= min_score:
            (x0, y0), (x1, y1) = np.reshape(corners, (2, 2)).astype(float) - shift
            box = Box(float(x0), float(y0), float(x1), float(y1))
            yield Detection(box, float(score), points - shift)


def _embedded(found: Detection, seen: PictureFaces, bgr: np.ndarray, engine: FaceEngine) -> Face:
    place = seen.detections.index(found)
    if place not in seen.known:
        embedding = engine.embed(bgr, found.keypoints)
        landmarks = engine.landmarks(bgr, found.box)
        seen.known[place] = Face(
            found.box, found.score, found.keypoints, embedding, landmarks=landmarks
        )
    return seen.known[place]


def _no_face(where: str, min_score: float) -> str:
    sizes = ", ".join(map(str, DETECTION_SIZES))
    return (
        f"No face was found in {where}. The detector looked at sizes {sizes}, and again with a "
        f"border around the picture, for a score of at least {min_score:g}. Use a picture in which "
        "the face is upright and not hidden, lower min_score, or set on_no_face to skip."
    )
