"""What experiments share: jobs for people, measures of their pictures, means over both."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np

from . import metrics
from .figures import Estimate, Tile
from .poses import Poses, points_of
from .prompts import Job
from .runner import Person, Say, Shot, Studio
from .settings import Plan, Setup, Text
from .text_scorers import Judge

SEED = 1000
"""Of the first picture."""


@dataclass(frozen=True)
class Variant:
    """Which parts of the method act, and how much."""

    name: str
    weight: float
    strength: float


@dataclass(frozen=True)
class Measure:
    """What one picture of one person came to."""

    shot: Shot
    style: str
    """Of the text."""
    likeness: float
    """Cosine; 0 where there is no clear face."""
    has_face: bool
    error: float
    """Of the keypoints, in face heights; NaN without a face or without wanted keypoints."""
    turn: float
    """See `evaluate_metrics.turn`; NaN without a face."""
    saturation: float
    clipped: float
    text: Mapping[str, float]

    @property
    def tile(self) -> Tile:
        """The picture with its likeness."""
        return Tile(self.shot.image, f"{self.likeness:.2f}" if self.has_face else "no face")


Measures = Sequence[Sequence[Measure]]
"""For each person, those of the person's pictures."""


@dataclass
class Lab:
    """Everything that an experiment needs."""

    setup: Setup
    plan: Plan
    studio: Studio
    people: Sequence[Person]
    poses: Poses
    judge: Judge
    say: Say
    _judged: dict[tuple[Shot, Text], Mapping[str, float]] = field(default_factory=dict)

    @property
    def variants(self) -> dict[str, Variant]:
        """The paper's ablation, at the usual weight and strength."""
        weight, strength = self.setup.weight, self.setup.strength
        return {
            "none": Variant("without InstantID", 0, 0),
            "adapter": Variant("adapter only", weight, 0),
            "net": Variant("IdentityNet only", 0, strength),
            "both": Variant("InstantID", weight, strength),
        }

    def job(self, person: Person, text: Text, variant: Variant, pose: str | None = None) -> Job:
        """One picture of one person, at the pose of the person's photo or at another."""
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
        """Pictures of people at their own pose, one for each of their first texts."""
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
        """One picture; keypoints count against the wanted ones, also where nothing asked for
        them: without IdentityNet that is what chance gives."""
        (shot,) = self.studio.take(self.job(person, text, variant, pose))
        wanted = points_of(pose or person.pose(self.setup.size))[0]
        return self.measure(shot, person, wanted, text)

    def measure(self, shot: Shot, person: Person, wanted: np.ndarray, text: Text) -> Measure:
        """A picture against one person."""
        cosine = self.studio.cosine(person.target, shot.frame)
        faces = [face.keypoints for face in shot.frame.faces]
        nearest = min(faces, key=lambda found: metrics.keypoint_error(found, wanted), default=None)
        return Measure(
            shot,
            style=text.style,
            likeness=0.0 if cosine is None else cosine,
            has_face=cosine is not None,
            error=np.nan if nearest is None else metrics.keypoint_error(nearest, wanted),
            turn=np.nan if nearest is None else metrics.turn(nearest),
            saturation=metrics.saturation(shot.image),
            clipped=metrics.clipped(shot.image),
            text=self._text_scores(shot, text),
        )

    def _text_scores(self, shot: Shot, text: Text) -> Mapping[str, float]:
        if (shot, text) not in self._judged:
            self._judged[shot, text] = self.judge.scores(shot.image, text)
        return self._judged[shot, text]


def values(measures: Measures, of: Callable[[Measure], float]) -> list[list[float]]:
    """One quantity of every picture."""
    return [[float(of(measure)) for measure in each] for each in measures]


def mean(measures: Measures, of: Callable[[Measure], float]) -> Estimate:
    """The mean of one quantity over people."""
    return metrics.mean(values(measures, of))


def likenesses(measures: Measures) -> list[list[float]]:
    """Cosines; 0 where there is no clear face."""
    return values(measures, lambda measure: measure.likeness)


def text_scores(measures: Measures, name: str) -> list[list[float]]:
    """One score of the judge."""
    return values(measures, lambda measure: measure.text[name])


def reference(person: Person) -> Tile:
    """The photo that a person's pictures are made from."""
    return Tile(person.subject.references[0], "reference")
