"""From faces to one identity, and the identity of the negative rows."""

from __future__ import annotations

import itertools

import numpy as np
import pytest
import torch
from support.recognisers import RECOGNISER

from instantid_core.errors import SettingError
from instantid_core.identity.embedding import (
    COMBINE,
    NegativeIdentity,
    combine,
    negative_references,
)
from instantid_core.types import Box, Detection, Extent, Face, Faces, FrameFaces

# Sums of a few float32 numbers in another order differ by a few units in the last place.
ROUNDING = {"rtol": 2e-6, "atol": 2e-6}


def embeddings(count: int) -> np.ndarray:
    """[count, 512] of different lengths around 20, as the recogniser gives them."""
    random = np.random.default_rng(11)
    lengths = np.linspace(0.6, 1.4, count)[:, None] if count > 1 else 1
    return (random.standard_normal((count, 512)) * 0.9 * lengths).astype(np.float32)


def faces(vectors: np.ndarray, per_frame: int = 1) -> Faces:
    """Faces with these embeddings, so many to a frame."""
    everyone = [
        Face(Box(0, 0, 9, 9), 0.9, np.zeros((5, 2), np.float32), vector) for vector in vectors
    ]
    frames = [
        FrameFaces(Extent(9, 9), tuple(everyone[start : start + per_frame]))
        for start in range(0, len(everyone), per_frame)
    ]
    return Faces(tuple(frames), RECOGNISER)


def reference(vectors: np.ndarray, how: str, per_frame: int = 1) -> torch.Tensor:
    """[S, 512] of the one identity."""
    identity = combine(faces(vectors, per_frame), how)
    assert identity.references.dtype == torch.float32
    assert identity.references.shape[0] == 1
    return identity.references[0]


def close(first: torch.Tensor, second: np.ndarray) -> bool:
    return torch.allclose(first, torch.from_numpy(np.asarray(second, np.float32)), **ROUNDING)


# --- combining ------------------------------------------------------------------------------------


def test_average_is_the_mean() -> None:
    vectors = embeddings(4)
    assert close(reference(vectors, "average")[0], vectors.astype(np.float64).mean(axis=0))


@pytest.mark.parametrize("how", ["average", "normalized_average"])
def test_averages_do_not_depend_on_the_order(how: str) -> None:
    vectors = embeddings(3)
    first = reference(vectors, how)
    for order in itertools.permutations(range(3)):
        assert torch.allclose(reference(vectors[list(order)], how), first, **ROUNDING)


def test_normalized_average_averages_directions_at_the_mean_length() -> None:
    vectors = embeddings(4)
    lengths = np.linalg.norm(vectors.astype(np.float64), axis=1, keepdims=True)
    direction = (vectors / lengths).mean(axis=0)
    expected = direction / np.linalg.norm(direction) * lengths.mean()
    assert close(reference(vectors, "normalized_average")[0], expected)


def test_normalized_average_gives_a_strong_photo_no_more_say() -> None:
    vectors = embeddings(2)
    louder = vectors * np.array([[10], [1]], np.float32)
    plain, loud = (reference(v, "normalized_average")[0] for v in (vectors, louder))
    assert torch.cosine_similarity(plain, loud, dim=0) == pytest.approx(1, abs=1e-6)
    assert (
        torch.cosine_similarity(*(reference(v, "average")[0] for v in (vectors, louder)), dim=0)
        < 0.9
    )


@pytest.mark.parametrize("how", ["average", "normalized_average"])
@pytest.mark.parametrize("count", [1, 2, 5])
def test_identical_photos_give_the_embedding_of_the_photo(how: str, count: int) -> None:
    vector = embeddings(1)
    assert close(reference(np.repeat(vector, count, axis=0), how), vector)


@pytest.mark.parametrize("how", COMBINE)
def test_one_photo_keeps_its_bits(how: str) -> None:
    vector = embeddings(1)
    assert np.array_equal(reference(vector, how).numpy(), vector)


@pytest.mark.parametrize("per_frame", [1, 2, 3])
def test_sequence_keeps_every_embedding_in_order(per_frame: int) -> None:
    vectors = embeddings(3)
    assert np.array_equal(reference(vectors, "sequence", per_frame).numpy(), vectors)


