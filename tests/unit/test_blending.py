"""Between identities, from one to another, and several together."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pytest
import torch
from scipy.spatial import geometric_slerp
from support.recognisers import ANOTHER, RECOGNISER

from instantid_core.errors import IdentityError, SettingError
from instantid_core.identity.blending import (
    METHODS,
    blend,
    combine_identities,
    interpolate,
    parse_weights,
)
from instantid_core.types import IdentityEmbedding, Recogniser

# One rounding to float32 after sums in float64, relative to the largest numbers of about 3.
ROUNDING = {"rtol": 1.2e-7, "atol": 4e-7}
RATIOS = (0.1, 0.25, 0.5, 0.73, 0.999)


def identity(
    seed: int, batch: int = 1, sequence: int = 1, recogniser: Recogniser = RECOGNISER
) -> IdentityEmbedding:
    """Raw embeddings, each of another length around 20."""
    random = np.random.default_rng(seed)
    vectors = random.standard_normal((batch, sequence, 512)) * random.uniform(0.6, 1.2)
    return IdentityEmbedding(torch.from_numpy(vectors.astype(np.float32)), recogniser)


def of_length(seed: int, length: float) -> IdentityEmbedding:
    references = identity(seed).references
    return IdentityEmbedding(references / references.norm() * length, RECOGNISER)


def nobody() -> IdentityEmbedding:
    return IdentityEmbedding(torch.empty(0, 1, 512), RECOGNISER)


def exact(given: IdentityEmbedding) -> np.ndarray:
    return given.references.numpy().astype(np.float64)


def close(found: IdentityEmbedding, expected: np.ndarray) -> bool:
    assert found.references.dtype == torch.float32
    return np.allclose(found.references.numpy(), expected, **ROUNDING)


# --- blending -------------------------------------------------------------------------------------


@pytest.mark.parametrize("method", METHODS)
@pytest.mark.parametrize("batches", [(1, 1), (3, 3), (1, 3), (3, 1)])
def test_endpoints_keep_their_bits(method: str, batches: tuple[int, int]) -> None:
    a, b = identity(1, batches[0], 2), identity(2, batches[1], 2)
    for ratio, end in ((0, a), (0.0, a), (1, b), (1.0, b)):
        blended = blend(a, b, ratio, method)
        expected = end.references.expand(max(batches), 2, 512)
        assert torch.equal(blended.references, expected)
        assert blended.recogniser == RECOGNISER


def test_ends_need_no_way_between_them() -> None:
    a = identity(1)
    for factor in (-1, 0):
        b = IdentityEmbedding(a.references * factor, RECOGNISER)
        for ratio, end in ((0, a), (1, b)):
            found = blend(a, b, ratio).references
            assert found.numpy().tobytes() == end.references.numpy().tobytes()


@pytest.mark.parametrize("ratio", RATIOS)
def test_slerp_is_scipys_on_the_sphere(ratio: float) -> None:
    a, b = identity(1), identity(2)
    lengths = [np.linalg.norm(exact(end)) for end in (a, b)]
    ends = [exact(end)[0, 0] / length for end, length in zip((a, b), lengths, strict=True)]
    direction = geometric_slerp(*ends, [ratio])[0]
    expected = direction * ((1 - ratio) * lengths[0] + ratio * lengths[1])
    assert close(blend(a, b, ratio), expected)


@pytest.mark.parametrize("ratio", RATIOS)
def test_slerp_keeps_the_norm(ratio: float) -> None:
    between = blend(of_length(1, 20), of_length(2, 20), ratio)
    assert np.linalg.norm(exact(between)) == pytest.approx(20, rel=2e-7)
    straight = blend(of_length(1, 20), of_length(2, 20), ratio, "lerp")
    assert np.linalg.norm(exact(straight)) < 20


def test_slerp_changes_the_length_evenly() -> None:
    a, b = of_length(1, 10), of_length(2, 30)
    lengths = [np.linalg.norm(exact(blend(a, b, ratio))) for ratio in (0.25, 0.5, 0.75)]
    assert lengths == pytest.approx([15, 20, 25], rel=2e-7)


@pytest.mark.parametrize("ratio", RATIOS)
def test_slerp_turns_by_its_share_of_the_angle(ratio: float) -> None:
    a, b = identity(1), identity(2)

    def angle(one: IdentityEmbedding, other: IdentityEmbedding) -> float:
        first, second = exact(one)[0, 0], exact(other)[0, 0]
        return math.acos(first @ second / np.linalg.norm(first) / np.linalg.norm(second))

    assert angle(a, blend(a, b, ratio)) == pytest.approx(ratio * angle(a, b), abs=2e-6)


@pytest.mark.parametrize("ratio", RATIOS)
def test_lerp_is_the_straight_line(ratio: float) -> None:
    a, b = identity(1, 2, 3), identity(2, 2, 3)
    assert close(blend(a, b, ratio, "lerp"), (1 - ratio) * exact(a) + ratio * exact(b))


@pytest.mark.parametrize("method", METHODS)
def test_each_reference_is_blended_with_its_own(method: str) -> None:
    a, b = identity(1, 2, 3), identity(2, 1, 3)
    together = blend(a, b, 0.3, method).references
    for i in range(2):
        for j in range(3):
            alone = blend(
                IdentityEmbedding(a.references[i : i + 1, j : j + 1], RECOGNISER),
                IdentityEmbedding(b.references[:, j : j + 1], RECOGNISER),
                0.3,
                method,
            ).references
            torch.testing.assert_close(together[i, j], alone[0, 0], rtol=2e-7, atol=4e-7)


@pytest.mark.parametrize("method", METHODS)
@pytest.mark.parametrize("factor", [1.0, 1 + 1e-7, 3.0])
def test_one_direction_stays_that_direction(method: str, factor: float) -> None:
    a = identity(1)
    b = IdentityEmbedding(a.references * factor, RECOGNISER)
    assert close(blend(a, b, 0.5, method), exact(a) * (1 + factor) / 2)


def test_nearly_parallel_and_nearly_opposite_stay_finite() -> None:
    a = identity(1)
    for angle in (1e-7, 1e-5, 1e-3, math.pi - 1e-3, math.pi - 1e-4):
        side = exact(identity(2))[0, 0]
        base = exact(a)[0, 0] / np.linalg.norm(exact(a))
        side -= (side @ base) * base
        turned = math.cos(angle) * base + math.sin(angle) * side / np.linalg.norm(side)
        b = IdentityEmbedding(torch.from_numpy(turned).float().view(1, 1, 512), RECOGNISER)
        halfway = blend(of_length(1, 1), b, 0.5)
        assert np.linalg.norm(exact(halfway)) == pytest.approx(1, rel=1e-6)


def test_slerp_refuses_opposites_and_zeros_with_advice() -> None:
    a = identity(1)
    for factor, words in ((-1, "opposite directions"), (0, "zeros has none")):
        b = IdentityEmbedding(a.references * factor, RECOGNISER)
        with pytest.raises(IdentityError, match=f"{words}.*Use lerp"):
            blend(a, b, 0.5)
        assert torch.isfinite(blend(a, b, 0.5, "lerp").references).all()


@pytest.mark.parametrize("ratio", [-0.01, 1.01, math.nan, math.inf])
def test_ratios_are_from_zero_to_one(ratio: float) -> None:
    with pytest.raises(SettingError, match="ratio must be a number from 0 to 1, found"):
        blend(identity(1), identity(2), ratio)


@pytest.mark.parametrize(("call", "number"), [(blend, 1), (interpolate, 2)])
def test_unknown_ways_are_refused_with_the_choices(call: Any, number: int) -> None:
    with pytest.raises(SettingError, match="one of slerp, lerp; found 'cubic'"):
        call(identity(1), identity(2), number, "cubic")


@pytest.mark.parametrize("method", METHODS)
def test_what_comes_in_is_left_alone(method: str) -> None:
    a, b = identity(1), identity(2)
    before = a.references.clone(), b.references.clone()
    blend(a, b, 0.5, method)
    interpolate(a, b, 3, method)
    combine_identities({"a": a, "b": b}, (1, 2))
    assert torch.equal(a.references, before[0])
    assert torch.equal(b.references, before[1])


# --- identities that do not go together -----------------------------------------------------------


@pytest.mark.parametrize("ratio", [0, 0.5, 1])
@pytest.mark.parametrize(
    ("other", "words"),
    [
        (
            identity(2, recogniser=ANOTHER),
            "different face recognisers .*5e5e.* and a0a0",
        ),
        (identity(2, sequence=3), "identity_a holds 1 per person, identity_b holds 3"),
        (nobody(), "identity_b is nobody: no face was found"),
    ],
    ids=["recogniser", "sequence", "nobody"],
)
def test_odd_pairs_are_refused(other: IdentityEmbedding, words: str, ratio: float) -> None:
    with pytest.raises(IdentityError, match=words):
        blend(identity(1), other, ratio)
    with pytest.raises(IdentityError, match=words):
        interpolate(identity(1), other, 3)


def test_batches_of_different_sizes_are_refused() -> None:
    with pytest.raises(IdentityError, match=r"identity_a is a batch of 2 .*beside a batch of 3"):
        blend(identity(1, 2), identity(2, 3), 0.5)


# --- from one to another --------------------------------------------------------------------------


@pytest.mark.parametrize("method", METHODS)
@pytest.mark.parametrize("steps", [2, 3, 5, 24])
def test_interpolation_blends_at_even_ratios_and_holds_both_ends(method: str, steps: int) -> None:
    a, b = identity(1, sequence=2), identity(2, sequence=2)
    row = interpolate(a, b, steps, method)
    assert tuple(row.references.shape) == (steps, 2, 512)
    assert torch.equal(row.references[:1], a.references)
    assert torch.equal(row.references[-1:], b.references)
    for step in range(steps):
        stage = blend(a, b, step / (steps - 1), method).references
        assert torch.equal(row.references[step : step + 1], stage)


@pytest.mark.parametrize("steps", [1, 0, -3])
def test_interpolation_takes_two_steps_or_more(steps: int) -> None:
    with pytest.raises(SettingError, match=f"at least 2, .*; found {steps}"):
        interpolate(identity(1), identity(2), steps)


def test_interpolation_refuses_batches() -> None:
    with pytest.raises(IdentityError, match="identity_b is a batch of 4"):
        interpolate(identity(1), identity(2, 4), 3)


# --- several together -----------------------------------------------------------------------------


@pytest.mark.parametrize("weights", [(1, 1, 1), (0.2, 0.3, 0.5), (3, 0, 1), (2, -0.5, 1)])
def test_combining_is_the_weighted_mean(weights: tuple[float, ...]) -> None:
    given = {f"identity{i}": identity(i, 2, 2) for i in range(3)}
    expected = np.average([exact(one) for one in given.values()], axis=0, weights=weights)
    combined = combine_identities(given, weights)
    assert close(combined, expected)
    assert combined.recogniser == RECOGNISER


def test_no_weights_weigh_all_alike() -> None:
    given = {f"identity{i}": identity(i) for i in range(4)}
    equal = combine_identities(given, (0.7,) * 4)
    assert torch.equal(combine_identities(given).references, equal.references)


@pytest.mark.parametrize("factor", [0.001, 0.3, 7, -2, 1e300])
def test_only_the_proportions_of_weights_count(factor: float) -> None:
    given = {f"identity{i}": identity(i) for i in range(2)}
    scaled = combine_identities(given, (factor, factor * 0.25))
    torch.testing.assert_close(
        scaled.references, combine_identities(given, (1, 0.25)).references, rtol=2e-7, atol=4e-7
    )


@pytest.mark.parametrize("weight", [1, 0.3, 7.7, 1e-12, 1e300])
def test_a_lone_identity_keeps_its_bits(weight: float) -> None:
    alone = identity(1, 2, 3)
    assert torch.equal(
        combine_identities({"identity0": alone}, (weight,)).references, alone.references
    )


def test_a_single_identity_goes_with_a_batch() -> None:
    one, many = identity(1), identity(2, 3)
    combined = combine_identities({"a": one, "b": many}, (1, 3))
    assert close(combined, (exact(one) + 3 * exact(many)) / 4)


@pytest.mark.parametrize(
    ("weights", "words"),
    [
        ((1, math.nan), "weight 2 must be a finite number, found nan"),
        ((math.inf, 1), "weight 1 must be a finite number, found inf"),
        ((1, -1), "weights 1, -1 sum to zero"),
        ((0, 0), "weights 0, 0 sum to zero"),
        ((0.1, -0.1 + 1e-12), "sum to zero"),
        ((1,), "one weight for each of 2 identities, found 1"),
        ((1, 2, 3), "one weight for each of 2 identities, found 3"),
    ],
)
def test_meaningless_weights_are_refused(weights: tuple[float, ...], words: str) -> None:
    with pytest.raises(SettingError, match=words):
        combine_identities({"a": identity(1), "b": identity(2)}, weights)


def test_combining_nothing_or_odd_ones_is_refused_by_name() -> None:
    with pytest.raises(IdentityError, match="at least one identity, found none"):
        combine_identities({})
    for odd, words in (
        (nobody(), "identity7 is nobody"),
        (identity(2, recogniser=ANOTHER), "identity0 and identity7 come from different"),
        (identity(2, sequence=2), "identity0 holds 1 per person, identity7 holds 2"),
    ):
        with pytest.raises(IdentityError, match=words):
            combine_identities({"identity0": identity(1), "identity7": odd})


@pytest.mark.parametrize(
    ("text", "weights"),
    [
        ("", ()),
        ("  ", ()),
        ("1, 0.5", (1, 0.5)),
        ("1;2\n3 4,", (1, 2, 3, 4)),
        ("-1e-1", (-0.1,)),
    ],
)
def test_weights_are_read(text: str, weights: tuple[float, ...]) -> None:
    assert parse_weights(text) == weights


@pytest.mark.parametrize("text", ["a, b", "1/2", "1, half", "0x10"])
def test_weights_that_are_no_numbers_are_refused(text: str) -> None:
    with pytest.raises(SettingError, match="weights must be numbers with commas") as caught:
        parse_weights(text)
    assert f"found '{text}'" in str(caught.value)
