"""Measurements: what is measured of generated pictures, person by person."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace

import numpy as np

from instantid_core.faces import SURE_DETECTION
from instantid_core.identity import angles
from instantid_core.types import Detection, FrameFaces

from . import metrics
from .attributes import AttributeJudge, shares_in
from .controls import UNTOUCHED, Control
from .figures import Estimate, Tile
from .judges import Judge
from .metrics import TextScorer
from .poses import Poses, points_of
from .prompts import Job
from .runner import LARGEST_FACE, GeneratedImage, Person, Runner, Say
from .settings import Plan, Setup, Text

SEED = 1000
"""Seed of the first picture."""


@dataclass(frozen=True)
class Variant:
    """A control of identities under a name."""

    name: str
    control: Control


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
    attributes: AttributeJudge | None = None
    """Judge of faces by pixels; None where there is none."""
    by: Judge | None = None
    """Recogniser of the likeness, one of the judges; None for the one that conditions pictures."""
    _scores: dict[tuple[GeneratedImage, Text], Mapping[str, float]] = field(default_factory=dict)
    _wanted: dict[int, np.ndarray] = field(default_factory=dict)

    @property
    def variants(self) -> dict[str, Variant]:
        """Variants of the paper's ablation, at the default weight and strength."""
        weight, strength = self.setup.weight, self.setup.strength
        return {
            "none": Variant("without InstantID", UNTOUCHED),
            "adapter": Variant("adapter only", Control(weight)),
            "net": Variant("IdentityNet only", Control(strength=strength)),
            "both": Variant("InstantID", Control(weight, strength)),
        }

    def at_steps(self, steps: int) -> Measurements:
        """The same measurements of pictures that take this many sampling steps."""
        runner = self.runner.at_steps(steps)
        return replace(self, setup=runner.setup, runner=runner)

    def job(self, person: Person, text: Text, variant: Variant, pose: str | None = None) -> Job:
        """Job for one picture of one person, at the pose of their photo unless another is given."""
        seed = SEED + self.setup.texts.index(text)
        seed += len(self.setup.texts) * (person.number % self.plan.seeds)
        if not variant.control.acts:
            return Job(text.prompt, seed, self.setup.size)
        if pose is None:
            pose = person.pose(self.setup.size)
        return Job(
            text.prompt,
            seed,
            self.setup.size,
            people=(person.photo,),
            control=variant.control,
            pose=pose if variant.control.strength else "",
        )

    @property
    def control_people(self) -> Sequence[Person]:
        """Those on whom controls are compared."""
        return self.people[: self.plan.control.people]

    def controlled(self, variant: Variant) -> list[list[Measure]]:
        """Measures of a control on the people that all controls are compared on."""
        self.runner.prepare(self.batch_job(person, variant) for person in self.control_people)
        return [self.batch(person, variant) for person in self.control_people]

    def batch(
        self, person: Person, variant: Variant, count: int = 0, naming: str = ""
    ) -> list[Measure]:
        """Measures of several pictures of one person with one text, in one batch.

        count: 0 is as many as controls are compared on. naming: what the text names of the person,
        one of `Setup.naming`; with the same seed as without.
        """
        text = self.setup.texts_of(person.number)[0]
        wanted = points_of(person.pose(self.setup.size))[0]
        pictures = self.runner.generate(self.batch_job(person, variant, count, naming))
        return [self.measure(picture, person, wanted, text) for picture in pictures]

    def batch_job(self, person: Person, variant: Variant, count: int = 0, naming: str = "") -> Job:
        """Job for what `batch` measures."""
        text = self.setup.texts_of(person.number)[0]
        count = count or self.plan.control.pictures
        job = replace(self.job(person, text, variant), count=count)
        if naming:
            job = replace(job, text=self.setup.naming[naming][self.setup.texts.index(text)])
        return job

    def portraits(
        self, people: Iterable[Person], variant: Variant, texts: int | None = None
    ) -> list[list[Measure]]:
        """Measures of people at their own pose, one per text."""
        wanted = [(one, self.setup.texts_of(one.number)[:texts]) for one in people]
        self.runner.prepare(
            self.job(person, text, variant) for person, several in wanted for text in several
        )
        return [
            [self.portrait(person, text, variant) for text in several] for person, several in wanted
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
        cosine = self.cosine(person, picture.image, picture.frame)
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

    def cosine(self, person: Person, image: np.ndarray, frame: FrameFaces) -> float | None:
        """Likeness of a picture's best clear face to a person's photos; None without one."""
        if self.by is None:
            return self.runner.cosine(person.target, frame)
        clear = [face for face in frame.faces if face.score >= SURE_DETECTION]
        return max((self._judged(self.by, person, image, face) for face in clear), default=None)

    def photo_cosine(self, reference: Person, target: Person) -> float:
        """Likeness of somebody's reference photo to somebody's target photos."""
        if self.by is None:
            one, other = reference.identity.references, target.target.references
            return metrics.cosine(one.numpy()[0], other.numpy()[0])
        return self._judged(self.by, target, reference.subject.references[0], reference.face)

    def _judged(self, judge: Judge, person: Person, image: np.ndarray, face: Detection) -> float:
        if person.number not in self._wanted:
            found = self.embeddings(judge, person.subject.targets)
            self._wanted[person.number] = angles.mean_direction(found)
        return angles.cosine(judge.embedding(image, face), self._wanted[person.number])

    def embeddings(self, judge: Judge, photos: Sequence[np.ndarray]) -> list[np.ndarray]:
        """Embeddings [D] of the photos that show a face."""
        frames = self.runner.analyse_pictures(photos, LARGEST_FACE).frames
        found = zip(photos, frames, strict=True)
        return [judge.embedding(photo, face) for photo, frame in found for face in frame.faces]

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


def shares_of(judge: AttributeJudge, measures: Sequence[Measure], name: str) -> list[float]:
    """Share of an attribute in the largest face of each picture; NaN without a face."""
    return [shares_in(judge, one.picture).get(name, np.nan) for one in measures]


def reference(person: Person) -> Tile:
    """Tile with the person's reference photo."""
    return Tile(person.subject.references[0], "reference")
