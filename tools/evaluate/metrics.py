"""Metrics of pictures: geometry, colours, cosines and text adherence; means with intervals."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, Protocol

import numpy as np
from PIL import Image

from instantid_core.identity import angles
from instantid_core.keypoints import oval_of_points

from .figures import NOTHING, Estimate, EvaluationError
from .settings import Text

RESAMPLES = 4000
SEED = 20240115
CONFIDENCE = 95.0
"""Percent; intervals are percentiles of the bootstrap (Efron, 1979)."""
MIN_DENOMINATOR = 0.1
"""Lower bound of a denominator: cosines of strangers are close to 0, and a ratio to them would be
meaningless."""
Statistic = Callable[[np.ndarray], np.ndarray]
"""[..., people, quantities] -> [...]."""


def keypoint_error(found: np.ndarray, wanted: np.ndarray) -> float:
    """Mean distance of keypoints [5, 2] from the wanted ones, in heights of the wanted face."""
    distances = np.linalg.norm(_exact(found) - _exact(wanted), axis=1)
    return float(distances.mean() / oval_of_points(wanted).size)


def head_turn(points: np.ndarray) -> float:
    """Turn of a head: offset of the nose from the centre of the eyes along the eye line, in eye
    distances. Keypoints [5, 2]; 0 is straight ahead, positive is towards image right."""
    left, right, nose, *_ = _exact(points)
    across = right - left
    return float((nose - (left + right) / 2) @ across / (across @ across))


def saturation(image: np.ndarray) -> float:
    """Mean saturation of [H, W, 3] uint8 in the HSV model, 0..1."""
    values = image.astype(np.float64)
    largest, smallest = values.max(axis=2), values.min(axis=2)
    return float(np.mean((largest - smallest) / np.maximum(largest, 1)))


def clipped(image: np.ndarray) -> float:
    """Share of pixels of [H, W, 3] uint8 with a channel at either end of the scale."""
    return float(np.mean(((image == 0) | (image == 255)).any(axis=2)))


def cosine(one: np.ndarray, other: np.ndarray) -> float:
    """Cosine of the mean directions of two sets of embeddings, [N, 512] and [M, 512]."""
    return angles.cosine(angles.mean_direction(one), angles.mean_direction(other))


def mean(values: Sequence[Sequence[float]]) -> Estimate:
    """Mean over people of each one's mean; people without values are left out."""
    return estimate(_mean, [values])


def ratio(over: Sequence[Sequence[float]], under: Sequence[Sequence[float]]) -> Estimate:
    """Ratio of two means over the same people; the denominator is at least MIN_DENOMINATOR."""
    return estimate(
        lambda x: _mean(x) / np.maximum(x[..., 1].mean(axis=-1), MIN_DENOMINATOR), [over, under]
    )


def difference(more: Sequence[Sequence[float]], less: Sequence[Sequence[float]]) -> Estimate:
    """Difference of two means over the same people."""
    return estimate(lambda x: (x[..., 0] - x[..., 1]).mean(axis=-1), [more, less])


def share(values: Sequence[Sequence[bool]]) -> Estimate:
    """Share of true values, over people."""
    return mean([[float(value) for value in one] for one in values])


def estimate(statistic: Statistic, quantities: Sequence[Sequence[Sequence[float]]]) -> Estimate:
    """A statistic of people with its bootstrap interval.

    quantities: for each quantity, for each person (in the same order), that person's values. People
    that lack a value of any quantity are left out. Whole people are resampled, because pictures of
    one person are not independent. The seed is fixed: equal values give equal intervals.
    """
    people = np.array([[_known_mean(one) for one in each] for each in quantities], np.float64).T
    people = people.reshape(-1, len(quantities))
    people = people[np.isfinite(people).all(axis=1)]
    count = len(people)
    if not count:
        return NOTHING
    value = float(statistic(people))
    drawn = np.random.default_rng(SEED).integers(count, size=(RESAMPLES, count))
    tail = (100 - CONFIDENCE) / 2
    low, high = np.percentile(statistic(people[drawn]), [tail, 100 - tail])
    return Estimate(value, float(low), float(high), count)


