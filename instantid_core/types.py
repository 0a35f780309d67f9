"""The values that travel between the stages. All are immutable, their tensors never written to."""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import Enum, IntEnum
from typing import NamedTuple

import numpy as np
import torch

EMBEDDING_WIDTH = 512
"""Numbers in an ArcFace embedding."""


class Polarity(IntEnum):
    """Side of classifier-free guidance that a row of the batch belongs to.

    In the order in which ComfyUI stacks the two, so that what is stored by polarity fits its
    batches as it is.
    """

    NEGATIVE = 0
    POSITIVE = 1


class ColourOrder(Enum):
    """Order of the colours that a recogniser is shown."""

    BGR = "BGR"
    RGB = "RGB"


@dataclass(frozen=True)
class Recogniser:
    """The model that reads embeddings. Embeddings of different ones must not be mixed."""

    sha256: str
    """Of the model's file."""
    colours: ColourOrder = ColourOrder.BGR
    pack: str = field(default="", compare=False)
    """The face models that it was loaded as a part of; empty where that is not known."""


class Family(NamedTuple):
    """A base model for which there is an InstantID, and all that differs between them."""

    name: str
    """As messages and the loaders' choices call it."""
    context_width: int
    """Width of the text context, by which its adapter and its IdentityNet are known."""
    colours: ColourOrder
    """The order in which its InstantID read faces in its training."""
    draws_landmarks: bool
    """Whether its IdentityNet was trained on 106 landmarks beside the five keypoints."""


SDXL = Family("SDXL", 2048, ColourOrder.BGR, draws_landmarks=False)
SD15 = Family("SD 1.5", 768, ColourOrder.RGB, draws_landmarks=True)
FAMILIES = (SDXL, SD15)


def family_of(context_width: int) -> Family | None:
    """The family of this width; None for another model, such as the small ones of tests."""
    return next((each for each in FAMILIES if each.context_width == context_width), None)


class Extent(NamedTuple):
    """Size of a picture in pixels."""

    width: int
    height: int

    def __str__(self) -> str:
        return f"{self.width} x {self.height}"


class Box(NamedTuple):
    """Axis-aligned rectangle in pixels; may reach outside the picture, as detectors report it."""

    x0: float
    y0: float
    x1: float
    y1: float

    @property
    def width(self) -> float:
        return self.x1 - self.x0

    @property
    def height(self) -> float:
        return self.y1 - self.y0

    @property
    def area(self) -> float:
        return self.width * self.height

    @property
    def centre(self) -> tuple[float, float]:
        return (self.x0 + self.x1) / 2, (self.y0 + self.y1) / 2


@dataclass(frozen=True, eq=False)
class Detection:
    """One face as the detector sees it."""

    box: Box
    score: float
    """Detector confidence, 0..1."""
    keypoints: np.ndarray
    """[5, 2] float32, pixels: image-left eye, image-right eye, nose, mouth left, mouth right."""
    landmarks: np.ndarray | None = field(default=None, kw_only=True)
    """[106, 2] float32, pixels, in antelopev2's order; None where no model for them is there."""


class FaceQuality(NamedTuple):
    """Quality of a face as the recogniser saw it."""

    span: float
    """Pixels of the picture across the square that the recogniser scales to 112 pixels."""
    sharpness: float
    """Share of fine detail in the contrast."""
    brightness: float
    """Mean, 0..1."""
    noise: float
    """Standard deviation, in levels of 255."""


@dataclass(frozen=True, eq=False)
class Face(Detection):
    """A detected face and who it is."""

    embedding: np.ndarray
    """[512] float32, raw (not normalised) ArcFace output; its norm is about 20."""
    number: int = field(default=0, kw_only=True)
    """Its place among all faces of the picture, from 0 at the left."""
    quality: FaceQuality | None = field(default=None, kw_only=True)
    """None where it was not measured."""
    portrait: bytes = field(default=b"", kw_only=True)
    """A small JPEG of the face, for people to recognise; empty where there is none."""


