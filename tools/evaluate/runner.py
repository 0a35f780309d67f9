"""Runner of an evaluation: people's photos on the server, and the pictures that jobs give."""

from __future__ import annotations

import io
import time
from collections.abc import Callable, Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field, replace
from queue import SimpleQueue

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
from .prompts import OUTPUT_NODE, Job, prompt_of
from .settings import Setup

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

    clients: Sequence[ComfyClient]
    """Of servers with the same folders, each of which runs one job at a time."""
    setup: Setup
    analyzer: FaceAnalyzer
    object_info: ObjectInfo
    clock: Clock = field(default_factory=Clock)
    _done: dict[Job, tuple[GeneratedImage, ...]] = field(default_factory=dict)

    def at_steps(self, steps: int) -> Runner:
        """A runner of the same server whose pictures take this many sampling steps."""
        setup = replace(self.setup, steps=steps)
        return Runner(self.clients, setup, self.analyzer, self.object_info, self.clock)

    def generate(self, job: Job) -> tuple[GeneratedImage, ...]:
        """The pictures of a job; a repeated job returns the same ones."""
        self.prepare([job])
        return self._done[job]

    def prepare(self, jobs: Iterable[Job]) -> None:
        """Run jobs that are still to be run, as many at a time as there are servers."""
        waiting = [job for job in dict.fromkeys(jobs) if job not in self._done]
        free: SimpleQueue[ComfyClient] = SimpleQueue()
        for client in self.clients:
            free.put(client)

        def painted(job: Job) -> tuple[list[np.ndarray], float]:
            client = free.get()
            try:
                return self._painted(client, job)
            finally:
                free.put(client)

        with ThreadPoolExecutor(len(self.clients)) as lanes:
            for job, (images, seconds) in zip(waiting, lanes.map(painted, waiting), strict=True):
                self.clock.generating += seconds
                self.clock.pictures += len(images)
                self._done[job] = self._analysed(images)

    def _painted(self, client: ComfyClient, job: Job) -> tuple[list[np.ndarray], float]:
        """A job's pictures, and the seconds that the server took."""
        started = time.monotonic()
        prompt = fit_choices(prompt_of(job, self.setup), self.object_info)
        shown = client.run(prompt).outputs[OUTPUT_NODE]["images"]
        return [read_image(client.image(entry)) for entry in shown], time.monotonic() - started

    def _analysed(self, images: Sequence[np.ndarray]) -> tuple[GeneratedImage, ...]:
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
        return self.clients[0].upload(f"person_{name}.png", buffer.getvalue())


def with_one_face(frame: FrameFaces, face: Detection) -> FrameFaces:
    """The frame with only one of its faces."""
    return replace(frame, faces=(face,))


def read_image(content: bytes) -> np.ndarray:
    """Decoded picture as [H, W, 3] uint8 RGB."""
    return np.asarray(Image.open(io.BytesIO(content)).convert("RGB"))
