"""Measurements: generated pictures, the faces in them, and what is measured of them."""

from __future__ import annotations

import io
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace

import numpy as np
from PIL import Image

from instantid_core.faces import FaceAnalyzer, Selection
from instantid_core.identity import combine, likeness
from instantid_core.images import extent_of
from instantid_core.types import Detection, Faces, FrameFaces, IdentityEmbedding
from tools.comfyui.client import ComfyClient
from tools.comfyui.prompts import ObjectInfo, fit_choices

from . import metrics
from .figures import Estimate, EvaluationError, Tile
from .judges import Judge
from .metrics import TextScorer
from .photos import Subject, on_one_size
from .poses import Poses, letterboxed, points_of, pose_text
from .prompts import OUTPUT_NODE, Job, prompt_of
from .settings import Plan, Setup, Text

LARGEST_FACE = Selection("largest", on_no_face="skip")
EVERY_FACE = Selection("left_to_right", on_no_face="skip")
MIN_SCORE = 0.5
Say = Callable[[str], None]


@dataclass(frozen=True, eq=False)
class GeneratedImage:
    """A generated picture and the faces in it."""

    image: np.ndarray
    """[H, W, 3] uint8 RGB."""
    frame: FrameFaces


@dataclass(frozen=True, eq=False)
class Person:
    """A subject whose photos are on the server."""

    number: int
    subject: Subject
    photo: tuple[str]
    """The first reference in the server's input folder."""
    photos: tuple[str, ...]
    """All references, padded to one size."""
    face: Detection
    """Face in the first reference."""
    identity: IdentityEmbedding
    """Identity of the first reference."""
    target: IdentityEmbedding
    """Identity that likeness is measured against."""

    def pose(self, size: tuple[int, int]) -> str:
        """Pose of the first reference on a picture of width and height `size`."""
        extent = extent_of(self.subject.references[0])
        return pose_text([letterboxed(self.face.keypoints, extent, size)], size)


@dataclass
class Clock:
    """Number of pictures, and time spent in seconds."""

    pictures: int = 0
    generating: float = 0.0
    analysing: float = 0.0

    @property
    def per_picture(self) -> float:
        """Seconds on the server per picture."""
        return self.generating / max(1, self.pictures)


@dataclass
class Runner:
    """Runs jobs, each one once, and analyses their pictures."""

    client: ComfyClient
    setup: Setup
    analyzer: FaceAnalyzer
    object_info: ObjectInfo
    clock: Clock = field(default_factory=Clock)
    _done: dict[Job, tuple[GeneratedImage, ...]] = field(default_factory=dict)

    def generate(self, job: Job) -> tuple[GeneratedImage, ...]:
        """The pictures of a job; a repeated job returns the same ones."""
        if job not in self._done:
            self._done[job] = self._run_job(job)
        return self._done[job]

    def _run_job(self, job: Job) -> tuple[GeneratedImage, ...]:
        started = time.monotonic()
        prompt = fit_choices(prompt_of(job, self.setup), self.object_info)
        shown = self.client.run(prompt).outputs[OUTPUT_NODE]["images"]
        images = [read_image(self.client.image(entry)) for entry in shown]
        self.clock.generating += time.monotonic() - started
        self.clock.pictures += len(images)
        frames = self.analyse_pictures(images, EVERY_FACE).frames
        return tuple(
            GeneratedImage(image, frame) for image, frame in zip(images, frames, strict=True)
        )

    def analyse_pictures(self, images: Sequence[np.ndarray], selection: Selection) -> Faces:
        """The selected faces of pictures."""
        started = time.monotonic()
        faces = self.analyzer.analyse(images, selection, MIN_SCORE).faces
        self.clock.analysing += time.monotonic() - started
        return faces

    def cosine(self, target: IdentityEmbedding, frame: FrameFaces) -> float | None:
        """Likeness of a picture's best face to a person; None without a clear face."""
        (found,) = likeness.score(target, Faces((frame,), self.analyzer.recogniser))
        return found.cosine

    def upload_people(self, subjects: Sequence[Subject], say: Say) -> list[Person]:
        """Upload photos; skips people without a face in the reference or in the targets."""
        people = []
        for subject in subjects:
            person = self._upload_person(subject, len(people))
            if person is None:
                say(f"  {subject.name} is skipped: no face was found in the photos.")
            else:
                people.append(person)
        if not people:
            raise EvaluationError(
                "No face was found in any of the photos. Use photos that show one clear face each."
            )
        return people

    def _upload_person(self, subject: Subject, number: int) -> Person | None:
        reference = self.analyse_pictures(subject.references[:1], LARGEST_FACE)
        targets = self.analyse_pictures(subject.targets, LARGEST_FACE)
        if not reference.count or not targets.count:
            return None
        padded = on_one_size(subject.references)
        names = [self.upload(photo, f"{number}_{n}") for n, photo in enumerate(padded)]
        first = names[0]
        if padded[0].shape != subject.references[0].shape:
            first = self.upload(subject.references[0], f"{number}_alone")
        return Person(
            number,
            subject,
            (first,),
            tuple(names),
            reference.all[0],
            combine(reference, "average"),
            combine(targets, "sequence"),
        )

    def upload(self, photo: np.ndarray, name: str) -> str:
        """Upload a picture [H, W, 3] uint8 RGB; returns its name on the server."""
        buffer = io.BytesIO()
        Image.fromarray(photo).save(buffer, format="PNG")
        return self.client.upload(f"person_{name}.png", buffer.getvalue())


