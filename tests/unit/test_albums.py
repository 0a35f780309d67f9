"""Identities of one person with strangers among them: those kept, and the report."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch
from support.recognisers import RECOGNISER

from instantid_core.errors import IdentityError, SettingError
from instantid_core.identity.albums import Combined, combine_album
from instantid_core.identity.blending import combine_identities
from instantid_core.types import IdentityEmbedding

ALIKE = 0.45
"""Cosine of two photos of one person."""


def unit(generator: np.random.Generator) -> np.ndarray:
    drawn = generator.standard_normal(512)
    return drawn / np.linalg.norm(drawn)


def photos(seed: int, count: int) -> list[np.ndarray]:
    """Photos of one person."""
    generator = np.random.default_rng(seed)
    person = unit(generator)
    return [
        20 * (math.sqrt(ALIKE) * person + math.sqrt(1 - ALIKE) * unit(generator))
        for _ in range(count)
    ]


def identity(*embeddings: np.ndarray) -> IdentityEmbedding:
    """One identity with these references."""
    return IdentityEmbedding(torch.from_numpy(np.stack(embeddings))[None].float(), RECOGNISER)


def named(*embeddings: np.ndarray) -> dict[str, IdentityEmbedding]:
    return {f"identity{n}": identity(each) for n, each in enumerate(embeddings)}


def cosine(one: IdentityEmbedding, other: IdentityEmbedding) -> float:
    a, b = (each.references.double().ravel() for each in (one, other))
    return float(a @ b / a.norm() / b.norm())


def robust(identities: dict[str, IdentityEmbedding], weights: tuple[float, ...] = ()) -> Combined:
    return combine_album(identities, weights, "robust")


@pytest.mark.parametrize("seed", range(5))
@pytest.mark.parametrize(("own", "strangers"), [(4, 1), (7, 3), (11, 5)])
def test_strangers_change_nothing(seed: int, own: int, strangers: int) -> None:
    """With 30 % strangers the identity stays within 0.02 of that without."""
    clean = photos(seed, own)
    others = [photos(100 * (seed + 1) + n, 1)[0] for n in range(strangers)]
    found = robust(named(*others, *clean))
    assert cosine(found.identity, combine_identities(named(*clean))) > 0.98
    lines = found.text.splitlines()
    assert len(lines) == own + strangers
    for number, line in enumerate(lines):
        start = f"identity{number}: "
        assert line.startswith(
            start + ("left out, another person, " if number < strangers else "sh")
        )
    (said,) = found.left_out
    assert said.startswith(f"{strangers} of {own + strangers} references count little or nothing")
    assert "identity0 (another person, " in said


def test_references_of_one_identity_are_looked_at_one_by_one() -> None:
    own, (stranger,) = photos(1, 5), photos(2, 1)
    given = {"identity0": identity(own[0], stranger, own[1]), "identity1": identity(*own[2:])}
    found = robust(given)
    assert found.identity.references.shape == (1, 1, 512)
    assert cosine(found.identity, combine_identities(named(*own))) > 0.98
    assert "identity0.1: left out, another person" in found.text
    assert "identity1.2: share " in found.text


def test_a_folder_of_nothing_but_strangers_is_refused() -> None:
    strangers = [photos(seed, 1)[0] for seed in range(4)]
    with pytest.raises(IdentityError, match=r"No two of these 4 references .*combine to average"):
        robust(named(*strangers))


def test_nobody_left_out_is_no_message() -> None:
    own = photos(3, 4)
    found = robust(named(*own))
    assert found.left_out == ()
    shares = [float(line.split("share ")[1].split(",")[0]) for line in found.text.splitlines()]
    assert sum(shares) == pytest.approx(1, abs=0.03)


def test_one_identity_is_itself() -> None:
    (own,) = photos(4, 1)
    found = robust(named(own))
    assert torch.equal(found.identity.references, named(own)["identity0"].references)


def test_weights_are_the_most_that_a_photo_counts() -> None:
    own, (stranger,) = photos(5, 4), photos(6, 1)
    found = robust(named(*own, stranger), (1, 1, 0, 0.5, 9))
    expected = combine_identities(named(*own), (1, 1, 0, 0.5))
    assert cosine(found.identity, expected) > 0.97
    lines = found.text.splitlines()
    assert lines[2].startswith("identity2: share 0.00")
    assert "left out" in lines[4]


def test_batches_are_weighed_person_by_person() -> None:
    first, second, (stranger,) = photos(7, 4), photos(8, 4), photos(9, 1)
    given = {
        f"identity{n}": IdentityEmbedding(
            torch.cat([identity(a).references, identity(b).references]), RECOGNISER
        )
        for n, (a, b) in enumerate(zip([stranger, *first[:3]], second, strict=True))
    }
    found = robust(given)
    assert found.identity.references.shape == (2, 1, 512)
    (said,) = found.left_out
    assert said.startswith("1 of 8 references")
    assert "identity 1 of the batch, identity0 (another person" in said


def test_the_average_is_the_weighted_mean() -> None:
    given = named(*photos(10, 3))
    found = combine_album(given, (1, 0.5, 0.5))
    expected = combine_identities(given, (1, 0.5, 0.5))
    assert torch.equal(found.identity.references, expected.references)
    assert found.text == "identity0: share 0.50\nidentity1: share 0.25\nidentity2: share 0.25"
    assert found.left_out == ()


@pytest.mark.parametrize(
    ("weights", "words"),
    [
        ((1, -1, 1), "from 0 up; found 1, -1, 1"),
        ((0, 0, 0), "sum to zero"),
        ((1, 1), "one weight for each of 3 identities"),
        ((1, math.nan, 1), "weight 2 must be a finite number"),
    ],
)
def test_meaningless_weights_are_refused(weights: tuple[float, ...], words: str) -> None:
    with pytest.raises(SettingError, match=words):
        robust(named(*photos(11, 3)), weights)


def test_what_does_not_go_together_is_refused() -> None:
    with pytest.raises(SettingError, match="combine must be one of average, robust"):
        combine_album(named(*photos(12, 2)), (), "best")
    nobody = IdentityEmbedding(torch.empty(0, 1, 512), RECOGNISER)
    with pytest.raises(IdentityError, match="identity9 is nobody"):
        robust({**named(*photos(12, 2)), "identity9": nobody})
    with pytest.raises(IdentityError, match="at least one identity"):
        robust({})
