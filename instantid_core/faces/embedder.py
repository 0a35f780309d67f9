"""A recogniser in the form of antelopev2's: aligned crops of 112 pixels to 512 numbers."""

from __future__ import annotations

import warnings
from pathlib import Path
from typing import Any

import numpy as np

from ..errors import FaceModelError
from ..libraries import AUTO, import_insightface, open_sessions
from ..models import MODEL_PACK, RECOGNISER, sha256_of
from ..types import EMBEDDING_WIDTH, ColourOrder, Recogniser
from .usable import INSTEAD, require_numbers, usable


class Embedder:
    """A recogniser's file, ready to run through insightface's class for it."""

    def __init__(
        self, path: Path, session: Any, recogniser: Recogniser, instead: str = INSTEAD
    ) -> None:
        """Take an open session.

        instead: what to do about a file that is damaged or another model, as part of a sentence.
        Raises FaceModelError for a model of another form.
        """
        self.path, self.session = path, session
        self.recogniser = recogniser
        self._instead = instead
        zoo = import_insightface()
        with usable(path, instead):
            _require_form(path, session, instead)
            self._model = zoo.ArcFaceONNX(str(path), session=session)
        self._align = zoo.norm_crop

    @classmethod
    def open(cls, path: Path, instead: str = INSTEAD, provider: str = AUTO) -> Embedder:
        """Open a recogniser by itself, as `FaceAnalyzer` opens that of a pack."""
        # Before a session is open: what was hashed is what will run.
        recogniser = Recogniser(sha256_of(path))
        (session,) = open_sessions((path,), provider)
        return cls(path, session, recogniser, instead)

    def embed(self, bgr: np.ndarray, keypoints: np.ndarray) -> np.ndarray:
        """Raw embedding [512] float32 of the face with these keypoints [5, 2] in [H, W, 3] BGR.

        The recogniser is shown the colours in its own order.
        """
        with usable(self.path, self._instead), warnings.catch_warnings():
            # insightface calls a scikit-image function that announces its own removal.
            warnings.simplefilter("ignore", FutureWarning)
            crop = self._align(bgr, landmark=keypoints, image_size=self._model.input_size[0])
            if self.recogniser.colours is ColourOrder.RGB:
                crop = crop[..., ::-1]
            embedding = self._model.get_feat(np.ascontiguousarray(crop)).flatten()
            require_numbers(embedding, (EMBEDDING_WIDTH,))
        return embedding


def _require_form(path: Path, recogniser: Any, instead: str) -> None:
    shape = recogniser.get_outputs()[0].shape
    if len(recogniser.get_outputs()) != 1 or shape[-1] != EMBEDDING_WIDTH:
        advice = f"use {RECOGNISER} of {MODEL_PACK}" if instead == INSTEAD else instead
        raise FaceModelError(
            f"{path} is not an ArcFace recogniser: expected one output of width "
            f"{EMBEDDING_WIDTH}, found shape {shape}. {advice[0].upper()}{advice[1:]}."
        )
