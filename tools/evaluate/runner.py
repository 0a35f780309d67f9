"""Pictures from the server, and what the face models see in them."""

from __future__ import annotations

import io
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace

import numpy as np
from PIL import Image

from instantid_core.faces import FaceAnalyzer, Selection
from instantid_core.identity import combine, likeness
from instantid_core.images import extent_of
from instantid_core.types import Detection, Faces, FrameFaces, IdentityEmbedding
from tools.comfyui.client import ComfyClient
from tools.comfyui.prompts import ObjectInfo, fit_choices

from .figures import EvaluationError
from .photos import Subject, on_one_size
from .poses import letterboxed, pose_text
from .prompts import SHOWN, Job, prompt_of
from .settings import Setup

LARGEST = Selection("largest", on_no_face="skip")
EVERY = Selection("left_to_right", on_no_face="skip")
MIN_SCORE = 0.5
Say = Callable[[str], None]


@dataclass(frozen=True, eq=False)
class Shot:
    """A generated picture and the faces in it."""

    image: np.ndarray
    """[H, W, 3] uint8 RGB."""
    frame: FrameFaces


@dataclass(frozen=True, eq=False)
class Person:
    """A subject whose photos the server has."""

    number: int
    subject: Subject
    photo: tuple[str]
    """The first reference in the server's input folder."""
    photos: tuple[str, ...]
    """All references, on one size."""
    face: Detection
    """In the first reference."""
    identity: IdentityEmbedding
    """Of the first reference."""
    target: IdentityEmbedding
    """What likeness is measured against."""

    def pose(self, size: tuple[int, int]) -> str:
        """The first reference's own keypoints, on a picture of width and height `size`."""
        extent = extent_of(self.subject.references[0])
        return pose_text([letterboxed(self.face.keypoints, extent, size)], size)


@dataclass
class Clock:
    """Where the time went, in seconds."""

    pictures: int = 0
    generating: float = 0.0
    analysing: float = 0.0

    @property
    def a_picture(self) -> float:
        """Seconds on the server for one picture."""
        return self.generating / max(1, self.pictures)


@dataclass
class Studio:
    """Makes pictures, each job once, and analyses them."""

    client: ComfyClient
    setup: Setup
    analyzer: FaceAnalyzer
    object_info: ObjectInfo
    clock: Clock = field(default_factory=Clock)
    _done: dict[Job, tuple[Shot, ...]] = field(default_factory=dict)

    def take(self, job: Job) -> tuple[Shot, ...]:
        """The pictures of a job; those of a job done before come from memory."""
        if job not in self._done:
            self._done[job] = self._generate(job)
        return self._done[job]

    def _generate(self, job: Job) -> tuple[Shot, ...]:
        started = time.monotonic()
        prompt = fit_choices(prompt_of(job, self.setup), self.object_info)
        shown = self.client.run(prompt).outputs[SHOWN]["images"]
        images = [read_image(self.client.image(entry)) for entry in shown]
        self.clock.generating += time.monotonic() - started
        self.clock.pictures += len(images)
        frames = self.analysed(images, EVERY).frames
        return tuple(Shot(image, frame) for image, frame in zip(images, frames, strict=True))

    def analysed(self, images: Sequence[np.ndarray], selection: Selection) -> Faces:
        """The chosen faces of pictures."""
        started = time.monotonic()
        faces = self.analyzer.analyse(images, selection, MIN_SCORE).faces
        self.clock.analysing += time.monotonic() - started
        return faces

    def cosine(self, target: IdentityEmbedding, frame: FrameFaces) -> float | None:
        """How much the best face of a picture looks like somebody; None without a clear face."""
        (found,) = likeness.score(target, Faces((frame,), self.analyzer.recogniser))
        return found.cosine

    def admit(self, subjects: Sequence[Subject], say: Say) -> list[Person]:
        """Upload photos. People are left out whose reference or whose target shows no face."""
        people = []
        for subject in subjects:
            person = self._admitted(subject, len(people))
            if person is None:
                say(f"  {subject.name} is left out: no face was found in the photos.")
            else:
                people.append(person)
        if not people:
            raise EvaluationError(
                "No face was found in any of the photos. Use photos that show one clear face each."
            )
        return people

    def _admitted(self, subject: Subject, number: int) -> Person | None:
        seen = self.analysed(subject.references[:1], LARGEST)
        targets = self.analysed(subject.targets, LARGEST)
        if not seen.count or not targets.count:
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
            seen.all[0],
            combine(seen, "average"),
            combine(targets, "sequence"),
        )

    def upload(self, photo: np.ndarray, name: str) -> str:
        """A picture [H, W, 3] uint8 RGB in the server's input folder; returns its name there."""
        buffer = io.BytesIO()
        Image.fromarray(photo).save(buffer, format="PNG")
        return self.client.upload(f"person_{name}.png", buffer.getvalue())


def alone(frame: FrameFaces, face: Detection) -> FrameFaces:
    """The frame with one of its faces."""
    return replace(frame, faces=(face,))


def read_image(content: bytes) -> np.ndarray:
    """[H, W, 3] uint8 RGB from an encoded picture."""
    return np.asarray(Image.open(io.BytesIO(content)).convert("RGB"))
