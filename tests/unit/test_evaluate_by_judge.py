"""Likeness by a recogniser that did not condition the pictures."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from support.painting_server import PaintingServer, measurements_on

from tools.evaluate.experiments import ablation, groups
from tools.evaluate.people import interpolation, two_people
from tools.evaluate.runner import LARGEST_FACE


class Doubter:
    """A recogniser for which pictures are at 60 degrees to all photos."""

    name = "doubter.onnx"
    path = Path("doubter.onnx")

    def __init__(self, photos: list[np.ndarray]) -> None:
        self.photos = photos

    def embedding(self, image: np.ndarray, face: Any) -> np.ndarray:
        known = any(image.shape == one.shape and (image == one).all() for one in self.photos)
        return np.array([1.0, 0.0] if known else [0.5, 3**0.5 / 2])


@pytest.fixture
def run(analyzer: Any) -> Any:
    plain = measurements_on(PaintingServer(), analyzer)
    photos = [
        photo
        for person in plain.people
        for photo in (*person.subject.references, *person.subject.targets)
    ]
    judge: Any = Doubter(photos)
    return replace(plain, judges=(judge,), by=judge)


def values_of(section: Any, table: int, column: int) -> list[float]:
    return [row[column].value for row in section.tables[table].rows]


def test_pictures_and_photos_are_compared_by_it(run: Any) -> None:
    section = ablation(run)
    assert values_of(section, 0, 1) == pytest.approx([0.5] * 4)
    # Two photos of one person, photos of two people.
    assert values_of(section, 2, 1) == pytest.approx([1.0, 1.0])
    shares: Any = groups(run).tables[0].rows
    assert [row[3].value for row in shares] == pytest.approx([1.0] * len(shares))


def test_so_are_pictures_of_several_people(run: Any) -> None:
    between = interpolation(run)
    assert values_of(between, 0, 1) == values_of(between, 0, 2) == pytest.approx([0.5] * 3)
    together: Any = two_people(run).tables[0].rows[0]
    assert [entry.value for entry in together[2:4]] == pytest.approx([0.5] * 2)


def test_a_picture_without_a_clear_face_has_no_likeness(run: Any) -> None:
    person = run.people[0]
    photo = person.subject.references[0]
    (frame,) = run.runner.analyse_pictures([photo], LARGEST_FACE).frames
    vague = replace(frame, faces=tuple(replace(face, score=0.6) for face in frame.faces))
    assert run.cosine(person, photo, frame) == pytest.approx(1.0)
    assert run.cosine(person, photo, vague) is None