@dataclass(frozen=True)
class FrameFaces:
    """The selected faces of one picture, in selection order; empty when none was found."""

    extent: Extent
    faces: tuple[Detection, ...]
    """Faces of a photo are `Face`; those of a pose that nobody holds are plain detections."""


class KeypointStyle(NamedTuple):
    """Brightness of drawn keypoints: 1 is the reference's, 0 leaves the part out."""

    limbs: float = 1.0
    points: float = 1.0


REFERENCE_STYLE = KeypointStyle()


@dataclass(frozen=True)
class Faces:
    """The selected faces of a batch: one entry per picture, so frames keep their places."""

    frames: tuple[FrameFaces, ...]
    recogniser: Recogniser | None
    """None for a pose that nobody holds."""
    style: KeypointStyle = REFERENCE_STYLE

    @property
    def count(self) -> int:
        return sum(len(frame.faces) for frame in self.frames)

    @property
    def all(self) -> tuple[Detection, ...]:
        return tuple(face for frame in self.frames for face in frame.faces)

    @property
    def known(self) -> tuple[Face, ...]:
        """Those of all faces that have an embedding."""
        return tuple(face for face in self.all if isinstance(face, Face))


class Person(NamedTuple):
    """Name and picture of somebody, for people; nothing of it changes a generated picture."""

    name: str = ""
    portrait: bytes = b""
    """A small JPEG of the face."""
    consent: str = ""
    """Note on who agreed, and to what."""


UNKNOWN_PERSON = Person()


@dataclass(frozen=True, eq=False)
class IdentityEmbedding:
    """People to depict: N identities, each a sequence of S reference embeddings."""

    references: torch.Tensor
    """[N, S, 512] float32, CPU, raw ArcFace. N = 0 means nobody: applying it changes nothing."""
    recogniser: Recogniser
    person: Person = UNKNOWN_PERSON
    """Of several people mixed, what is known of them together."""

    @property
    def is_nobody(self) -> bool:
        return self.references.shape[0] == 0


class Evidence(NamedTuple):
    """Photos that a direction was learnt from, and how far it holds for others."""

    with_it: int
    """Photos with what the direction leads to."""
    without_it: int
    paired: bool
    """Whether photos were compared two by two."""
    auc: float
    """0..1: how often a held-out photo with it lies further along the direction than one without
    it; 0.5 is chance."""


@dataclass(frozen=True, eq=False)
class Direction:
    """A direction in a recogniser's embedding space: from faces without something to faces with it,
    such as glasses."""

    vector: torch.Tensor
    """[512] float32, CPU: the mean of raw embeddings with it, minus the mean of those without."""
    midpoint: float
    """Place of the middle between the two means along `vector`, in the units of an embedding."""
    recogniser: Recogniser
    name: str
    evidence: Evidence

    @property
    def length(self) -> float:
        """From one mean to the other; the norm of an embedding is about 20."""
        return float(self.vector.double().norm())


@dataclass(frozen=True, eq=False)
class IdentityTokens:
    """Tokens that attention layers see, made of an identity by the image adapter."""

    positive: torch.Tensor
    """[N, T, C] float32, CPU: T tokens (16 of InstantID's adapter) of the UNet's context width C
    (2048 in SDXL)."""
    negative: torch.Tensor
    """[N, T, C] float32, CPU: the same for the negative identity."""
    foreign_to_net: str = ""
    """Name of the adapter where IdentityNet was not trained on its tokens."""

    @property
    def identities(self) -> int:
        """N."""
        return self.positive.shape[0]

    @property
    def is_nobody(self) -> bool:
        return not self.identities

    @property
    def nbytes(self) -> int:
        return self.positive.nbytes + self.negative.nbytes

    @property
    def context_width(self) -> int:
        """C."""
        return self.positive.shape[-1]

    def stacked(self) -> torch.Tensor:
        """[2, N, T, C], indexed first by `Polarity`."""
        return torch.stack((self.negative, self.positive))
