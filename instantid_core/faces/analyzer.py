"""The two models of a pack that InstantID needs, run through insightface's own model classes.

`FaceAnalysis` is not used: it opens all five models, downloads without asking, and stops with an
empty assertion when the archive was unpacked one folder too deep.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from ..errors import FaceModelError
from ..libraries import AUTO, IMPORT_FAILURES, first_line, import_insightface, open_sessions
from ..models import (
    DETECTOR,
    MODEL_PACK,
    FaceModelFiles,
    sha256_of,
)
from ..types import Box, Recogniser
from .analysis import Analysis, AnalysisMemory, analyse
from .embedder import Embedder
from .recognisers import BASE_MODELS, colours_for, published_name
from .selection import Selection
from .usable import require_numbers, usable

log = logging.getLogger(__name__)

DETECTOR_OUTPUTS = 9
"""Scores, boxes and keypoints at three strides."""
SCORE_FLOOR = 0.05
"""Candidates below this are dropped before non-maximum suppression. Suppression goes from the best
score down, so a threshold applied afterwards keeps the same faces as one applied before."""
NMS_OVERLAP = 0.4
LANDMARK_COUNT = 106


class FaceAnalyzer:
    """Detector and recogniser, ready to run, with a memory of the latest pictures."""

    def __init__(
        self, files: FaceModelFiles, provider: str = AUTO, base_model: str = BASE_MODELS[0]
    ) -> None:
        """Open both models.

        base_model: whose InstantID the embeddings are for, one of `recognisers.BASE_MODELS`; of no
        effect with another pack than antelopev2. Raises FaceModelError for broken or foreign files.
        """
        colours = colours_for(base_model, files.pack)
        zoo = import_insightface()
        # Before a session is open: what was hashed is what will run.
        sha256 = sha256_of(files.recogniser)
        detector_session, recogniser_session = open_sessions(files[:2], provider)
        with usable(files.detector):
            _require_detector(files.detector, detector_session)
            # Without a file name SCRFD keeps one session for all sizes instead of one per size.
            self._detector = zoo.SCRFD(session=detector_session)
            self._detector.prepare(ctx_id=0, det_thresh=SCORE_FLOOR, nms_thresh=NMS_OVERLAP)
        self.recogniser = Recogniser(sha256, colours, files.pack)
        self._embedder = Embedder(files.recogniser, recogniser_session, self.recogniser)
        self._landmarks = LandmarkModel(files.landmarks, provider)
        self._memory = AnalysisMemory()
        self.files = files
        if published_name(self.recogniser) != files.recogniser.name:
            log.warning(
                "%s is not the published file of that name. If faces come out unlike their photo, "
                "replace it by the one from the %s pack.",
                files.recogniser,
                files.pack,
            )
        self.providers = (
            detector_session.get_providers()[0],
            recogniser_session.get_providers()[0],
        )

    def analyse(
        self,
        frames: Sequence[np.ndarray],
        selection: Selection,
        min_score: float,
        each_frame: Callable[[], None] = lambda: None,
    ) -> Analysis:
        """Detect, choose and embed, as `analysis.analyse`. Pictures and faces seen lately are
        remembered."""
        return analyse(frames, self, selection, min_score, each_frame, self._memory)

    def detect(self, bgr: np.ndarray, size: int) -> tuple[np.ndarray, np.ndarray]:
        """Find faces in [H, W, 3] uint8 BGR, looking at it scaled into size x size.

        Returns boxes with scores [n, 5] and keypoints [n, 5, 2], float32, in pixels of the input,
        best score first, down to SCORE_FLOOR.
        """
        with usable(self.files.detector):
            boxes, points = self._detector.detect(bgr, input_size=(size, size))
            require_numbers(boxes, (len(boxes), 5))
            require_numbers(points, (len(boxes), 5, 2))
        return boxes, points

    def embed(self, bgr: np.ndarray, keypoints: np.ndarray) -> np.ndarray:
        """Raw embedding [512] float32 of the face with these keypoints [5, 2] in [H, W, 3] BGR.

        The recogniser is shown the colours in its own order.
        """
        return self._embedder.embed(bgr, keypoints)

    def landmarks(self, bgr: np.ndarray, box: Box) -> np.ndarray | None:
        """106 landmarks [106, 2] float32 in pixels of the face in this box, or None without the
        model, which InstantID for SDXL does not need."""
        return self._landmarks.find(bgr, box)


class LandmarkModel:
    """antelopev2's model of 106 landmarks, opened for the first face."""

    def __init__(self, path: Path | None, provider: str) -> None:
        self._path, self._provider = path, provider
        self._model: Any = None

    def find(self, bgr: np.ndarray, box: Box) -> np.ndarray | None:
        """As `FaceAnalyzer.landmarks`. An unusable file is logged once and not tried again."""
        if self._path is None:
            return None
        try:
            self._model = self._model or self._open(self._path)
            with usable(self._path):
                points = self._model.get(bgr, _Boxed(np.array(box, np.float32)))
                require_numbers(points, (LANDMARK_COUNT, 2))
        except (*IMPORT_FAILURES, FaceModelError, AssertionError, ValueError) as error:
            log.warning(
                "%s gives no landmarks (%s). Keypoints for SD 1.5 are drawn without them; put the "
                "file of the antelopev2 pack in its place.",
                self._path,
                first_line(error),
            )
            self._path = None
            return None
        return np.asarray(points, np.float32)

    def _open(self, path: Path) -> Any:
        from insightface.model_zoo.landmark import Landmark

        (session,) = open_sessions((path,), self._provider)
        with usable(path):
            model = Landmark(str(path), session=session)
        if model.taskname != "landmark_2d_106":
            raise FaceModelError(f"expected 106 landmarks, found {model.taskname}")
        return model


class _Boxed(dict[str, Any]):
    """Face for insightface's landmark class: a box to read, and a place for the result."""

    def __init__(self, bbox: np.ndarray) -> None:
        super().__init__()
        self.bbox = bbox


def _require_detector(path: Path, detector: Any) -> None:
    found = len(detector.get_outputs())
    if found != DETECTOR_OUTPUTS:
        raise FaceModelError(
            f"{path} is not a SCRFD detector with keypoints: expected "
            f"{DETECTOR_OUTPUTS} outputs, found {found}. Use {DETECTOR} of {MODEL_PACK}."
        )
