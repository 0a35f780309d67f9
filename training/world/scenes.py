"""Scenes: descriptions of pictures, and from them the picture, its faces and its caption."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import cv2
import numpy as np

from .canvas import OVERSAMPLING, Head
from .face import Portrait
from .identity import ATTRIBUTES, identity_of, of_hue
from .scenery import BACKGROUNDS, SCENERY
from .styles import STYLES, painted

SIDE = 192
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
    center_y: float = 0.52
    size: float = 0.55


@dataclass(frozen=True)
class Person:
    """One person in a picture."""

    identity: int
    pose: Pose = Pose()
    placement: Placement = Placement()
    seed: int = 0
    """Of clothes and the strength of the expression."""
    smiling: bool = False
    hat: bool = False

    @property
    def attributes(self) -> tuple[str, ...]:
        """Members of `ATTRIBUTES` that one sees."""
        who = identity_of(self.identity)
        seen = (who.glasses != "no", self.hat, who.beard != "no", self.smiling, who.age == "old")
        return tuple(name for name, there in zip(ATTRIBUTES, seen, strict=True) if there)


@dataclass(frozen=True)
class Scene:
    """All that decides a picture; the same scene gives the same bytes."""

    people: tuple[Person, ...]
    style: str = "flat"
    background: str = "plain"
    width: int = SIDE
    height: int = SIDE
    seed: int = 0
    named: bool = False
    """True where the caption names the attributes of the one person."""

    @property
    def caption(self) -> str:
        """Text of the picture."""
        one = self.named and len(self.people) == 1
        words = self.people[0].attributes if one else ()
        return caption(self.style, self.background, len(self.people), words)


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
    image = painted(small, scene.style)
    return Painting(image, points / OVERSAMPLING, boxes / OVERSAMPLING, scene.caption)


def caption(style: str, background: str, people: int = 1, attributes: Sequence[str] = ()) -> str:
    """Text of a picture: says how, where and what one sees, never who."""
    seen = "".join(f", {name}" for name in attributes)
    return f"a {style} portrait of {NUMBERS[people]}{seen}, {background} background"


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
                smiling=bool(rng.uniform() < 0.5),
                hat=bool(rng.uniform() < 0.2),
            )
            for place, index in enumerate(chosen)
        ),
        str(rng.choice(STYLES)),
        str(rng.choice(BACKGROUNDS)),
        width,
        height,
        int(rng.integers(1 << 31)),
        named=bool(rng.uniform() < 0.5),
    )


def random_pose(rng: np.random.Generator) -> Pose:
    """Mostly frontal, up to about three quarters."""
    yaw = float(np.clip(rng.normal(0, 18), -40, 40))
    pitch = float(np.clip(rng.normal(0, 6), -14, 14))
    return Pose(yaw, pitch, float(np.clip(rng.normal(0, 6), -16, 16)))


def _random_placement(
    rng: np.random.Generator, place: int, people: int, aspect: float
) -> Placement:
    low, high = (0.50, 0.60) if people == 1 else (0.46, 0.54)
    middle = (place + 0.5) / people
    free = 0.08 if people > 1 else max(0.08, 0.5 - 0.38 / aspect)
    x = middle + float(rng.uniform(-free, free)) / (people if people > 1 else 1)
    return Placement(x, float(rng.uniform(0.49, 0.56)), float(rng.uniform(low, high)))


def _draw(canvas: np.ndarray, person: Person) -> tuple[np.ndarray, np.ndarray]:
    """Draws a person in place; keypoints [5, 2] and box [4] in canvas pixels."""
    height, width = canvas.shape[:2]
    place, pose = person.placement, person.pose
    center = place.center_x * width, place.center_y * height
    head = Head(center, place.size * min(width, height), pose.yaw, pose.pitch, pose.roll)
    rng = np.random.default_rng((person.seed, 2))
    smile = float(rng.uniform(0.6, 1.0) if person.smiling else rng.uniform(-0.3, 0.1))
    clothes = of_hue(float(rng.uniform()), float(rng.uniform(0.3, 0.8)), 0.72)
    hat = of_hue(float(rng.uniform()), 0.65, 0.6) if person.hat else None
    portrait = Portrait(canvas, head, identity_of(person.identity))
    portrait.draw(smile, clothes, hat)
    outline = head.flat(portrait.outline())
    box = np.concatenate([outline.min(axis=0), outline.max(axis=0)])
    return portrait.keypoints(smile), box
