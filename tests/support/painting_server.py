"""A server that paints what a prompt asks for, in place of ComfyUI and its models.

Faces are found and recognised by the real analyzer on the synthetic models; only generation is
replaced.
"""

from __future__ import annotations

import io
import math
from collections.abc import Sequence
from types import SimpleNamespace
from typing import Any

import numpy as np
from PIL import Image

from instantid_core.faces import FaceAnalyzer
from tools.evaluate.judges import Judge
from tools.evaluate.measurements import Measurements
from tools.evaluate.metrics import NoTextScorer, head_turn
from tools.evaluate.photos import Subject, drawn_people
from tools.evaluate.poses import ModelFacePoses, points_of
from tools.evaluate.prompts import OUTPUT_NODE
from tools.evaluate.runner import Runner
from tools.evaluate.settings import QUICK, Overrides, random_models, with_overrides
from tools.small_world import painter

SIDE = 256
NOBODY = 20
"""Number of a face that is in no photo."""
NOSE_OVER_EYES = painter.NOSE_HEIGHT / np.ptp(painter.ARCFACE_TEMPLATE[:2, 0])


class PaintingServer:
    """Paints the person of a prompt at its pose. Without the adapter every second picture is of
    somebody else; without IdentityNet the face is somewhere else."""

    def __init__(self, knows_people: bool = True, paints_twins: bool = False) -> None:
        self.knows_people = knows_people
        self.paints_twins = paints_twins
        self.files: list[bytes] = []
        self.prompts = 0

    def upload(self, name: str, content: bytes, **fields: str) -> str:
        del content, fields
        return name

    def image(self, entry: int) -> bytes:
        return self.files[entry]

    def run(self, prompt: dict[str, Any]) -> SimpleNamespace:
        self.prompts += 1
        size = prompt["latent"]["inputs"]
        first = len(self.files)
        for number in range(size["batch_size"]):
            picture = painter.canvas(size["width"], size["height"])
            for identity, points in self.people(prompt, number):
                paint_at(picture, identity, points)
            self.files.append(encoded(picture))
        images = list(range(first, len(self.files)))
        return SimpleNamespace(outputs={OUTPUT_NODE: {"images": images}})

    def people(self, prompt: dict[str, Any], number: int) -> list[tuple[int, np.ndarray | None]]:
        """Who is in a picture, and at which keypoints."""
        wanted = [n for n in range(2) if f"photo_{n}_0" in prompt]
        who = [int(prompt[f"photo_{n}_0"]["inputs"]["image"].split("_")[1]) for n in wanted]
        if not who or not self.knows_people:
            who = [NOBODY] * max(1, len(who))
        where = points_of(prompt["pose"]["inputs"]["pose_json"]) if "pose" in prompt else [None]
        if "between" in prompt:
            who = [who[round(number / (prompt["latent"]["inputs"]["batch_size"] - 1))]]
        elif "applied" not in prompt and "group" not in prompt and self.prompts % 2:
            who = [NOBODY]
        if self.paints_twins:
            who = who[:1] * len(who)
        return list(zip(who, where, strict=True))


def paint_at(picture: np.ndarray, identity: int, points: np.ndarray | None) -> None:
    """Paint a face at keypoints [5, 2]; at a place of its own without any."""
    if points is None:
        painter.paint_face(picture, (SIDE * 0.4, SIDE * 0.6), SIDE * 0.3, identity=identity)
        return
    yaw = math.degrees(math.atan(head_turn(points) / NOSE_OVER_EYES))
    center = points[[0, 1, 3, 4]].mean(axis=0)
    painter.paint_face(picture, center, painter.face_size(points), yaw=yaw, identity=identity)


def encoded(pixels: np.ndarray) -> bytes:
    """A picture as PNG."""
    buffer = io.BytesIO()
    Image.fromarray(pixels).save(buffer, format="PNG")
    return buffer.getvalue()


class CopyingServer(PaintingServer):
    """Gives back the photo that a prompt asks for; nobody for text alone."""

    def __init__(self) -> None:
        super().__init__()
        self.photos: dict[str, bytes] = {}

    def upload(self, name: str, content: bytes, **fields: str) -> str:
        del fields
        self.photos[name] = content
        return name

    def run(self, prompt: dict[str, Any]) -> SimpleNamespace:
        answer = super().run(prompt)
        if "photo_0_0" in prompt:
            self.files[-1] = self.photos[prompt["photo_0_0"]["inputs"]["image"]]
        return answer


def measurements_on(
    server: PaintingServer,
    analyzer: FaceAnalyzer,
    subjects: Sequence[Subject] = (),
    judges: Sequence[Judge] = (),
) -> Measurements:
    """Measurements of pictures that the server paints; of drawn people unless others are given."""
    setup = with_overrides(random_models(), Overrides(size=f"{SIDE}x{SIDE}"))
    client: Any = server
    runner = Runner([client], setup, analyzer, {})
    people = runner.upload_people(subjects or drawn_people(QUICK.people), _no_word)
    poses, scorer = ModelFacePoses(setup), NoTextScorer()
    return Measurements(setup, QUICK, runner, people, poses, scorer, lambda line: None, judges)


def _no_word(line: str) -> None:
    raise AssertionError(line)
