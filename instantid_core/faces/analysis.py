"""Find faces, choose among them, and embed the chosen ones."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import NamedTuple, Protocol

import numpy as np

from ..errors import NoFaceError
from ..images import extent_of
from ..types import Box, Detection, Face, Faces, FrameFaces, Recogniser
from .detection import DETECTION_SIZES, TURNED_SIZES, Detector, detect, second_look
from .memory import Latest, digest_of
from .portraits import portrait_of
from .quality import quality_of
from .selection import Selection
from .views import upright_view

PICTURES = 512
"""Pictures that are remembered: a few kilobytes each, and some more for every embedded face."""
ANALYSES = 4
"""Analyses that are remembered as a whole; an identity made of one is 10 MB."""


class FaceEngine(Detector, Protocol):
    """Interface of the face models; `FaceAnalyzer` implements it."""

    recogniser: Recogniser

    def embed(self, bgr: np.ndarray, keypoints: np.ndarray) -> np.ndarray: ...

    def landmarks(self, bgr: np.ndarray, box: Box) -> np.ndarray | None: ...


class Analysis(NamedTuple):
    """All that was seen in a batch of pictures."""

    faces: Faces
    """The chosen faces, with embeddings."""
    detections: tuple[tuple[Detection, ...], ...]
    """Per picture, every face found, from left to right; the chosen ones are those of `faces`."""


@dataclass
class PictureFaces:
    """Every face found in one picture, and those of them that have been read."""

    detections: tuple[Detection, ...]
    """From left to right, as the detector found them."""
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
        picture = _Picture(frame, engine)
        seen = memory.pictures.get((digest, min_score))
        if seen is None:
            seen = PictureFaces(detect(picture.bgr, engine, min_score))
            memory.pictures.keep((digest, min_score), seen)
        where = f"image {number} of {len(frames)} ({extent_of(frame)} pixels)"
        if not seen.detections and not selection.skip_empty:
            raise NoFaceError(_no_face(where, min_score, selection))
        faces = picture.chosen(seen, selection, where)
        chosen.append(FrameFaces(extent_of(frame), tuple(faces.values())))
        found.append(tuple(faces.get(n, face) for n, face in enumerate(seen.detections)))
        each_frame()
    analysis = Analysis(Faces(tuple(chosen), engine.recogniser), tuple(found))
    return memory.analyses.keep((digests, selection, min_score), analysis)


class _Picture:
    """One picture while it is analysed."""

    def __init__(self, frame: np.ndarray, engine: FaceEngine) -> None:
        self.frame, self.engine = frame, engine

    @cached_property
    def bgr(self) -> np.ndarray:
        return np.ascontiguousarray(self.frame[..., ::-1])

    def chosen(self, seen: PictureFaces, selection: Selection, where: str) -> dict[int, Face]:
        """The selected faces with their embeddings, by their place among the detections.

        Faces that have not been read before are read, and stay with `seen`.
        """
        picked = selection.choose(seen.detections, extent_of(self.frame), where)
        places = [seen.detections.index(face) for face in picked]
        for place in places:
            if place not in seen.known:
                seen.known[place] = self._read(seen.detections[place], place)
        return {place: seen.known[place] for place in places}

    def _read(self, found: Detection, number: int) -> Face:
        found = second_look(self.bgr, found, self.engine)
        return Face(
            found.box,
            found.score,
            found.keypoints,
            self.engine.embed(self.bgr, found.keypoints),
            landmarks=self._landmarks(found),
            number=number,
            quality=quality_of(self.bgr, found.keypoints),
            portrait=portrait_of(self.bgr, found),
        )

    def _landmarks(self, found: Detection) -> np.ndarray | None:
        view = upright_view(self.bgr, found)
        if view is None:
            return self.engine.landmarks(self.bgr, found.box)
        marks = self.engine.landmarks(view.pixels, view.box_in_view(found))
        return None if marks is None else view.to_picture(marks)


def _no_face(where: str, min_score: float, selection: Selection) -> str:
    sizes, turned = (", ".join(map(str, each)) for each in (DETECTION_SIZES, TURNED_SIZES))
    advice = "Use a picture in which the face is larger and not hidden"
    if selection.has_inputs:
        advice += ", lower min_score, or set on_no_face to skip"
    return (
        f"No face was found in {where}. The detector looked at sizes {sizes}, again with a border "
        f"around the picture, and at sizes {turned} with the picture turned by 90, 180 and 270 "
        f"degrees, for a score of at least {min_score:g}. {advice}."
    )