def with_one_face(frame: FrameFaces, face: Detection) -> FrameFaces:
    """The frame with only one of its faces."""
    return replace(frame, faces=(face,))


def read_image(content: bytes) -> np.ndarray:
    """Decoded picture as [H, W, 3] uint8 RGB."""
    return np.asarray(Image.open(io.BytesIO(content)).convert("RGB"))


SEED = 1000
"""Seed of the first picture."""


@dataclass(frozen=True)
class Variant:
    """The parts of the method that are active, and their amounts."""

    name: str
    weight: float
    strength: float


@dataclass(frozen=True)
class Measure:
    """Measurements of one picture of one person."""

    picture: GeneratedImage
    style: str
    """Style of the text."""
    likeness: float
    """Cosine; 0 without a clear face."""
    has_face: bool
    error: float
    """Keypoint error in face heights; NaN without a face or without wanted keypoints."""
    head_turn: float
    """See `metrics.head_turn`; NaN without a face."""
    saturation: float
    clipped: float
    text: Mapping[str, float]

    @property
    def tile(self) -> Tile:
        """The picture, captioned with its likeness."""
        return Tile(self.picture.image, f"{self.likeness:.2f}" if self.has_face else "no face")


Measures = Sequence[Sequence[Measure]]
"""Per person, the measures of their pictures."""


@dataclass
class Measurements:
    """Everything that an experiment needs to generate and measure pictures."""

    setup: Setup
    plan: Plan
    runner: Runner
    people: Sequence[Person]
    poses: Poses
    scorer: TextScorer
    say: Say
    judges: Sequence[Judge] = ()
    """Second recognisers, beside the one that conditions the pictures."""
    _scores: dict[tuple[GeneratedImage, Text], Mapping[str, float]] = field(default_factory=dict)

    @property
    def variants(self) -> dict[str, Variant]:
        """Variants of the paper's ablation, at the default weight and strength."""
        weight, strength = self.setup.weight, self.setup.strength
        return {
            "none": Variant("without InstantID", 0, 0),
            "adapter": Variant("adapter only", weight, 0),
            "net": Variant("IdentityNet only", 0, strength),
            "both": Variant("InstantID", weight, strength),
        }

    def job(self, person: Person, text: Text, variant: Variant, pose: str | None = None) -> Job:
        """Job for one picture of one person, at the pose of their photo unless another is given."""
        seed = SEED + self.setup.texts.index(text)
        seed += len(self.setup.texts) * (person.number % self.plan.seeds)
        if not variant.weight and not variant.strength:
            return Job(text.prompt, seed, self.setup.size)
        if pose is None:
            pose = person.pose(self.setup.size)
        return Job(
            text.prompt,
            seed,
            self.setup.size,
            people=(person.photo,),
            weight=variant.weight,
            strength=variant.strength,
            pose=pose if variant.strength else "",
        )

    def portraits(
        self, people: Iterable[Person], variant: Variant, texts: int | None = None
    ) -> list[list[Measure]]:
        """Measures of people at their own pose, one per text."""
        return [
            [
                self.portrait(person, text, variant)
                for text in self.setup.texts_of(person.number)[:texts]
            ]
            for person in people
        ]

    def portrait(
        self, person: Person, text: Text, variant: Variant, pose: str | None = None
    ) -> Measure:
        """Measures of one picture. Keypoints are compared with those of the pose even without
        IdentityNet, where the error is that of chance."""
        (picture,) = self.runner.generate(self.job(person, text, variant, pose))
        wanted = points_of(pose or person.pose(self.setup.size))[0]
        return self.measure(picture, person, wanted, text)

    def measure(
        self, picture: GeneratedImage, person: Person, wanted: np.ndarray, text: Text
    ) -> Measure:
        """Measures of a picture, compared with one person."""
        cosine = self.runner.cosine(person.target, picture.frame)
        faces = [face.keypoints for face in picture.frame.faces]
        nearest = min(faces, key=lambda found: metrics.keypoint_error(found, wanted), default=None)
        return Measure(
            picture,
            style=text.style,
            likeness=0.0 if cosine is None else cosine,
            has_face=cosine is not None,
            error=np.nan if nearest is None else metrics.keypoint_error(nearest, wanted),
            head_turn=np.nan if nearest is None else metrics.head_turn(nearest),
            saturation=metrics.saturation(picture.image),
            clipped=metrics.clipped(picture.image),
            text=self._text_scores(picture, text),
        )

    def _text_scores(self, picture: GeneratedImage, text: Text) -> Mapping[str, float]:
        if (picture, text) not in self._scores:
            self._scores[picture, text] = self.scorer.scores(picture.image, text)
        return self._scores[picture, text]


def values(measures: Measures, of: Callable[[Measure], float]) -> list[list[float]]:
    """One quantity of each picture."""
    return [[float(of(measure)) for measure in each] for each in measures]


def mean(measures: Measures, of: Callable[[Measure], float]) -> Estimate:
    """The mean of one quantity over people."""
    return metrics.mean(values(measures, of))


def likenesses(measures: Measures) -> list[list[float]]:
    """Cosines; 0 without a clear face."""
    return values(measures, lambda measure: measure.likeness)


def text_scores(measures: Measures, name: str) -> list[list[float]]:
    """One of the text scores."""
    return values(measures, lambda measure: measure.text[name])


def reference(person: Person) -> Tile:
    """Tile with the person's reference photo."""
    return Tile(person.subject.references[0], "reference")
