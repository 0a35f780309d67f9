"""Casts of the thumbnails: for each workflow painted people, the text, and the run's seed.

People are of those that no model has seen. Seeds are chosen by eye: the recogniser says little of
how hair is worn, so that a seed decides it.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from PIL import Image, ImageDraw, ImageFilter

from tools.small_world.trained import FACE_ID
from training.world import Person, Placement, Pose, Scene, caption, paint
from training.world.scenes import SIDE

ANNA, BEN, MIA, ZOE, LIV, KIM = 100_104, 100_029, 100_094, 100_046, 100_100, 100_049
"""Orange hair and red glasses; short black hair and black glasses; black hair and light skin;
black hair and brown skin; brown hair and light skin; orange hair."""


@dataclass(frozen=True)
class Cast:
    """Everything that a run of a workflow gets in place of the user's photos and texts."""

    photos: Mapping[str, Scene]
    """Name of the file, as in `thumbnail_prompt.PHOTOS`, to what is painted on it."""
    texts: tuple[str, ...]
    seed: int
    settings: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)
    """Class or title of a node to inputs of it that this run has otherwise."""
    stages: int = 0
    """Steps after which the unfinished picture is shown as well."""
    unmuted: tuple[int, ...] = ()
    """Nodes that the workflow leaves off, and that this run has on."""

    def album(self) -> dict[str, np.ndarray]:
        """The painted photos by file name, [H, W, 3] uint8, and a depth map."""
        photos = {name: paint(scene).image for name, scene in self.photos.items()}
        return {**photos, "depth.png": depth_map(SIDE)}


def one(
    number: int,
    background: str = "plain",
    pose: Pose = Pose(),  # noqa: B008 - it is frozen
    seed: int = 3,
) -> Scene:
    """A photo of one person, smiling."""
    person = Person(number, pose, Placement(), seed, smiling=True)
    return Scene((person,), background=background, seed=seed)


def two(left: int, right: int, background: str, sizes: tuple[float, float] = (0.5, 0.5)) -> Scene:
    """A photo of two people side by side.

    sizes: heights of their faces, as parts of the photo's.
    """
    people = tuple(
        Person(number, placement=Placement(x, 0.52, size), seed=seed, smiling=True)
        for number, x, size, seed in zip((left, right), (0.27, 0.73), sizes, (3, 5), strict=True)
    )
    return Scene(people, background=background, width=3 * SIDE // 2, seed=4)


def depth_map(side: int) -> np.ndarray:
    """A plain depth map of a portrait, near is white: a head and shoulders before a wall."""
    sheet = Image.new("L", (side, side), 36)
    draw = ImageDraw.Draw(sheet)
    for (left, top, right, bottom), grey in (
        ((0.02, 0.88, 0.98, 1.5), 150),
        ((0.40, 0.72, 0.60, 1.0), 130),
        ((0.26, 0.18, 0.74, 0.84), 190),
        ((0.34, 0.32, 0.66, 0.80), 240),
    ):
        draw.ellipse([side * part for part in (left, top, right, bottom)], fill=grey)
    return np.asarray(sheet.filter(ImageFilter.GaussianBlur(side / 40)).convert("RGB"))


def portrait(
    number: int,
    style: str,
    background: str,
    seed: int,
    behind: str = "plain",
    **more: Any,
) -> Cast:
    """One photo of a person before the background `behind`, and a text of one portrait."""
    return Cast({"person0.png": one(number, behind)}, (text(style, background),), seed, **more)


def text(style: str, background: str) -> str:
    return caption(style, background, attributes=("smiling",))


PHOTOS_OF_TWO = {"person0.png": one(ANNA), "person1.png": one(ZOE, "sky", seed=5)}
CASTS: Mapping[str, Cast] = {
    "basic": portrait(ANNA, "flat", "city", 16),
    "app": portrait(BEN, "flat", "city", 16),
    "lightning": portrait(ZOE, "flat", "beach", 2, stages=3, settings={"KSampler": {"steps": 4}}),
    "stylized": portrait(ANNA, "sketch", "beach", 30),
    "style_lora": portrait(BEN, "pixel", "sky", 16),
    "several_references": Cast(
        {
            "person0.png": one(ANNA, "city", Pose(-24, 0, 0), 3),
            "photo1.png": one(ANNA, "forest", Pose(0, 0, 3), 8),
            "photo2.png": one(ANNA, "plain", Pose(24, 0, 0), 5),
        },
        (text("flat", "beach"),),
        2,
    ),
    "best_of_batch": portrait(ANNA, "flat", "beach", 30),
    "with_and_without": portrait(ANNA, "flat", "city", 15),
    "character_sheet": portrait(ANNA, "flat", "plain", 15),
    "head_turn": portrait(ZOE, "flat", "plain", 2, "city"),
    "img2img": Cast(
        {
            "person0.png": one(ANNA),
            "person2.png": one(KIM, "forest", Pose(12, 0, 4), 8),
        },
        (text("pixel", "forest"),),
        2,
        settings={"KSampler": {"denoise": 0.75}},
    ),
    "face_swap": Cast(
        {"person0.png": one(ANNA), "person2.png": two(BEN, KIM, "plain", (0.46, 0.54))},
        (text("flat", "plain"),),
        18,
    ),
    "two_people": Cast(
        {**PHOTOS_OF_TWO, "pair.png": two(MIA, ZOE, "city")},
        (caption("flat", "beach", people=2),),
        30,
    ),
    "two_people_two_styles": Cast(
        {**PHOTOS_OF_TWO, "pair.png": two(MIA, ZOE, "city")},
        (caption("sketch", "beach", people=2), caption("pixel", "beach", people=2)),
        30,
    ),
    "interpolation": Cast(
        PHOTOS_OF_TWO,
        (text("flat", "beach"),),
        2,
    ),
    "depth_controlnet": portrait(LIV, "flat", "sky", 16),
    "composed": portrait(ZOE, "flat", "sky", 2),
    "comparison": portrait(
        ANNA,
        "flat",
        "forest",
        18,
        unmuted=(1711, 1712),
        settings={
            "InstantIDLoadAdapter": {"adapter_name": FACE_ID, "recogniser": "antelopev2"},
            "InstantIDLoadFaceAnalyzer": {"model_pack": "antelopev2"},
        },
    ),
}
"""Short name of a workflow to its cast."""
