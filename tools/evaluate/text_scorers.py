"""Whether a picture shows what its text says: by a classifier, or by CLIP."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Protocol

import numpy as np
from PIL import Image

from .figures import EvaluationError
from .settings import Text

STYLE, BACKGROUND, CLIP_T = "style", "background", "CLIP-T"


class Judge(Protocol):
    """Scores of a picture, by name; larger is more like the text."""

    names: tuple[str, ...]
    is_share: bool
    """Whether scores are right or wrong (1 or 0), so that their mean is a share."""
    main: str
    """The score that counts for the bar."""

    def scores(self, image: np.ndarray, text: Text) -> Mapping[str, float]: ...


class NoJudge:
    """Nothing here can tell."""

    names: tuple[str, ...] = ()
    is_share = False
    main = ""

    def scores(self, image: np.ndarray, text: Text) -> Mapping[str, float]:
        """None at all."""
        del image, text
        return {}


class StyleJudge:
    """The small world's classifier of styles and backgrounds."""

    names: tuple[str, ...] = (STYLE, BACKGROUND)
    is_share = True
    main = STYLE

    def __init__(self, path: Path, styles: Sequence[str], backgrounds: Sequence[str]) -> None:
        """path: an ONNX file from [N, 3, H, W] RGB in 0..1 to logits of styles and backgrounds."""
        import onnxruntime

        self.session = onnxruntime.InferenceSession(str(path), providers=["CPUExecutionProvider"])
        self.input = self.session.get_inputs()[0].name
        self.labels = {STYLE: tuple(styles), BACKGROUND: tuple(backgrounds)}

    def scores(self, image: np.ndarray, text: Text) -> Mapping[str, float]:
        """1 where style and background are what the text says, else 0."""
        told = self.tell(image)
        wanted = {STYLE: text.style, BACKGROUND: text.background}
        return {name: float(told[name] == wanted[name]) for name in self.names}

    def tell(self, image: np.ndarray) -> dict[str, str]:
        """Style and background of [H, W, 3] uint8 RGB."""
        batch = image.transpose(2, 0, 1)[None].astype(np.float32) / 255
        logits: Any = self.session.run(list(self.names), {self.input: batch})
        pairs = zip(self.names, logits, strict=True)
        return {name: self.labels[name][int(np.argmax(values[0]))] for name, values in pairs}


class ClipJudge:
    """CLIP-T: 100 times the cosine of CLIP's embeddings of picture and text (arXiv 2104.08718
    without its factor 2.5), which is how the published figures count."""

    names: tuple[str, ...] = (CLIP_T,)
    is_share = False
    main = CLIP_T

    def __init__(self, folder: Path) -> None:
        """folder: a CLIP model as transformers saves it. Nothing is downloaded."""
        try:
            from transformers import CLIPModel, CLIPProcessor
        except ImportError as error:
            raise EvaluationError(
                f"--clip needs the package transformers, which this Python lacks ({error})."
            ) from error
        try:
            self.model: Any = CLIPModel.from_pretrained(folder, local_files_only=True).eval()
            self.processor: Any = CLIPProcessor.from_pretrained(folder, local_files_only=True)
        except (OSError, ValueError) as error:
            raise EvaluationError(
                f"--clip should name a folder with a CLIP model as transformers saves it (config, "
                f"weights, tokenizer, preprocessor); {folder} cannot be loaded: {error}."
            ) from error

    def scores(self, image: np.ndarray, text: Text) -> Mapping[str, float]:
        """CLIP-T, -100..100; published figures of portraits lie between 20 and 30."""
        import torch

        given = self.processor(
            text=[text.prompt], images=Image.fromarray(image), return_tensors="pt", truncation=True
        )
        with torch.inference_mode():
            found = self.model(**given)
        cosine = torch.nn.functional.cosine_similarity(found.text_embeds, found.image_embeds)
        return {CLIP_T: 100 * float(cosine[0])}