def rank_correlation(x: Sequence[float], y: Sequence[float]) -> float:
    """Spearman's rank correlation: 1 if y always increases with x, -1 if it always decreases.

    NaN if one of them is constant or has fewer than two values.
    """
    pairs = np.array([pair for pair in zip(x, y, strict=True) if np.isfinite(pair).all()])
    if len(pairs) < 2 or (pairs == pairs[0]).all(axis=0).any():
        return float("nan")
    return float(np.corrcoef(_ranks(pairs[:, 0]), _ranks(pairs[:, 1]))[0, 1])


def is_decreasing(values: Sequence[float]) -> bool:
    """Whether every value is smaller than the one before it; False for fewer than two."""
    return len(values) > 1 and bool(np.all(np.diff(np.asarray(values, np.float64)) < 0))


def _mean(people: np.ndarray) -> np.ndarray:
    return people[..., 0].mean(axis=-1)


def _ranks(values: np.ndarray) -> np.ndarray:
    """[N] -> [N] ranks from 0; equal values share their mean rank."""
    below = (values[:, None] > values).sum(axis=1)
    equal = (values[:, None] == values).sum(axis=1)
    return below + (equal - 1) / 2


def _known_mean(values: Sequence[float]) -> float:
    known = [float(value) for value in values if np.isfinite(value)]
    return float(np.mean(known)) if known else float("nan")


def _exact(points: np.ndarray) -> np.ndarray:
    return np.asarray(points, np.float64)


STYLE, BACKGROUND, CLIP_T = "style", "background", "CLIP-T"


class TextScorer(Protocol):
    """Scores of text adherence, by name; larger is better."""

    names: tuple[str, ...]
    is_share: bool
    """Whether scores are 1 or 0, so that their mean is a share."""
    main: str
    """The score that the criterion uses."""

    def scores(self, image: np.ndarray, text: Text) -> Mapping[str, float]: ...


class NoTextScorer:
    """A scorer without scores."""

    names: tuple[str, ...] = ()
    is_share = False
    main = ""

    def scores(self, image: np.ndarray, text: Text) -> Mapping[str, float]:
        """Empty scores."""
        del image, text
        return {}


class StyleScorer:
    """Scores from the small world's classifier of styles and backgrounds."""

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
        """1 for style and background if they match the text, else 0."""
        found = self.classify(image)
        wanted = {STYLE: text.style, BACKGROUND: text.background}
        return {name: float(found[name] == wanted[name]) for name in self.names}

    def classify(self, image: np.ndarray) -> dict[str, str]:
        """Style and background of [H, W, 3] uint8 RGB."""
        batch = image.transpose(2, 0, 1)[None].astype(np.float32) / 255
        logits: Any = self.session.run(list(self.names), {self.input: batch})
        pairs = zip(self.names, logits, strict=True)
        return {name: self.labels[name][int(np.argmax(values[0]))] for name, values in pairs}


class ClipScorer:
    """CLIP-T: 100 times the cosine of CLIP's embeddings of picture and text (arXiv 2104.08718
    without its factor 2.5), as in the published figures."""

    names: tuple[str, ...] = (CLIP_T,)
    is_share = False
    main = CLIP_T

    def __init__(self, folder: Path) -> None:
        """folder: a CLIP model in transformers format. Nothing is downloaded."""
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
                f"--clip should name a folder with a CLIP model in transformers format (config, "
                f"weights, tokenizer, preprocessor), but {folder} cannot be loaded: {error}."
            ) from error

    def scores(self, image: np.ndarray, text: Text) -> Mapping[str, float]:
        """CLIP-T, -100..100; published figures for portraits are between 20 and 30."""
        import torch

        given = self.processor(
            text=[text.prompt], images=Image.fromarray(image), return_tensors="pt", truncation=True
        )
        with torch.inference_mode():
            found = self.model(**given)
        cosine = torch.nn.functional.cosine_similarity(found.text_embeds, found.image_embeds)
        return {CLIP_T: 100 * float(cosine[0])}
