"""The painted world that the small models learn from."""

from __future__ import annotations

import itertools
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from tools.comfyui.environment import REPOSITORY
from training.dataset import load_or_paint, paint_album, random_scenes
from training.world import (
    BACKGROUNDS,
    HELD_OUT,
    STYLES,
    TRAINING,
    Person,
    Placement,
    Pose,
    Scene,
    identity_of,
    paint,
)
from training.world.scenes import SIDE

SQUARE = (SIDE, SIDE)
LEFT_EYE, RIGHT_EYE, NOSE, LEFT_MOUTH, RIGHT_MOUTH = range(5)


def portrait(identity: int = 3, style: str = "flat", **pose: float) -> Scene:
    return Scene((Person(identity, Pose(**pose)),), style)


def test_the_same_scene_gives_the_same_bytes():
    (scene,) = random_scenes(1, 5, SQUARE, 1, TRAINING)
    assert np.array_equal(paint(scene).image, paint(scene).image)


def test_nobody_is_in_both_parts():
    assert not set(TRAINING) & set(HELD_OUT)
    album = paint_album(random_scenes(40, 1, SQUARE, 1, HELD_OUT))
    assert set(album.identities.ravel()) <= set(HELD_OUT)


def test_a_persons_looks_do_not_depend_on_the_scene():
    assert identity_of(17) == identity_of(17)
    assert identity_of(17) != identity_of(18)


def test_every_group_has_people():
    people = [identity_of(number) for number in HELD_OUT]
    for group, values in (
        ("skin", {"light", "middle", "dark"}),
        ("age", {"young", "adult", "old"}),
        ("glasses", {"yes", "no"}),
    ):
        found = [person.groups[group] for person in people]
        assert set(found) == values
        assert min(found.count(value) for value in values) >= 60


def test_keypoints_lie_in_insightfaces_order():
    points = paint(portrait()).keypoints[0]
    assert points[LEFT_EYE, 0] < points[NOSE, 0] < points[RIGHT_EYE, 0]
    assert points[LEFT_MOUTH, 0] < points[RIGHT_MOUTH, 0]
    assert points[LEFT_EYE, 1] < points[NOSE, 1] < points[LEFT_MOUTH, 1]


@pytest.mark.parametrize("identity", [0, 1, 2])
def test_eyes_are_painted_where_the_keypoints_say(identity: int):
    scene = portrait(identity, yaw=15)
    painting = paint(scene)
    pupil = painting.image[tuple(painting.keypoints[0, LEFT_EYE].astype(int)[::-1])]
    assert pupil.max() < 160


def test_the_nose_follows_the_turn():
    def offset(yaw: float) -> float:
        points = paint(portrait(yaw=yaw)).keypoints[0]
        return float(points[NOSE, 0] - points[:2, 0].mean())

    turns = [offset(yaw) for yaw in (-30, -15, 0, 15, 30)]
    assert turns == sorted(turns)
    assert turns[0] < -2 < 2 < turns[-1]


def test_a_roll_turns_the_line_of_the_eyes():
    left, right = paint(portrait(roll=20)).keypoints[0, :2]
    angle = np.degrees(np.arctan2(right[1] - left[1], right[0] - left[0]))
    assert angle == pytest.approx(20, abs=0.01)


def test_the_face_has_the_size_that_was_asked_for():
    scene = Scene((Person(3, placement=Placement(0.5, 0.5, 0.5)),))
    box = paint(scene).boxes[0]
    assert box[3] - box[1] == pytest.approx(0.5 * SIDE, rel=0.01)


def test_styles_change_the_picture_and_not_the_keypoints():
    paintings = [paint(portrait(style=style)) for style in STYLES]
    for first, second in itertools.pairwise(paintings):
        assert np.array_equal(first.keypoints, second.keypoints)
        assert np.abs(first.image.astype(int) - second.image).mean() > 5


def test_captions_say_how_and_where_but_not_who():
    scene = replace(portrait(3), style="night", background="beach")
    words = paint(scene).caption
    assert words == "a night portrait of a person, beach background"
    assert paint(replace(scene, people=(Person(4),))).caption == words


def test_captions_name_attributes_where_they_are_asked_to():
    old = next(n for n in TRAINING if identity_of(n).age == "old")
    person = Person(old, smiling=True, hat=True)
    words = paint(Scene((person,), named=True)).caption
    assert words.startswith("a flat portrait of a person, ")
    named = words.removesuffix(", plain background").split(", ")[1:]
    assert tuple(named) == person.attributes
    assert {"hat", "smiling", "old"} <= set(named)
    assert ("glasses" in named) == (identity_of(old).glasses != "no")
    assert "hat" not in paint(Scene((replace(person, hat=False),), named=True)).caption
    assert paint(Scene((person, person), named=True)).caption.startswith("a flat portrait of two")


def test_half_of_the_random_captions_name_attributes():
    scenes = random_scenes(60, 3, SQUARE, 1, TRAINING)
    assert 15 < sum(scene.named for scene in scenes) < 45
    for words, scene in zip(paint_album(scenes).captions, scenes, strict=True):
        seen = scene.people[0].attributes if scene.named else ()
        assert words.count(",") - 1 == len(seen)


@pytest.mark.parametrize("part", ["smiling", "hat"])
def test_a_smile_and_a_hat_are_seen(part: str):
    without = paint(portrait(5)).image
    wearing = paint(Scene((replace(portrait(5).people[0], **{part: True}),))).image
    assert (np.abs(wearing.astype(int) - without).max(axis=2) > 60).sum() > 40


def test_an_album_is_painted_once_and_read_again(tmp_path):
    first = load_or_paint(tmp_path, 6, 2, people=2, size=(288, 192))
    (file,) = tmp_path.iterdir()
    written = file.stat().st_mtime_ns
    second = load_or_paint(tmp_path, 6, 2, people=2, size=(288, 192))
    assert file.stat().st_mtime_ns == written
    for name, values in vars(first).items():
        assert np.array_equal(values, getattr(second, name))
    assert first.images.shape == (6, 192, 288, 3)
    assert first.keypoints.shape == (6, 2, 5, 2)
    assert set(first.styles) <= set(range(len(STYLES)))
    assert set(first.backgrounds) <= set(range(len(BACKGROUNDS)))
    assert all("two people" in caption for caption in first.captions)


def test_an_album_does_not_tell_how_many_processes_painted_it(tmp_path: Path, monkeypatch):
    monkeypatch.setattr("training.dataset.PART", 3)
    # Processes of its own get this one's path, and not what makes the packages importable here.
    monkeypatch.syspath_prepend(str(REPOSITORY))
    for workers in (1, 2):
        load_or_paint(tmp_path / str(workers), 7, 2, workers=workers)
    (one,), (two,) = ((tmp_path / str(workers)).iterdir() for workers in (1, 2))
    assert one.name == two.name
    assert one.read_bytes() == two.read_bytes()
