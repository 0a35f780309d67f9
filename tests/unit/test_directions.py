"""Directions: learnt from faces, and measured on held-out ones."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from scipy.stats import mannwhitneyu
from support.planted import OTHER, OURS, TRUTH, faces, frame, people

from instantid_core.errors import DirectionError, IdentityError, SettingError
from instantid_core.identity import directions
from instantid_core.types import Box, Detection, Extent, Faces, FrameFaces

RNG = np.random.default_rng(20)


def left_out_by_loops(with_it: np.ndarray, without_it: np.ndarray, paired: bool) -> float:
    """The same figure as the core's, photo by photo, by SciPy."""
    first, second = [], []
    for n, row in enumerate(with_it):
        others = np.delete(without_it, n, 0) if paired else without_it
        first.append(row @ (np.delete(with_it, n, 0).mean(0) - others.mean(0)))
    for n, row in enumerate(without_it):
        others = np.delete(with_it, n, 0) if paired else with_it
        second.append(row @ (others.mean(0) - np.delete(without_it, n, 0).mean(0)))
    return mannwhitneyu(first, second).statistic / len(first) / len(second)


def test_a_planted_direction_is_found() -> None:
    found = directions.learn(faces(people(200, 12)), faces(people(200, seed=1)), "hat")
    vector = found.direction.vector.double().numpy()
    assert vector @ TRUTH / np.linalg.norm(vector) > 0.98
    assert found.direction.length == pytest.approx(12, rel=0.05)
    assert found.direction.evidence[:3] == (200, 200, False)
    assert found.direction.evidence.auc > 0.99
    assert found.advice == ()


def test_direction_and_middle_are_those_of_the_means() -> None:
    with_it, without_it = people(9, 5), people(12, seed=1)
    found = directions.learn(faces(with_it), faces(without_it), "hat").direction
    ends = with_it.mean(0), without_it.mean(0)
    np.testing.assert_allclose(found.vector, ends[0] - ends[1], rtol=1e-5, atol=1e-5)
    along = [end @ (ends[0] - ends[1]) / np.linalg.norm(ends[0] - ends[1]) for end in ends]
    assert found.midpoint == pytest.approx(np.mean(along), rel=1e-5)


@pytest.mark.parametrize("paired", [False, True])
@pytest.mark.parametrize("shift", [0.0, 2.0, 6.0])
@pytest.mark.parametrize("count", [8, 23])
def test_the_figure_is_that_of_photos_left_out(count: int, shift: float, paired: bool) -> None:
    with_it, without_it = people(count, shift), people(count, seed=1)
    found = directions.held_out_auc(with_it, without_it, paired)
    assert found == pytest.approx(left_out_by_loops(with_it, without_it, paired), abs=1e-12)


def test_sides_of_unequal_length_have_the_figure_too() -> None:
    with_it, without_it = people(9, 3), people(31, seed=1)
    expected = left_out_by_loops(with_it, without_it, False)
    assert directions.held_out_auc(with_it, without_it, False) == pytest.approx(expected, abs=1e-12)


def test_equal_projections_count_half() -> None:
    same = np.ones((8, 512))
    assert directions.held_out_auc(same, same.copy(), False) == 0.5


def test_nothing_to_learn_is_chance_and_is_reported() -> None:
    figures, reported = [], 0
    for seed in range(40):
        sides = faces(people(20, seed=seed)), faces(people(20, seed=seed + 100))
        found = directions.learn(*sides, "luck")
        figures.append(found.direction.evidence.auc)
        assert bool(found.advice) == (figures[-1] < 0.7)
        reported += bool(found.advice)
    assert np.mean(figures) == pytest.approx(0.5, abs=0.06)
    assert reported > 30


