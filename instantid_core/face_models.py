"""The two antelopev2 models that InstantID needs, run through insightface's own model classes.

`FaceAnalysis` is not used: it opens all five models, downloads without asking, and stops with an
empty assertion when the archive was unpacked one folder too deep.
"""

from __future__ import annotations

import hashlib
import logging
import warnings
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from .errors import FaceModelError
from .sessions import AUTO, open_sessions
from .types import EMBEDDING_WIDTH

log = logging.getLogger(__name__)

MODEL_PACK = "antelopev2"
DETECTOR = "scrfd_10g_bnkps.onnx"
RECOGNISER = "glintr100.onnx"
DETECTOR_OUTPUTS = 9
"""Scores, boxes and keypoints at three strides."""
PUBLISHED_RECOGNISER = "4ab1d6435d639628a6f3e5008dd4f929edf4c4124b1a7169e1048f9fef534cdf"
"""SHA-256 of antelopev2's glintr100.onnx, as insightface's own server lists it."""
FOREIGN_RECOGNISERS = {
    "w600k_r50.onnx": "buffalo_l",
    "w600k_mbf.onnx": "buffalo_s",
    "arcface_r100.onnx": "another ArcFace training",
}
SCORE_FLOOR = 0.05
"""Candidates below this are dropped before non-maximum suppression. Suppression goes from the best
score down, so a threshold applied afterwards keeps the same faces as one applied before."""
NMS_OVERLAP = 0.4


class FaceModelFiles(NamedTuple):
    """Where the two models are."""

    detector: Path
    recogniser: Path


def find_models(roots: Iterable[Path], pack: str = MODEL_PACK) -> FaceModelFiles:
    """Find the model pack under the host's insightface folders.

    roots: folders such as `models/insightface`. Looks into `models/<pack>` and `<pack>` below each,
    and one level deeper, where unpacking the published archive puts the files. Raises
    FaceModelError that lists the places and says what is missing or wrong.
    """
    looked: list[Path] = []
    for folder in _pack_folders(roots, pack):
        looked.append(folder)
        files = FaceModelFiles(folder / DETECTOR, folder / RECOGNISER)
        if files.detector.is_file() and files.recogniser.is_file():
            return files
    raise FaceModelError(_explain_missing(looked, pack))


def _pack_folders(roots: Iterable[Path], pack: str) -> Iterator[Path]:
    for root in roots:
        for parent in (root / "models" / pack, root / pack):
            yield parent
            yield parent / pack


def _explain_missing(looked: list[Path], pack: str) -> str:
    if not looked:
        return (
            "No folder for insightface models is registered, so there is nowhere to look for "
            f"{pack}. Register one named 'insightface' in extra_model_paths.yaml."
        )
    wanted = f"Put {DETECTOR} and {RECOGNISER} of the {pack} pack into"
    for folder in looked:
        present = sorted(path.name for path in folder.glob("*.onnx"))
        foreign = next((name for name in present if name in FOREIGN_RECOGNISERS), None)
        if foreign and RECOGNISER not in present:
            return (
                f"{folder} holds {foreign}, the recogniser of {FOREIGN_RECOGNISERS[foreign]}. "
                "Its embeddings live in another space than the one InstantID was trained on "
                f"({RECOGNISER}), so the likeness would be lost. {wanted} {folder}."
            )
        if present:
            missing = ", ".join(n for n in (DETECTOR, RECOGNISER) if n not in present)
            return (
                f"{folder} holds {', '.join(present)}, but {missing} is missing. {wanted} {folder}."
            )
    places = "; ".join(map(str, looked))
    return f"The face models of {pack} were not found. Looked in: {places}. {wanted} {looked[0]}."


class FaceAnalyzer:
    """Detector and recogniser, ready to run. Holds no state that a run changes."""

    def __init__(self, files: FaceModelFiles, provider: str = AUTO) -> None:
        """Open both models. Raises FaceModelError for broken or foreign files."""
        zoo = _import_insightface()
        detector_session, recogniser_session = open_sessions(files, provider)
        _require_outputs(files, detector_session, recogniser_session)
        # Without a file name SCRFD keeps one session for all sizes instead of one per size.
        self._detector = zoo.SCRFD(session=detector_session)
        self._detector.prepare(ctx_id=0, det_thresh=SCORE_FLOOR, nms_thresh=NMS_OVERLAP)
        self._recogniser = zoo.ArcFaceONNX(str(files.recogniser), session=recogniser_session)
        self._align = zoo.norm_crop
        self.files = files
        self.recogniser_id = _sha256(files.recogniser)
        if self.recogniser_id != PUBLISHED_RECOGNISER:
            log.warning(
                "%s is not the published file of that name. If faces come out unlike their photo, "
                "replace it by the one from the antelopev2 pack.",
                files.recogniser,
            )
        self.providers = (
            detector_session.get_providers()[0],
            recogniser_session.get_providers()[0],
        )

    def detect(self, bgr: np.ndarray, size: int) -> tuple[np.ndarray, np.ndarray]:
        """Find faces in [H, W, 3] uint8 BGR, looking at it scaled into size x size.

        Returns boxes with scores [n, 5] and keypoints [n, 5, 2], float32, in pixels of the input,
        best score first, down to SCORE_FLOOR.
        """
        return self._detector.detect(bgr, input_size=(size, size))

    def embed(self, bgr: np.ndarray, keypoints: np.ndarray) -> np.ndarray:
        """Raw embedding [512] float32 of the face with these keypoints [5, 2] in [H, W, 3] BGR."""
        with warnings.catch_warnings():
            # insightface calls a scikit-image function that announces its own removal.
            warnings.simplefilter("ignore", FutureWarning)
            crop = self._align(bgr, landmark=keypoints, image_size=self._recogniser.input_size[0])
        return self._recogniser.get_feat(crop).flatten()


class _InsightfaceParts(NamedTuple):
    SCRFD: Any
    ArcFaceONNX: Any
    norm_crop: Any


def _import_insightface() -> _InsightfaceParts:
    try:
        from insightface.model_zoo.arcface_onnx import ArcFaceONNX
        from insightface.model_zoo.scrfd import SCRFD
        from insightface.utils.face_align import norm_crop
    except (ImportError, AttributeError, OSError) as error:
        raise FaceModelError(
            f"insightface cannot be imported ({error}). Face analysis needs version 1.0 or newer: "
            "run 'python -m pip install \"insightface>=1.0\"' with ComfyUI's Python."
        ) from error
    return _InsightfaceParts(SCRFD, ArcFaceONNX, norm_crop)


def _require_outputs(files: FaceModelFiles, detector: Any, recogniser: Any) -> None:
    found = len(detector.get_outputs())
    if found != DETECTOR_OUTPUTS:
        raise FaceModelError(
            f"{files.detector} is not a SCRFD detector with keypoints: expected "
            f"{DETECTOR_OUTPUTS} outputs, found {found}. Use {DETECTOR} of {MODEL_PACK}."
        )
    shape = recogniser.get_outputs()[0].shape
    if len(recogniser.get_outputs()) != 1 or shape[-1] != EMBEDDING_WIDTH:
        raise FaceModelError(
            f"{files.recogniser} is not an ArcFace recogniser: expected one output of width "
            f"{EMBEDDING_WIDTH}, found shape {shape}. Use {RECOGNISER} of {MODEL_PACK}."
        )


def _sha256(path: Path) -> str:
    digest = hashlib.sha256()
    with path.open("rb") as file:
        while chunk := file.read(1 << 20):
            digest.update(chunk)
    return digest.hexdigest()
