"""Likeness of a face to an identity: the cosine between their embeddings."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import NamedTuple

import numpy as np

from ..errors import IdentityError
from ..faces import SURE_DETECTION, require_recogniser
from ..types import Face, Faces, IdentityEmbedding
from .angles import direction, mean_direction
from .bands import CAUTIOUS, RESULT_WORDS, Bands, bands_of
from .blending import require_one_recogniser

NOT_AVAILABLE = "n/a"


class Likeness(NamedTuple):
    """Likeness of one picture to an identity."""

    cosine: float | None
    """-1..1; None where there is no face, or none seen clearly."""
    face: Face | None
    """The face that the figure is about, or the clearest of those not scored; None without any."""
    bands: Bands = CAUTIOUS
    """Of the recogniser."""

    @property
    def band(self) -> str | None:
        """`copy`, `strong`, `moderate` or `weak`; None without a figure."""
        return None if self.cosine is None else self.bands.of_result(self.cosine)

    @property
    def text(self) -> str:
        """Figure and band, or why there is none."""
        if self.cosine is not None:
            return f"{self.cosine:.2f} {RESULT_WORDS[self.bands.of_result(self.cosine)]}"
        if self.face is None:
            return f"{NOT_AVAILABLE} (no face)"
        return f"{NOT_AVAILABLE} (weak detection, {self.face.score:.2f})"


class Comparison(NamedTuple):
    """Cosines between all references of several identities."""

    labels: tuple[str, ...]
    cosines: np.ndarray
    """[K, K] float64, symmetric, ones on the diagonal."""
    bands: Bands = CAUTIOUS
    """Of the recogniser."""

    def lowest(self) -> tuple[int, int]:
        """The two references that are least alike; of two identities, whether they are one."""
        rows, columns = np.triu_indices(len(self.labels), k=1)
        worst = int(np.argmin(self.cosines[rows, columns]))
        return int(rows[worst]), int(columns[worst])


def score(identity: IdentityEmbedding, faces: Faces) -> tuple[Likeness, ...]:
    """Compare an identity with the faces of each picture.

    An identity of several references is compared by the mean of their directions. Of several
    clearly seen faces in a picture the one most like the identity counts. A batch of identities
    goes over the pictures one by one and round again, as it goes over a latent batch. Raises
    IdentityError for nobody and for faces of another recogniser.
    """
    require_one_recogniser({"identity": identity})
    require_recogniser(identity, faces.recogniser)
    directions = [mean_direction(references) for references in identity.references.numpy()]
    return tuple(
        _best(directions[number % len(directions)], frame.faces, bands_of(faces.recogniser))
        for number, frame in enumerate(faces.frames)
    )


def compare(identities: Mapping[str, IdentityEmbedding]) -> Comparison:
    """Cosines between every two references, across identities and inside them.

    identities: by name; the references of one that has several are numbered, `name.0`, `name.1`.
    Raises IdentityError for nobody, for different recognisers, and for a single reference.
    """
    require_one_recogniser(identities)
    labels, vectors = [], []
    for name, identity in identities.items():
        references = identity.references.flatten(0, 1).numpy()
        vectors += list(references)
        labels += [f"{name}.{i}" for i in range(len(references))] if len(references) > 1 else [name]
    if len(vectors) < 2:
        raise IdentityError(
            "Comparing takes two references or more, found 1. Connect a second identity, or use "
            "several photos and combine = sequence in InstantID Embed Identity."
        )
    units = np.stack([direction(vector) for vector in vectors])
    cosines = np.clip(units @ units.T, -1, 1)
    np.fill_diagonal(cosines, 1)
    recogniser = next(iter(identities.values())).recogniser
    return Comparison(tuple(labels), cosines, bands_of(recogniser))


def score_text(likenesses: Sequence[Likeness], name: str = "") -> str:
    """A line for each picture and, of several figures, their mean. name: the person's, if known."""
    who = f" to {name}" if name else ""
    lines = [
        f"image {number}{who}: {found.text}" for number, found in enumerate(likenesses, start=1)
    ]
    known = [found.cosine for found in likenesses if found.cosine is not None]
    if len(likenesses) > 1:
        mean = NOT_AVAILABLE
        if known:
            mean = Likeness(float(np.mean(known)), None, likenesses[0].bands).text
        lines.append(f"mean of {len(known)} of {len(likenesses)} images: {mean}")
    return "\n".join(lines)


def score_report(likenesses: Sequence[Likeness]) -> list[dict[str, float | str | None]]:
    """Figure, band and words of each picture as plain values; None where there is no figure."""
    return [
        {
            "cosine": found.cosine,
            "band": found.band,
            "text": found.text,
        }
        for found in likenesses
    ]


def comparison_text(comparison: Comparison) -> str:
    """The matrix as a table, and its lowest entry."""
    width = max(6, *(len(label) for label in comparison.labels)) + 2
    lines = ["".join(label.rjust(width) for label in ("", *comparison.labels))]
    for label, row in zip(comparison.labels, comparison.cosines, strict=True):
        lines.append(label.rjust(width) + "".join(f"{cosine:.2f}".rjust(width) for cosine in row))
    one, other = comparison.lowest()
    cosine = comparison.cosines[one, other]
    names = f"{comparison.labels[one]} and {comparison.labels[other]}"
    lines.append(f"least alike: {names}, {cosine:.2f}: {comparison.bands.of_photos(cosine)}")
    return "\n".join(lines)


def _best(person: np.ndarray, faces: Sequence[object], bands: Bands) -> Likeness:
    known = [face for face in faces if isinstance(face, Face)]
    clear = [face for face in known if face.score >= SURE_DETECTION]
    if not clear:
        return Likeness(None, max(known, key=lambda face: face.score, default=None), bands)
    cosines = [float(np.clip(person @ direction(face.embedding), -1, 1)) for face in clear]
    best = int(np.argmax(cosines))
    return Likeness(cosines[best], clear[best], bands)
