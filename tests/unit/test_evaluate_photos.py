"""Who is evaluated: painted people over all groups, and photos of a folder as they should be."""

from __future__ import annotations

import json
from collections import Counter
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from tools.evaluate.figures import EvaluationError
from tools.evaluate.photos import (
    LONGEST_SIDE,
    POSING,
    on_one_size,
    painted_people,
    people_in,
    read_photo,
    spread_numbers,
)
from tools.evaluate.poses import ModelFacePoses, PaintedPoses, points_of
from tools.evaluate.settings import FULL, QUICK, small_world
from training.world import BACKGROUNDS, HELD_OUT, STYLES, identity_of

WORLD = small_world(STYLES, BACKGROUNDS)


def save(path: Path, colour: tuple[int, int, int] = (10, 20, 30), size=(40, 30)) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.new("RGB", size, colour).save(path)


def test_painted_people_are_held_out_and_cover_the_groups_evenly():
    numbers = spread_numbers(FULL.people)
    assert len(set(numbers)) == FULL.people
    assert set(numbers) <= set(HELD_OUT[:-POSING])
    cells = Counter(tuple(identity_of(number).groups.values()) for number in numbers)
    assert len(cells) == 3 * 3 * 2
    # 24 people over 18 kinds.
    assert set(cells.values()) == {1, 2}


def test_fewer_people_are_the_first_of_more():
    assert spread_numbers(QUICK.people) == spread_numbers(FULL.people)[: QUICK.people]


def test_a_painted_person_has_photos_that_generation_does_not_see():
    (person,) = painted_people(1, references=4)
    assert (len(person.references), len(person.targets)) == (4, 2)
    assert person.is_unseen
    photos = [*person.references, *person.targets]
    assert len(person.examples) == len(STYLES)
    assert len({photo.tobytes() for photo in (*photos, *person.examples)}) == 6 + len(STYLES)
    (again,) = painted_people(1, references=4)
    assert [photo.tobytes() for photo in again.references] == [p.tobytes() for p in photos[:4]]


def test_poses_are_of_people_who_are_not_evaluated():
    poses = PaintedPoses(WORLD)
    views = [points_of(poses.view(number, 10.0))[0] for number in (0, 1)]
    assert all((points.min() > 0 and points.max() < WORLD.size[0]) for points in views)
    assert not np.allclose(*views)
    left, right = points_of(poses.pair(0))
    assert left[:, 0].max() < right[:, 0].min()
    assert right[:, 0].max() < WORLD.group_size[0]


def test_model_faces_stand_side_by_side():
    left, right = points_of(ModelFacePoses(WORLD).pair(3))
    assert left[:, 0].min() > 0
    assert left[:, 0].max() < right[:, 0].min()
    assert right[:, 0].max() < WORLD.group_size[0]
    np.testing.assert_allclose(left[:, 1], right[:, 1], atol=1e-3)


def test_files_and_folders_are_people(tmp_path):
    save(tmp_path / "anna.jpg")
    for number in range(3):
        save(tmp_path / "bob" / f"{number}.png", (number, 0, 0))
    for number in range(9):
        save(tmp_path / "carla" / f"{number}.png", (number, 0, 0))
    save(tmp_path / "empty" / "readme.gif")
    (tmp_path / "groups.json").write_text(json.dumps({"bob": {"glasses": "yes", "age": 40}}))
    anna, bob, carla = people_in(tmp_path, references=4)
    assert (anna.name, len(anna.references), len(anna.targets)) == ("anna", 1, 1)
    assert not anna.is_unseen
    assert (len(bob.references), len(bob.targets), bob.is_unseen) == (2, 1, True)
    assert bob.targets[0][0, 0, 0] == 2
    assert bob.groups == {"glasses": "yes", "age": "40"}
    assert (len(carla.references), len(carla.targets)) == (4, 2)


def test_photos_are_turned_upright_and_brought_to_size(tmp_path):
    path = tmp_path / "phone.jpg"
    exif = Image.Exif()
    exif[0x0112] = 6  # turn by 90 degrees to see it upright
    Image.new("RGB", (3000, 1500)).save(path, exif=exif)
    assert read_photo(path).shape == (LONGEST_SIDE, LONGEST_SIDE // 2, 3)


@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        ("me.png", b"<html>", "cannot be read as an image"),
        ("groups.json", b"{", "cannot be read as JSON"),
        ("groups.json", b"[1]", "should hold groups by name"),
        ("notes.txt", b"hello", "holds no photo"),
    ],
)
def test_what_is_wrong_with_a_folder_is_said(tmp_path, name, content, message):
    (tmp_path / name).write_bytes(content)
    with pytest.raises(EvaluationError, match=message):
        people_in(tmp_path, references=4)


def test_a_folder_that_is_none_is_refused(tmp_path):
    with pytest.raises(EvaluationError, match="should name a folder"):
        people_in(tmp_path / "missing", references=4)


def test_photos_become_one_size_without_moving():
    wide, high = np.full((20, 40, 3), 7, np.uint8), np.full((30, 10, 3), 9, np.uint8)
    photos = on_one_size([wide, high])
    assert {photo.shape for photo in photos} == {(30, 40, 3)}
    np.testing.assert_array_equal(photos[0][:20, :40], wide)
    np.testing.assert_array_equal(photos[1][:30, :10], high)
    assert photos[0][20:].max() == photos[1][:, 10:].max() == 0
