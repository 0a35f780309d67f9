"""Recognisers that judge pictures: the one that conditioned them, and those that the user names."""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Protocol

import numpy as np

from instantid_core.faces import Embedder, FaceAnalyzer
from instantid_core.libraries import first_line, import_cv2
from instantid_core.models import sha256_of
from instantid_core.types import Detection, Face

from .figures import EvaluationError

SFACE = "face_recognition_sface_2021dec.onnx"
SFACE_ADVICE = f"Name {SFACE} of OpenCV's model zoo with --sface"
RECOGNISER_ADVICE = (
    "name an ONNX file that reads crops of 112 pixels into 512 numbers with --recogniser, such as "
    "w600k_r50.onnx of buffalo_l"
)


class Judge(Protocol):
    """A recogniser."""

    name: str
    path: Path

    def embedding(self, image: np.ndarray, face: Detection) -> np.ndarray:
        """Embedding [D] of a face in [H, W, 3] uint8 RGB."""
        ...


class ConditioningJudge:
    """The recogniser whose embeddings conditioned the pictures; it has read all faces already."""

    def __init__(self, analyzer: FaceAnalyzer) -> None:
        self.path = analyzer.files.recogniser
        self.name = f"{self.path.name} (conditioned the pictures)"

    def embedding(self, image: np.ndarray, face: Detection) -> np.ndarray:
        """The embedding [512] that the face came with."""
        del image
        if not isinstance(face, Face):
            raise TypeError(f"expected a face that was recognised, found {type(face).__name__}")
        return face.embedding


class ArcFaceJudge:
    """A recogniser in the form of antelopev2's."""

    def __init__(self, path: Path) -> None:
        """Open the file. Raises EvaluationError without it, FaceModelError for another model."""
        _require_file("recogniser", path, RECOGNISER_ADVICE)
        self.name, self.path = path.name, path
        self._embedder = Embedder.open(path, RECOGNISER_ADVICE, "cpu")

    def embedding(self, image: np.ndarray, face: Detection) -> np.ndarray:
        """Raw embedding [512]."""
        return self._embedder.embed(np.ascontiguousarray(image[..., ::-1]), face.keypoints)


class SFaceJudge:
    """OpenCV's FaceRecognizerSF, which aligns a face by the same five points."""

    def __init__(self, path: Path) -> None:
        """Open the file. Raises EvaluationError for one that is missing or another model."""
        _require_file("sface", path, SFACE_ADVICE)
        self.name, self.path = path.name, path
        cv2: Any = import_cv2()
        if not hasattr(cv2, "FaceRecognizerSF"):
            raise EvaluationError(
                f"--sface needs OpenCV 4.5.4 or newer with its face module; this Python has "
                f"{cv2.__version__} without it. Leave the option out, or install opencv-python."
            )
        try:
            self._model = cv2.FaceRecognizerSF.create(str(path), "")
            self._read(np.zeros((112, 112, 3), np.uint8))
        except (cv2.error, ValueError) as error:
            raise EvaluationError(
                f"{path} is not a model that OpenCV's FaceRecognizerSF can use "
                f"({first_line(error)}). {SFACE_ADVICE}."
            ) from error

    def embedding(self, image: np.ndarray, face: Detection) -> np.ndarray:
        """Embedding [D]; [128] of the published file."""
        # As YuNet reports a face: box, then the points from the left eye of the picture on.
        box = (face.box.x0, face.box.y0, face.box.width, face.box.height)
        row = np.array([*box, *face.keypoints.ravel(), face.score], np.float32)
        bgr = np.ascontiguousarray(image[..., ::-1])
        return self._read(self._model.alignCrop(bgr, row[None]))

    def _read(self, crop: np.ndarray) -> np.ndarray:
        found = np.array(self._model.feature(crop), np.float64).ravel()
        if found.size < 2 or not np.isfinite(found).all():
            raise ValueError(f"expected finite numbers, found {found.size} numbers")
        return found


def judges_of(options: argparse.Namespace) -> tuple[Judge, ...]:
    """The second recognisers that the command line names."""
    judges: list[Judge] = []
    if options.sface is not None:
        judges.append(SFaceJudge(options.sface))
    if options.recogniser is not None:
        judges.append(ArcFaceJudge(options.recogniser))
    return tuple(judges)


def require_another(judges: Sequence[Judge], analyzer: FaceAnalyzer) -> None:
    """Check that no second recogniser is the one that conditions the pictures.

    Raises EvaluationError.
    """
    for judge in judges:
        if sha256_of(judge.path) == analyzer.recogniser.sha256:
            raise EvaluationError(
                f"--recogniser names {judge.path}, the recogniser that conditions the pictures. "
                f"For a second opinion {RECOGNISER_ADVICE}."
            )


def _require_file(option: str, path: Path, advice: str) -> None:
    if not path.is_file():
        raise EvaluationError(
            f"--{option} should name a recogniser's file, but {path} is not a file. "
            f"{advice[0].upper()}{advice[1:]}."
        )
