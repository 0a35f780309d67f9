"""Directions: learnt from faces, measured on held-out ones, and identities moved along them."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pytest
import torch
from scipy.stats import mannwhitneyu

from instantid_core.errors import DirectionError, IdentityError, SettingError
from instantid_core.identity import directions, editing
from instantid_core.types import (
    Box,
    ColourOrder,
    Detection,
    Direction,
    Evidence,
    Extent,
    Face,
    Faces,
    FrameFaces,
    IdentityEmbedding,
    Person,
    Recogniser,
)

OURS, OTHER = Recogniser("4a" * 32), Recogniser("5b" * 32)
RNG = np.random.default_rng(20)
TRUTH = np.eye(512)[0]
"""What is planted."""


def faces(rows: np.ndarray, recogniser: Recogniser = OURS) -> Faces:
    """A photo for each embedding."""
    return Faces(tuple(frame(row) for row in rows), recogniser)


def frame(*rows: np.ndarray) -> FrameFaces:
    box, points = Box(0, 0, 64, 64), np.zeros((5, 2), np.float32)
    found = [Face(box, 0.9, points, row.astype(np.float32)) for row in rows]
    return FrameFaces(Extent(64, 64), tuple(found))


def people(count: int, shift: float = 0.0, seed: int = 0) -> np.ndarray:
    """[count, 512] embeddings of norm 20 about a common mean, moved along the planted direction."""
    rng = np.random.default_rng(seed)
    rows = rng.normal(size=(count, 512)) + 3 * np.eye(512)[1]
    return 20 * rows / np.linalg.norm(rows, axis=1, keepdims=True) + shift * TRUTH


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


# --- learning -------------------------------------------------------------------------------------


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


def test_nothing_to_learn_is_chance_and_is_told() -> None:
    figures, told = [], 0
    for seed in range(40):
        sides = faces(people(20, seed=seed)), faces(people(20, seed=seed + 100))
        found = directions.learn(*sides, "luck")
        figures.append(found.direction.evidence.auc)
        assert bool(found.advice) == (figures[-1] < 0.7)
        told += bool(found.advice)
    assert np.mean(figures) == pytest.approx(0.5, abs=0.06)
    assert told > 30


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


# --- editing --------------------------------------------------------------------------------------


def direction(recogniser: Recogniser = OURS, midpoint: float = 3.0) -> Direction:
    vector = torch.from_numpy(RNG.normal(size=512)).float()
    return Direction(vector, midpoint, recogniser, "hat", Evidence(8, 8, False, 0.9))


def identity(count: int = 2, references: int = 3) -> IdentityEmbedding:
    rows = people(count * references, seed=7).reshape(count, references, 512)
    person = Person("Anna", b"jpeg", "signed")
    return IdentityEmbedding(torch.from_numpy(rows).float(), OURS, person)


def along(references: torch.Tensor, way: Direction) -> torch.Tensor:
    unit = way.vector.double() / way.vector.double().norm()
    return references.double() @ unit


def across(references: torch.Tensor, way: Direction) -> torch.Tensor:
    unit = way.vector.double() / way.vector.double().norm()
    return references.double() - along(references, way).unsqueeze(-1) * unit


@pytest.mark.parametrize("amount", [-3.0, -0.5, 0.0, 1.0, 3.0])
@pytest.mark.parametrize("mode", editing.MODES)
def test_only_the_place_on_the_direction_changes(mode: str, amount: float) -> None:
    way, before = direction(), identity()
    after = editing.edit(before, way, amount, mode, keep_length=False).identity
    torch.testing.assert_close(
        across(after.references, way), across(before.references, way), rtol=0, atol=1e-5
    )
    old = along(before.references, way)
    length = float(np.linalg.norm(way.vector.double().numpy()))
    expected = old + (amount * (way.midpoint - old) if mode == "neutralise" else amount * length)
    torch.testing.assert_close(along(after.references, way), expected, rtol=0, atol=1e-5)


def test_neutralised_identities_stand_in_the_middle_of_both_means() -> None:
    sides = people(30, 9), people(30, seed=1)
    way = directions.learn(faces(sides[0]), faces(sides[1]), "hat").direction
    after = editing.edit(identity(), way, 1.0, "neutralise", keep_length=False)
    unit = (sides[0].mean(0) - sides[1].mean(0)) / np.linalg.norm(
        sides[0].mean(0) - sides[1].mean(0)
    )
    middle = (sides[0].mean(0) + sides[1].mean(0)) / 2 @ unit
    np.testing.assert_allclose(after.identity.references.double().numpy() @ unit, middle, atol=1e-4)
    assert "to 0.50" in after.text


@pytest.mark.parametrize("mode", editing.MODES)
def test_each_reference_keeps_its_length(mode: str) -> None:
    way, before = direction(), identity()
    loose = editing.edit(before, way, 2.0, mode, keep_length=False).identity.references.double()
    kept = editing.edit(before, way, 2.0, mode).identity.references.double()
    lengths = before.references.double().norm(dim=-1)
    torch.testing.assert_close(kept.norm(dim=-1), lengths, rtol=1e-6, atol=0)
    assert not torch.allclose(loose.norm(dim=-1), lengths, rtol=1e-3)
    cosines = torch.nn.functional.cosine_similarity(kept, loose, dim=-1)
    torch.testing.assert_close(cosines, torch.ones_like(cosines), rtol=0, atol=1e-7)


def test_amount_0_leaves_the_bits_and_nothing_given_is_changed() -> None:
    way, before = direction(), identity()
    copy = before.references.clone()
    for mode in editing.MODES:
        assert torch.equal(editing.edit(before, way, 0.0, mode).identity.references, copy)
        editing.edit(before, way, 1.0, mode)
    assert torch.equal(before.references, copy)


def test_there_and_back_again() -> None:
    way, before = direction(), identity()
    there = editing.edit(before, way, 1.5, keep_length=False).identity
    back = editing.edit(there, way, -1.5, keep_length=False).identity
    torch.testing.assert_close(back.references, before.references, rtol=0, atol=1e-5)


def test_the_person_goes_along() -> None:
    edited = editing.edit(identity(), direction()).identity
    assert edited.person == Person("Anna", b"jpeg", "signed")
    assert edited.recogniser == OURS and edited.references.dtype == torch.float32


def test_the_text_has_the_cosine_to_the_original_and_both_places() -> None:
    way, before = direction(), identity(1, 1)
    edited = editing.edit(before, way, 1.0, keep_length=False)
    old, new = before.references[0, 0].numpy(), edited.identity.references[0, 0].numpy()
    cosine = old @ new / np.linalg.norm(old) / np.linalg.norm(new)
    place = (float(along(before.references, way)) - 3) / way.length + 0.5
    assert edited.text.splitlines()[1] == (
        f"cosine to the original {cosine:.3f}, from {place:.2f} to {place + 1:.2f}"
    )
    lines = editing.edit(identity(), way).text.splitlines()[1:]
    assert len(lines) == 6 and lines[4].startswith("identity 2, reference 2, cosine")


def zeros() -> IdentityEmbedding:
    return IdentityEmbedding(torch.zeros(1, 1, 512), OURS)


OPPOSITE = IdentityEmbedding(torch.ones(1, 1, 512), OURS)


@pytest.mark.parametrize(
    ("who", "change", "given", "error", "said"),
    [
        (
            identity(),
            {},
            {"amount": 3.01},
            SettingError,
            "amount must be a number from -3.0 to 3.0",
        ),
        (identity(), {}, {"amount": float("nan")}, SettingError, "amount must be a number"),
        (identity(), {}, {"amount": "1"}, SettingError, "amount must be a number"),
        (identity(), {}, {"mode": "erase"}, SettingError, "mode must be one of add, neutralise"),
        (
            identity(),
            {"recogniser": OTHER},
            {},
            IdentityError,
            "identity and direction.*4a4a.*5b5b",
        ),
        (
            identity(),
            {"recogniser": Recogniser(OURS.sha256, ColourOrder.RGB)},
            {},
            IdentityError,
            "SDXL, direction for SD 1.5",
        ),
        (
            IdentityEmbedding(torch.empty(0, 1, 512), OURS),
            {},
            {},
            IdentityError,
            "identity is nobody",
        ),
        (zeros(), {}, {}, IdentityError, "looks like nobody"),
        (
            OPPOSITE,
            {"vector": -torch.ones(512)},
            {},
            IdentityError,
            "takes away all of the identity",
        ),
        (
            identity(),
            {"vector": torch.full((512,), 3e38)},
            {"amount": 2.0, "keep_length": False},
            IdentityError,
            "numbers that no face gives",
        ),
    ],
)
def test_what_cannot_be_edited_is_a_sentence(
    who: IdentityEmbedding,
    change: dict[str, Any],
    given: dict[str, Any],
    error: type[Exception],
    said: str,
) -> None:
    with pytest.raises(error, match=said):
        editing.edit(who, replace(direction(), **change), **given)
