"""Measures of pictures, and means over people with intervals. Numbers in, numbers out."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np

from instantid_core.keypoints import oval_of_points

from .figures import NOTHING, Estimate

RESAMPLES = 4000
SEED = 20240115
CONFIDENCE = 95.0
"""Percent; intervals are percentiles of the bootstrap (Efron, 1979)."""
LEAST = 0.1
"""A figure below it counts as this much where something is divided by it: cosines of strangers lie
around 0, and a likeness that nobody sees must not be many times that."""
Statistic = Callable[[np.ndarray], np.ndarray]
"""[..., people, quantities] -> [...]."""


def keypoint_error(found: np.ndarray, wanted: np.ndarray) -> float:
    """Mean distance of keypoints [5, 2] to the wanted ones, in heights of the wanted face."""
    distances = np.linalg.norm(_exact(found) - _exact(wanted), axis=1)
    return float(distances.mean() / oval_of_points(wanted).size)


def turn(points: np.ndarray) -> float:
    """How far a head is turned: way of the nose from the middle of the eyes, along the line of the
    eyes, in eye distances. Keypoints [5, 2]; 0 is straight ahead, positive to image right."""
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
    first, second = (_mean_direction(embeddings) for embeddings in (one, other))
    return float(np.clip(first @ second, -1, 1))


def mean(values: Sequence[Sequence[float]]) -> Estimate:
    """Mean over people of each one's mean; people without values are left out."""
    return estimate(_mean, [values])


def ratio(over: Sequence[Sequence[float]], under: Sequence[Sequence[float]]) -> Estimate:
    """Ratio of two means over the same people. A lower mean than `LEAST` counts as that."""
    return estimate(lambda x: _mean(x) / np.maximum(x[..., 1].mean(axis=-1), LEAST), [over, under])


def difference(more: Sequence[Sequence[float]], less: Sequence[Sequence[float]]) -> Estimate:
    """Difference of two means over the same people."""
    return estimate(lambda x: (x[..., 0] - x[..., 1]).mean(axis=-1), [more, less])


def share(values: Sequence[Sequence[bool]]) -> Estimate:
    """Share of what is true, over people."""
    return mean([[float(value) for value in one] for one in values])


def estimate(statistic: Statistic, quantities: Sequence[Sequence[Sequence[float]]]) -> Estimate:
    """A statistic of people with its bootstrap interval.

    quantities: for each quantity, for each person (in the same order), that person's values. People
    that lack a value of any quantity are left out. Whole people are drawn, since pictures of one
    person are not independent of each other. The generator is fixed: equal values, equal interval.
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
    """Spearman's correlation of two rows of numbers: 1 where y rises with x all the way, -1 where
    it falls. NaN where one of them does not change, or is shorter than two."""
    pairs = np.array([pair for pair in zip(x, y, strict=True) if np.isfinite(pair).all()])
    if len(pairs) < 2 or (pairs == pairs[0]).all(axis=0).any():
        return float("nan")
    return float(np.corrcoef(_ranks(pairs[:, 0]), _ranks(pairs[:, 1]))[0, 1])


def falls(values: Sequence[float]) -> bool:
    """Whether every value is smaller than the one before it; not so for fewer than two."""
    return len(values) > 1 and bool(np.all(np.diff(np.asarray(values, np.float64)) < 0))


def _mean(people: np.ndarray) -> np.ndarray:
    return people[..., 0].mean(axis=-1)


def _mean_direction(embeddings: np.ndarray) -> np.ndarray:
    directions = [each / np.linalg.norm(each) for each in _exact(embeddings)]
    middle = np.mean(directions, axis=0)
    return middle / np.linalg.norm(middle)


def _ranks(values: np.ndarray) -> np.ndarray:
    """[N] -> [N] places from 0; equal values share the mean of theirs."""
    below = (values[:, None] > values).sum(axis=1)
    equal = (values[:, None] == values).sum(axis=1)
    return below + (equal - 1) / 2


def _known_mean(values: Sequence[float]) -> float:
    known = [float(value) for value in values if np.isfinite(value)]
    return float(np.mean(known)) if known else float("nan")


def _exact(points: np.ndarray) -> np.ndarray:
    return np.asarray(points, np.float64)
