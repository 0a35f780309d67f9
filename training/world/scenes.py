"""From a description of a picture to the picture, its faces and its caption."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import cv2
import numpy as np

from .canvas import OVERSAMPLING, Head
from .face import Portrait
from .identity import identity_of, of_hue
from .scenery import BACKGROUNDS, SCENERY
from .styles import PAINTERS, STYLES

SIDE = 128
"""Pixels of the shorter side of a picture."""
NUMBERS = {1: "a person", 2: "two people"}


@dataclass(frozen=True)
class Pose:
    """Turn of a head, in degrees; see `canvas.Head` for the signs."""

    yaw: float = 0.0
    pitch: float = 0.0
    roll: float = 0.0


@dataclass(frozen=True)
class Placement:
    """Place and size of a face: fractions of the picture's width, height and shorter side."""

    center_x: float = 0.5
    center_y: float = 0.5
    size: float = 0.53


@dataclass(frozen=True)
class Person:
    """One person in a picture."""

    identity: int
    pose: Pose = Pose()
    placement: Placement = Placement()
    seed: int = 0
    """Of clothes and expression."""


@dataclass(frozen=True)
class Scene:
    """All that decides a picture; the same scene gives the same bytes."""

    people: tuple[Person, ...]
    style: str = "flat"
    background: str = "plain"
    width: int = SIDE
    height: int = SIDE
    seed: int = 0


@dataclass(frozen=True)
class Painting:
    """A painted scene."""

    image: np.ndarray
    """[H, W, 3] RGB, uint8."""
    keypoints: np.ndarray
    """[people, 5, 2] pixels, float32, in insightface's order."""
    boxes: np.ndarray
    """[people, 4] pixels x0, y0, x1, y1, float32."""
    caption: str


def paint(scene: Scene) -> Painting:
    """Paints a scene."""
    size = (scene.height * OVERSAMPLING, scene.width * OVERSAMPLING, 3)
    canvas = np.zeros(size, np.uint8)
    SCENERY[scene.background](canvas, np.random.default_rng((scene.seed, 1)))
    faces = [_draw(canvas, person) for person in scene.people]
    small = cv2.resize(canvas, (scene.width, scene.height), interpolation=cv2.INTER_AREA)
    points = np.array([face[0] for face in faces], np.float32).reshape(-1, 5, 2)
    boxes = np.array([face[1] for face in faces], np.float32).reshape(-1, 4)
    image = PAINTERS[scene.style](small)
    words = caption(scene.style, scene.background, len(scene.people))
    return Painting(image, points / OVERSAMPLING, boxes / OVERSAMPLING, words)


def caption(style: str, background: str, people: int = 1) -> str:
    """Text of a picture: says how and where, never who."""
    return f"a {style} portrait of {NUMBERS[people]}, {background} background"


def random_scene(
    rng: np.random.Generator,
    numbers: Sequence[int],
    width: int = SIDE,
    height: int = SIDE,
    people: int = 1,
) -> Scene:
    """A scene with people drawn from `numbers`, side by side."""
    chosen = rng.choice(len(numbers), people, replace=False)
    return Scene(
        tuple(
            Person(
                int(numbers[int(index)]),
                random_pose(rng),
                _random_placement(rng, place, people, width / height),
                int(rng.integers(1 << 31)),
            )
            for place, index in enumerate(chosen)
        ),
        str(rng.choice(STYLES)),
        str(rng.choice(BACKGROUNDS)),
        width,
        height,
        int(rng.integers(1 << 31)),
    )


def random_pose(rng: np.random.Generator) -> Pose:
    """Mostly frontal, up to about three quarters."""
    yaw = float(np.clip(rng.normal(0, 20), -42, 42))
    pitch = float(np.clip(rng.normal(0, 7), -16, 16))
    return Pose(yaw, pitch, float(np.clip(rng.normal(0, 8), -20, 20)))


def _random_placement(
    rng: np.random.Generator, place: int, people: int, aspect: float
) -> Placement:
    low, high = (0.42, 0.64) if people == 1 else (0.40, 0.52)
    middle = (place + 0.5) / people
    free = 0.10 if people > 1 else max(0.09, 0.5 - 0.36 / aspect)
    x = middle + float(rng.uniform(-free, free)) / (people if people > 1 else 1)
    return Placement(x, float(rng.uniform(0.44, 0.56)), float(rng.uniform(low, high)))


def _draw(canvas: np.ndarray, person: Person) -> tuple[np.ndarray, np.ndarray]:
    """Draws a person in place; keypoints [5, 2] and box [4] in canvas pixels."""
    height, width = canvas.shape[:2]
    place, pose = person.placement, person.pose
    center = place.center_x * width, place.center_y * height
    head = Head(center, place.size * min(width, height), pose.yaw, pose.pitch, pose.roll)
    rng = np.random.default_rng((person.seed, 2))
    smile = float(rng.uniform(-0.6, 1.0))
    clothes = of_hue(float(rng.uniform()), float(rng.uniform(0.2, 0.8)), 0.7)
    portrait = Portrait(canvas, head, identity_of(person.identity))
    portrait.draw(smile, clothes)
    outline = head.flat(portrait.outline())
    box = np.concatenate([outline.min(axis=0), outline.max(axis=0)])
    return portrait.keypoints(smile), box
