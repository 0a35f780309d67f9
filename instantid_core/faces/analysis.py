"""Find faces, choose among them, and embed the chosen ones."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import NamedTuple, Protocol

import numpy as np

from ..errors import NoFaceError
from ..images import extent_of
from ..types import Box, Detection, Face, Faces, FrameFaces
from .selection import Selection

DETECTION_SIZES = (640, 512, 448, 384, 320, 256, 192, 128)
"""Sizes at which the detector looks. The first is the reference's; a face that fills the picture is
too large for the detector there and is found at a smaller one."""
PADDING = 0.5
"""Border added on each side, as a fraction of the picture, when no size finds a face without it."""


class FaceEngine(Protocol):
    """What analysis needs of the face models; `face_models.FaceAnalyzer` is the real one."""

    recogniser_id: str

    def detect(self, bgr: np.ndarray, size: int) -> tuple[np.ndarray, np.ndarray]: ...

    def embed(self, bgr: np.ndarray, keypoints: np.ndarray) -> np.ndarray: ...

    def landmarks(self, bgr: np.ndarray, box: Box) -> np.ndarray | None: ...


class Analysis(NamedTuple):
    """All that was seen in a batch of pictures."""

    faces: Faces
    """The chosen faces, with embeddings."""
    detections: tuple[tuple[Detection, ...], ...]
    """Per picture, every face found, from left to right."""


def analyse(
    frames: Sequence[np.ndarray],
    engine: FaceEngine,
    selection: Selection,
    min_score: float,
    each_frame: Callable[[], None],
) -> Analysis:
    """Detect, choose and embed.

    frames: [H, W, 3] uint8 RGB. min_score: 0..1, detections below are not faces. each_frame is
    called after every frame, to report progress; what it raises (a cancel) ends the analysis.
    Raises NoFaceError for a frame without a face unless the selection skips such frames.
    """
    found, chosen = [], []
    for number, frame in enumerate(frames, start=1):
        bgr = np.ascontiguousarray(frame[..., ::-1])
        detections = detect(bgr, engine, min_score)
        where = f"image {number} of {len(frames)} ({extent_of(frame)} pixels)"
        if not detections and not selection.skip_empty:
            raise NoFaceError(_no_face(where, min_score))
        picked = selection.choose(detections, extent_of(frame), where)
        chosen.append(FrameFaces(extent_of(frame), tuple(_embed(bgr, d, engine) for d in picked)))
        found.append(detections)
        each_frame()
    return Analysis(Faces(tuple(chosen), engine.recogniser_id), tuple(found))


REMEMBERED = 4
"""Analyses that are remembered; each is a few kilobytes, but an identity made of it is 10 MB."""


class AnalysisMemory:
    """The latest analyses of one engine, by what went into them.

    A node that does more than analyse is run anew for a change of its other widgets; the pictures
    are then known.
    """

    def __init__(self) -> None:
        self._latest: dict[tuple[str, Selection, float], Analysis] = {}

    def recall(
        self,
        frames: Sequence[np.ndarray],
        selection: Selection,
        min_score: float,
        make: Callable[[], Analysis],
    ) -> Analysis:
        """What `make` returned for equal pictures and the same choice, or else what it returns."""
        key = (_digest(frames), selection, min_score)
        known = self._latest.pop(key, None) or make()
        self._latest[key] = known
        while len(self._latest) > REMEMBERED:
            del self._latest[next(iter(self._latest))]
        return known


def _digest(frames: Sequence[np.ndarray]) -> str:
    digest = hashlib.blake2b()
    for frame in frames:
        digest.update(repr(frame.shape).encode())
        digest.update(np.ascontiguousarray(frame).data)
    return digest.hexdigest()


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


def _embed(bgr: np.ndarray, found: Detection, engine: FaceEngine) -> Face:
    embedding = engine.embed(bgr, found.keypoints)
    landmarks = engine.landmarks(bgr, found.box)
    return Face(found.box, found.score, found.keypoints, embedding, landmarks=landmarks)


def _no_face(where: str, min_score: float) -> str:
    sizes = ", ".join(map(str, DETECTION_SIZES))
    return (
        f"No face was found in {where}. The detector looked at sizes {sizes}, and again with a "
        f"border around the picture, for a score of at least {min_score:g}. Use a picture in which "
        "the face is upright and not hidden, lower min_score, or set on_no_face to skip."
    )
