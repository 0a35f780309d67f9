"""Identities moved along a direction."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pytest
import torch
from support.planted import OTHER, OURS, faces, people

from instantid_core.errors import DirectionError, IdentityError, SettingError
from instantid_core.identity import directions, editing
from instantid_core.types import (
    ColourOrder,
    Direction,
    Evidence,
    IdentityEmbedding,
    Person,
    Recogniser,
)

RNG = np.random.default_rng(21)


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


@pytest.mark.parametrize("mode", editing.MODES)
def test_the_place_on_a_held_direction_stays(mode: str) -> None:
    """The place on the direction itself is the same as without."""
    way, before = direction(), identity()
    skin = replace(direction(), vector=direction().vector + 0.6 * way.vector, name="skin")
    free = editing.edit(before, way, 1.5, mode, False).identity.references
    held = editing.edit(before, way, 1.5, mode, False, skin).identity.references
    torch.testing.assert_close(along(held, way), along(free, way), rtol=0, atol=1e-4)
    start = along(before.references, skin)
    torch.testing.assert_close(along(held, skin), start, rtol=0, atol=1e-4)
    assert (along(free, skin) - start).abs().min() > 1
    moved = held.double() - before.references.double()
    plane = torch.stack([way.vector.double(), skin.vector.double()], 1)
    across_both = moved - moved @ plane @ torch.linalg.pinv(plane)
    torch.testing.assert_close(across_both, torch.zeros_like(moved), rtol=0, atol=1e-5)


def test_what_is_held_stands_in_the_text() -> None:
    skin = replace(direction(), name="skin")
    assert editing.edit(identity(), direction(), hold=skin).text.startswith("hat, add 1, skin held")


def test_a_direction_across_the_other_changes_nothing() -> None:
    way, before = direction(), identity()
    unit = way.vector.double() / way.vector.double().norm()
    other = direction().vector.double()
    skin = replace(direction(), vector=(other - other @ unit * unit).float())
    found = [editing.edit(before, way, 1.0, hold=hold).identity for hold in (None, skin)]
    torch.testing.assert_close(found[0].references, found[1].references, rtol=0, atol=1e-5)


@pytest.mark.parametrize("sign", [1, -1])
def test_two_directions_that_lead_the_same_way_are_a_sentence(sign: int) -> None:
    way = direction()
    noise = 0.2 * torch.from_numpy(RNG.normal(size=512)).float()
    skin = replace(way, vector=sign * way.vector + noise, name="skin")
    with pytest.raises(DirectionError, match=r"'hat' and 'skin'.*cosine is -?0\.9.*to hold, or"):
        editing.edit(identity(), way, hold=skin)


@pytest.mark.parametrize("cosine", [0.89, -0.89, 0.91, -0.91])
def test_nine_tenths_are_the_limit(cosine: float) -> None:
    units = [torch.eye(512)[n] for n in range(2)]
    way = replace(direction(), vector=units[0])
    skin = replace(way, vector=cosine * units[0] + (1 - cosine**2) ** 0.5 * units[1])
    if abs(cosine) < 0.9:
        editing.edit(identity(), way, hold=skin)
        return
    with pytest.raises(DirectionError, match=f"cosine is {cosine}"):
        editing.edit(identity(), way, hold=skin)


@pytest.mark.parametrize("value", [0.0, float("nan"), float("inf")])
def test_a_held_direction_without_numbers_is_named(value: float) -> None:
    skin = replace(direction(), vector=torch.full((512,), value), name="skin")
    with pytest.raises(IdentityError, match="direction 'hat' or 'skin' holds numbers"):
        editing.edit(identity(), direction(), hold=skin)


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


def test_a_held_direction_of_another_recogniser_is_refused_by_its_name() -> None:
    with pytest.raises(IdentityError, match=r"identity and hold.*4a4a.*5b5b"):
        editing.edit(identity(), direction(), hold=direction(OTHER))