def test_pairs_cancel_what_people_differ_in() -> None:
    base = 3 * people(8, seed=3)
    changed = base + 6 * TRUTH + RNG.normal(size=base.shape) * 0.05
    found = directions.learn(faces(changed), faces(base), "hat", paired=True).direction
    assert found.vector.double().numpy() @ TRUTH / found.length > 0.98
    assert found.evidence[:3] == (8, 8, True)


def test_four_pairs_are_enough_and_those_without_a_face_are_left_out() -> None:
    base, changed = people(6), people(6) + 8 * TRUTH
    first, second = list(faces(changed).frames), list(faces(base).frames)
    first[1] = second[4] = frame()
    sides = Faces(tuple(first), OURS), Faces(tuple(second), OURS)
    found = directions.learn(*sides, "hat", paired=True)
    kept = [0, 2, 3, 5]
    expected = (changed[kept] - base[kept]).mean(0)
    np.testing.assert_allclose(found.direction.vector, expected, atol=1e-5)
    assert "left out: 2 of 6 pairs" in found.text and "4 pairs of photos" in found.text


def test_unequal_batches_are_not_paired_and_it_is_said() -> None:
    found = directions.learn(faces(people(9, 5)), faces(people(8)), "hat", paired=True)
    assert "not paired: 9 photos in with_faces, 8 in without_faces" in found.text
    assert not found.direction.evidence.paired


def test_the_text_has_count_figure_and_length() -> None:
    found = directions.learn(faces(people(9, 8)), faces(people(8)), "hat")
    assert found.text.splitlines() == [
        "hat: 9 photos with it, 8 without",
        f"tells held-out photos apart: AUC {found.direction.evidence.auc:.2f} (1 always, 0.5 by "
        "chance), each photo left out in turn",
        f"length: {found.direction.length:.2f}",
    ]


MANY = faces(people(8))
POSE = Faces((FrameFaces(Extent(8, 8), (Detection(Box(0, 0, 1, 1), 1, np.zeros((5, 2))),)),), None)
TWO_IN_ONE = Faces((*faces(people(4)).frames, frame(*people(2))), OURS)


@pytest.mark.parametrize(
    ("sides", "more", "error", "said"),
    [
        ((faces(people(7)), MANY), {}, DirectionError, "at least 8 faces .* found 7 and 8. Add"),
        ((MANY, faces(people(7))), {}, DirectionError, "found 8 and 7"),
        ((Faces((), OURS), MANY), {}, DirectionError, "found 0 and 8"),
        ((MANY, Faces((frame(),), OURS)), {}, DirectionError, "found 8 and 0"),
        ((faces(people(5)), faces(people(5))), {}, DirectionError, "or turn paired on"),
        (
            (faces(people(3)), faces(people(3))),
            {"paired": True},
            DirectionError,
            "4 pairs.*found 3",
        ),
        ((faces(people(5)), MANY), {"paired": True}, DirectionError, "found 5 and 8.*as many"),
        ((TWO_IN_ONE, TWO_IN_ONE), {"paired": True}, DirectionError, "photo 5 of with_faces has 2"),
        ((MANY, MANY), {}, DirectionError, "same mean"),
        ((MANY, faces(np.full((8, 512), np.nan))), {}, DirectionError, "found NaN"),
        (
            (MANY, faces(people(8), OTHER)),
            {},
            IdentityError,
            "with_faces and without_faces.*4a4a.*5b5b",
        ),
        ((POSE, MANY), {}, SettingError, "A pose says where a face is"),
        ((MANY, POSE), {}, SettingError, "A pose says where a face is"),
        ((MANY, MANY), {"name": " "}, SettingError, "A name has 1 to 80"),
        ((MANY, MANY), {"name": "x" * 81}, SettingError, "A name has 1 to 80"),
    ],
)
def test_what_nothing_can_be_learnt_from_is_a_sentence(
    sides: tuple[Faces, Faces], more: dict[str, Any], error: type[Exception], said: str
) -> None:
    given = {"name": "hat", **more}
    with pytest.raises(error, match=said):
        directions.learn(*sides, **given)