@pytest.mark.parametrize("how", COMBINE)
def test_no_face_is_nobody(how: str) -> None:
    empty = Faces((FrameFaces(Extent(9, 9), ()),), RECOGNISER)
    identity = combine(empty, how)
    assert identity.is_nobody
    assert tuple(identity.references.shape) == (0, 1, 512)
    assert not combine(faces(embeddings(1)), how).is_nobody


def test_the_recogniser_stays_known() -> None:
    assert combine(faces(embeddings(2)), "average").recogniser == RECOGNISER


@pytest.mark.parametrize("how", COMBINE)
def test_combining_leaves_the_faces_alone(how: str) -> None:
    vectors = embeddings(2) + np.float32(1)  # alike, as two photos of one person
    given = faces(vectors.copy())
    combine(given, how).references.mul_(0)
    assert np.array_equal(np.stack([face.embedding for face in given.all]), vectors)


def test_a_pose_without_a_person_is_refused() -> None:
    known = faces(embeddings(1))
    pose = FrameFaces(Extent(9, 9), (Detection(Box(0, 0, 9, 9), 0.9, np.zeros((5, 2))),))
    for frames in ((pose,), (*known.frames, pose)):
        with pytest.raises(SettingError, match="A pose says where a face is, not whose it is"):
            combine(Faces(frames, RECOGNISER), "average")


def test_unknown_ways_are_refused_with_the_choices() -> None:
    with pytest.raises(SettingError, match="average, normalized_average, sequence") as caught:
        combine(faces(embeddings(1)), "median")
    assert "found 'median'" in str(caught.value)


# --- the negative identity ------------------------------------------------------------------------


@pytest.mark.parametrize("kind", ["zeros", "noise"])
@pytest.mark.parametrize("shape", [(1, 1, 512), (3, 2, 512), (0, 1, 512)])
def test_negative_has_the_shape_of_the_positive(kind: str, shape: tuple[int, ...]) -> None:
    negative = negative_references(torch.ones(shape), NegativeIdentity(kind))
    assert (tuple(negative.shape), negative.dtype) == (shape, torch.float32)


def test_zeros_are_the_default() -> None:
    assert not negative_references(torch.ones(2, 3, 512), NegativeIdentity()).any()


def test_noise_is_uniform_up_to_its_strength() -> None:
    noise = negative_references(torch.ones(40, 1, 512), NegativeIdentity("noise", 0.5, 3))
    assert noise.min() >= 0
    assert noise.max() <= 0.5
    counts = torch.histc(noise, bins=10, min=0, max=0.5)
    # 2048 expected in each; 5 standard deviations of a binomial count.
    assert (counts - 2048).abs().max() < 5 * (20480 * 0.1 * 0.9) ** 0.5


def test_noise_of_strength_zero_is_zeros() -> None:
    assert not negative_references(torch.ones(1, 1, 512), NegativeIdentity("noise", 0.0)).any()


def test_noise_follows_its_seed() -> None:
    given = torch.ones(1, 1, 512)
    first, again, other = (
        negative_references(given, NegativeIdentity("noise", 0.35, seed)) for seed in (7, 7, 8)
    )
    assert torch.equal(first, again)
    assert not torch.equal(first, other)


def test_global_random_state_is_neither_read_nor_moved() -> None:
    given = torch.ones(1, 1, 512)
    torch.manual_seed(1)
    before = torch.get_rng_state()
    first = negative_references(given, NegativeIdentity("noise", 0.35, 7))
    assert torch.equal(torch.get_rng_state(), before)
    torch.manual_seed(2)
    assert torch.equal(negative_references(given, NegativeIdentity("noise", 0.35, 7)), first)


@pytest.mark.parametrize("seed", [0, 2**63, 2**64 - 1])
def test_the_whole_range_of_seeds_is_accepted(seed: int) -> None:
    noise = negative_references(torch.ones(1, 1, 512), NegativeIdentity("noise", 0.35, seed))
    assert noise.std() > 0


def test_unknown_kinds_are_refused_with_the_choices() -> None:
    with pytest.raises(SettingError, match="one of zeros, noise; found 'mean'"):
        negative_references(torch.ones(1, 1, 512), NegativeIdentity("mean"))
