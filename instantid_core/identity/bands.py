"""Words for cosines: whether photos show one person, and how close a result comes to somebody.

The limits belong to a recogniser, and are read off photographs: what pairs of two photos of one
person reach, and what pairs of two people do.
"""

from __future__ import annotations

from typing import NamedTuple

from ..models import PUBLISHED_RECOGNISER
from ..types import Recogniser

SAME, UNSURE, ANOTHER = "the same person", "unsure", "another person"
"""Words for two photos."""
COPY, STRONG, MODERATE, WEAK = "copy", "strong", "moderate", "weak"
"""Words for a picture that was made, beside the person's photo."""
RESULT_WORDS = {COPY: "as close as a copy", STRONG: "strong", MODERATE: "moderate", WEAK: "weak"}


class Bands(NamedTuple):
    """Cosines at which the words change."""

    another: float
    """Below: two people. Pairs of one person seldom lie there."""
    same: float
    """From here on: one person. Pairs of two people seldom reach it."""
    typical: float
    """Median of two photos of one person: a result that reaches it is as good as another photo."""
    copy: float
    """Above all pairs of different photos of one person: a result that reaches it repeats the
    photo itself, with its light and expression."""
    source: str
    """Origin of the figures."""

    def of_photos(self, cosine: float) -> str:
        """`SAME`, `UNSURE` or `ANOTHER`: the words for a cosine between two photos."""
        return SAME if cosine >= self.same else UNSURE if cosine >= self.another else ANOTHER

    def of_result(self, cosine: float) -> str:
        """One of `RESULT_WORDS`: how close a result comes to the person."""
        limits = ((self.copy, COPY), (self.typical, STRONG), (self.same, MODERATE))
        return next((word for limit, word in limits if cosine >= limit), WEAK)


CAUTIOUS = Bands(
    another=0.28,
    same=0.32,
    typical=0.50,
    copy=0.80,
    source="560 labelled pairs of press photos with a small ArcFace recogniser: of one person 0.31 "
    "to 0.79, of two people at most 0.49 and in 95 % under 0.27; best threshold 0.27 to 0.37",
)
"""For recognisers without figures of their own."""
BANDS = {
    PUBLISHED_RECOGNISER: CAUTIOUS._replace(
        typical=0.46,
        source="published benchmarks of recognisers of this kind: a median of about 0.46 for two "
        "photos of one person; limits between people as for other recognisers",
    ),
}
"""By the SHA-256 of the recogniser's file."""


def bands_of(recogniser: Recogniser | None) -> Bands:
    """The bands of a recogniser."""
    return CAUTIOUS if recogniser is None else BANDS.get(recogniser.sha256, CAUTIOUS)
