"""Choice of the pictures that resemble a person most."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

from ..errors import SettingError


@dataclass(frozen=True)
class Best:
    """Pictures of a batch that are kept."""

    order: tuple[int, ...]
    """Their places in the batch, counted from 0, the best first."""
    text: str
    """One line per picture of the batch, in the order of the scores."""


def best(scores: Sequence[float], keep: int, at_least: float) -> Best:
    """The `keep` highest scores that are no lower than `at_least`; NaN is no score.

    Equal scores stay in the batch's order. Raises SettingError where no picture is kept.
    """
    known = [place for place, score in enumerate(scores) if not math.isnan(score)]
    ranked = sorted(known, key=lambda place: -scores[place])
    enough = [place for place in ranked if scores[place] >= at_least]
    if not enough:
        raise SettingError(_nothing(scores, ranked, at_least))
    kept = tuple(enough[:keep])
    unscored = [place for place in range(len(scores)) if place not in set(known)]
    fate = {place: _why_not(scores[place], at_least) for place in [*ranked, *unscored]}
    fate |= {place: f"kept, number {number}" for number, place in enumerate(kept, start=1)}
    lines = [f"image {place + 1}: {_figure(scores[place])}, {what}" for place, what in fate.items()]
    return Best(kept, "\n".join(lines))


def require_as_many(scores: Sequence[float], images: int) -> None:
    """Raises SettingError unless there is one score for each image."""
    if len(scores) != images:
        raise SettingError(
            f"scores should be one for each image, found {len(scores)} for {images}. Connect the "
            "scores of InstantID Score Identity that got the same images."
        )


def _figure(score: float) -> str:
    return "n/a" if math.isnan(score) else f"{score:.3f}"


def _why_not(score: float, at_least: float) -> str:
    if math.isnan(score):
        return "left out: no clear face"
    return "left out: others are better" if score >= at_least else f"left out: below {at_least:g}"


def _nothing(scores: Sequence[float], ranked: Sequence[int], at_least: float) -> str:
    if not ranked:
        return (
            f"scores should have a figure for at least one image, found none in {len(scores)}: no "
            "image shows a clear face. Look at the images, or make more of them."
        )
    top = ranked[0]
    return (
        f"No image reaches at_least = {at_least:g}; image {top + 1} is the best of {len(scores)} "
        f"with {scores[top]:.3f}. Lower at_least, or make more images."
    )
