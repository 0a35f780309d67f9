"""Angles, copying and ranks of constructed embeddings, whose answers follow from geometry."""

from __future__ import annotations

import math

import numpy as np
import pytest

from instantid_core.errors import IdentityError
from instantid_core.identity import angles

RNG = np.random.default_rng(5)


def at(*degrees: float, width: int = 128, length: float = 20.0) -> list[np.ndarray]:
    """Embeddings in one plane of many dimensions, at these angles from the first axis of it."""
    plane, _ = np.linalg.qr(RNG.standard_normal((width, 2)))
    turns = np.radians(degrees)
    return [length * (plane @ (math.cos(turn), math.sin(turn))) for turn in turns]


def cone(opening: float, turn: float, width: int = 512) -> list[np.ndarray]:
    """Reference and held-out photo, 2 * opening apart, and a result that is as near to either, out
    of their plane by `turn`, all in degrees."""
    basis, _ = np.linalg.qr(RNG.standard_normal((width, 3)))
    a, t = math.radians(opening), math.radians(turn)
    reference, held_out = ((math.cos(a), side * math.sin(a), 0) for side in (1, -1))
    return [basis @ np.array(each) for each in (reference, held_out, (math.cos(t), 0, math.sin(t)))]


@pytest.mark.parametrize("degrees", [0, 1e-5, 0.5, 30, 65, 90, 150, 179.9999, 180])
@pytest.mark.parametrize("width", [128, 512])
def test_an_angle_is_exact_at_both_ends(degrees: float, width: int) -> None:
    one, other = at(10, 10 + degrees, width=width)
    assert math.degrees(angles.angle(one, other)) == pytest.approx(degrees, abs=1e-9)
    assert math.degrees(angles.angle(one, 3 * other)) == pytest.approx(degrees, abs=1e-9)


@pytest.mark.parametrize(
    ("reference", "held_out", "result", "score"),
    [
        (0, 60, 0, 1),  # the reference itself
        (0, 60, 60, -1),  # the held-out photo itself
        (0, 60, 30, 0),  # midway
        (0, 60, 15, 0.5),
        (0, 60, 45, -0.5),
        (0, 60, 120, -1),  # beyond the held-out photo, in one plane with both
        (0, 60, -40, 1),  # beyond the reference
        (0, 60, 210, 0),  # opposite to the middle of both
        (0, 40, 85, -1),
        (20, 80, 35, 0.5),
    ],
)
def test_copying_of_triples_in_a_plane(
    reference: float, held_out: float, result: float, score: float
) -> None:
    photo, other, made = at(reference, held_out, result)
    assert angles.copy_score(made, other, photo) == pytest.approx(score, abs=1e-9)
    # Lengths say nothing, and exchanging the photos turns the sign.
    assert angles.copy_score(0.1 * made, 7 * other, photo) == pytest.approx(score, abs=1e-9)
    assert angles.copy_score(made, photo, other) == pytest.approx(-score, abs=1e-9)


@pytest.mark.parametrize("turn", [0, 20, 60, 90])
@pytest.mark.parametrize("opening", [10, 30])
def test_a_result_as_near_to_either_photo_copies_neither(opening: float, turn: float) -> None:
    reference, held_out, result = cone(opening, turn)
    assert angles.angle(held_out, reference) == pytest.approx(math.radians(2 * opening))
    assert angles.copy_score(result, held_out, reference) == pytest.approx(0, abs=1e-9)


def test_copying_out_of_the_plane_is_weaker() -> None:
    """A result 40 degrees from the reference at a right angle to the way to the held-out photo."""
    apart, away = math.radians(50), math.radians(40)
    reference, held_out, result = np.eye(3)[0], np.zeros(3), np.zeros(3)
    held_out[:2] = math.cos(apart), math.sin(apart)
    result[[0, 2]] = math.cos(away), math.sin(away)
    to_held_out = math.acos(math.cos(apart) * math.cos(away))  # Pythagoras on the sphere
    assert angles.copy_score(result, held_out, reference) == pytest.approx(
        (to_held_out - away) / apart
    )


def test_copying_stays_between_its_ends() -> None:
    drawn = RNG.standard_normal((300, 3, 4))
    scores = [angles.copy_score(*three) for three in drawn]
    assert -1 <= min(scores) < -0.9 < 0.9 < max(scores) <= 1


def test_nothing_lies_between_a_photo_and_itself() -> None:
    photo, result = at(0, 30)
    assert math.isnan(angles.copy_score(result, 2 * photo, photo))


def test_every_two_photos_are_compared_once() -> None:
    photos = at(0, 60, 90)
    expected = [math.cos(math.radians(turn)) for turn in (60, 90, 30)]
    assert angles.pair_cosines(photos) == pytest.approx(expected)
    assert angles.pair_cosines(photos[:1]) == angles.pair_cosines([]) == []


@pytest.mark.parametrize(("result", "ranks"), [(1, (1, 2, 3)), (41, (2, 1, 3)), (80, (3, 2, 1))])
def test_ranks_go_by_angle(result: float, ranks: tuple[int, ...]) -> None:
    made, *people = at(result, 0, 40, 90)
    assert tuple(angles.rank(made, people, own) for own in range(3)) == ranks


def test_a_tie_is_no_recognition() -> None:
    made, person = at(20, 50)
    assert angles.rank(made, [person, 2 * person], 0) == 2
    assert angles.rank(made, [person], 0) == 1


def test_zeros_have_no_angle() -> None:
    with pytest.raises(IdentityError, match="looks like nobody"):
        angles.angle(np.zeros(4), np.ones(4))
