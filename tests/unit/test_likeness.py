"""Cosines between identities and faces, when there is none to give, and the pictures of them."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch
from support.recognisers import ANOTHER, RECOGNISER

from instantid_core.errors import IdentityError
from instantid_core.faces import SURE_DETECTION
from instantid_core.identity.bands import BANDS, CAUTIOUS, bands_of
from instantid_core.identity.likeness import (
    Likeness,
    compare,
    comparison_text,
    score,
    score_text,
)
from instantid_core.identity.likeness_figures import (
    BAND_COLOURS,
    CROP,
    face_crop,
    matrix_sheet,
    score_sheet,
)
from instantid_core.types import (
    Box,
    Detection,
    Extent,
    Face,
    Faces,
    FrameFaces,
    IdentityEmbedding,
    Recogniser,
)

PICTURE = Extent(200, 100)
POINTS = np.zeros((5, 2), np.float32)


def vector(seed: int, length: float = 20.0) -> np.ndarray:
    drawn = np.random.default_rng(seed).standard_normal(512)
    return (drawn / np.linalg.norm(drawn) * length).astype(np.float32)


def at_cosine(base: np.ndarray, cosine: float) -> np.ndarray:
    """An embedding at this cosine to `base`, of another length."""
    unit = base.astype(np.float64) / np.linalg.norm(base)
    side = np.random.default_rng(99).standard_normal(512)
    side -= (side @ unit) * unit
    turned = cosine * unit + math.sqrt(1 - cosine**2) * side / np.linalg.norm(side)
    return (turned * 17).astype(np.float32)


def numpy_cosine(a: np.ndarray, b: np.ndarray) -> float:
    a, b = a.astype(np.float64), b.astype(np.float64)
    return float(np.dot(a, b) / np.sqrt(np.dot(a, a)) / np.sqrt(np.dot(b, b)))


def identity(*references: np.ndarray, recogniser: Recogniser = RECOGNISER) -> IdentityEmbedding:
    return IdentityEmbedding(torch.from_numpy(np.stack(references)).unsqueeze(0), recogniser)


def batch(*people: np.ndarray) -> IdentityEmbedding:
    return IdentityEmbedding(torch.from_numpy(np.stack(people)).unsqueeze(1), RECOGNISER)


def face(embedding: np.ndarray, detection: float = 0.9, left: float = 20) -> Face:
    return Face(Box(left, 20, left + 40, 70), detection, POINTS, embedding)


def faces(*frames: tuple[Detection, ...], recogniser: Recogniser = RECOGNISER) -> Faces:
    return Faces(tuple(FrameFaces(PICTURE, frame) for frame in frames), recogniser)


# --- scoring --------------------------------------------------------------------------------------


def test_the_score_is_the_cosine() -> None:
    who, seen = vector(1), [vector(seed, 5 + seed) for seed in range(1, 6)]
    found = score(identity(who), faces(*((face(one),) for one in seen)))
    for likeness, one in zip(found, seen, strict=True):
        assert likeness.cosine == pytest.approx(numpy_cosine(who, one), abs=1e-12)
    assert found[0].cosine == pytest.approx(1, abs=1e-7)


def test_lengths_do_not_count() -> None:
    who = vector(1)
    (found,) = score(identity(who), faces((face(who * 0.01),)))
    assert found.cosine == pytest.approx(1, abs=1e-7)
    (opposite,) = score(identity(who), faces((face(-who),)))
    assert opposite.cosine == pytest.approx(-1, abs=1e-7)


def test_several_references_count_by_their_mean_direction() -> None:
    references = vector(1, 30), vector(2, 3), vector(3, 20)
    seen = vector(1) + vector(3)
    exact = [one.astype(np.float64) for one in references]
    units = [one / np.linalg.norm(one) for one in exact]
    (found,) = score(identity(*references), faces((face(seen),)))
    assert found.cosine == pytest.approx(numpy_cosine(np.mean(units, axis=0), seen), abs=1e-12)


def test_of_several_faces_the_one_most_alike_counts() -> None:
    who = vector(1)
    alike = face(at_cosine(who, 0.7), left=120)
    (found,) = score(identity(who), faces((face(vector(2)), alike, face(vector(3)))))
    assert found.face is alike
    assert found.cosine == pytest.approx(0.7, abs=1e-6)


def test_no_face_and_weak_detections_have_no_score() -> None:
    who = vector(1)
    weak, weaker = face(who, 0.64), face(who, 0.5)
    none, unclear, sure = score(
        identity(who), faces((), (weaker, weak), (face(who, SURE_DETECTION),))
    )
    assert (none.cosine, none.face, none.text) == (None, None, "n/a (no face)")
    assert (unclear.cosine, unclear.face) == (None, weak)
    assert unclear.text == "n/a (weak detection, 0.64)"
    assert sure.cosine == pytest.approx(1, abs=1e-7)


def test_a_weak_detection_does_not_win_over_a_clear_one() -> None:
    who = vector(1)
    (found,) = score(identity(who), faces((face(who, 0.6), face(vector(2), 0.9))))
    assert found.cosine == pytest.approx(numpy_cosine(who, vector(2)), abs=1e-12)


def test_faces_that_nobody_holds_have_no_score() -> None:
    (found,) = score(identity(vector(1)), faces((Detection(Box(0, 0, 9, 9), 0.9, POINTS),)))
    assert found == Likeness(None, None)


def test_a_batch_goes_over_the_pictures_one_by_one_and_round_again() -> None:
    people = vector(1), vector(2)
    seen = faces(*((face(people[i % 2]),) for i in range(5)))
    own, other = (score(batch(*each), seen) for each in (people, people[::-1]))
    assert [one.cosine > 0.999 for one in own] == [True] * 5
    assert [abs(one.cosine) < 0.3 for one in other] == [True] * 5


@pytest.mark.parametrize(
    ("cosine", "name"),
    [
        (1.0, "copy"),
        (0.8, "copy"),
        (0.8 - 1e-9, "strong"),
        (0.5, "strong"),
        (0.5 - 1e-9, "moderate"),
        (0.32, "moderate"),
        (0.32 - 1e-9, "weak"),
        (-0.4, "weak"),
    ],
)
def test_words_for_results(cosine: float, name: str) -> None:
    """A copy of the photo is no praise."""
    assert CAUTIOUS.of_result(cosine) == name
    assert Likeness(cosine, None).band == name
    assert ("as close as a copy" in Likeness(cosine, None).text) == (name == "copy")


@pytest.mark.parametrize(
    ("cosine", "words"),
    [
        *((one, "the same person") for one in (0.99, 0.41, 0.39, 0.38, 0.35, 0.32)),
        *((one, "unsure") for one in (0.31, 0.28)),
        *((one, "another person") for one in (0.27, 0.26, 0.07, -0.2)),
    ],
)
def test_words_for_two_photos(cosine: float, words: str) -> None:
    assert CAUTIOUS.of_photos(cosine) == words


def test_bands_belong_to_a_recogniser() -> None:
    """One without figures of its own gets the cautious ones; all name their source."""
    (published,) = BANDS
    assert bands_of(Recogniser(published)) is BANDS[published]
    assert bands_of(RECOGNISER) is bands_of(None) is CAUTIOUS
    for bands in (CAUTIOUS, *BANDS.values()):
        assert bands.another <= bands.same <= bands.typical <= bands.copy
        assert bands.source


def test_other_recognisers_nobody_and_zeros_are_refused() -> None:
    who = vector(1)
    with pytest.raises(IdentityError, match="different face recognisers"):
        score(identity(who), faces((face(who),), recogniser=ANOTHER))
    with pytest.raises(IdentityError, match="identity is nobody"):
        score(IdentityEmbedding(torch.empty(0, 1, 512), RECOGNISER), faces(()))
    with pytest.raises(IdentityError, match="identity of zeros"):
        score(identity(np.zeros(512, np.float32)), faces((face(who),)))


def test_text_has_a_line_for_each_picture_and_the_mean() -> None:
    found = (Likeness(0.9, None), Likeness(None, None), Likeness(0.5, None))
    assert score_text(found).splitlines() == [
        "image 1: 0.90 as close as a copy",
        "image 2: n/a (no face)",
        "image 3: 0.50 strong",
        "mean of 2 of 3 images: 0.70 strong",
    ]
    assert score_text(found[:1]) == "image 1: 0.90 as close as a copy"
    assert score_text(found[1:2] * 2).splitlines()[-1] == "mean of 0 of 2 images: n/a"


# --- comparing ------------------------------------------------------------------------------------


def test_the_matrix_holds_every_cosine() -> None:
    people = {f"identity{i}": vector(i, 10 + i) for i in range(4)}
    comparison = compare({name: identity(one) for name, one in people.items()})
    expected = [[numpy_cosine(a, b) for b in people.values()] for a in people.values()]
    assert comparison.labels == tuple(people)
    np.testing.assert_allclose(comparison.cosines, expected, atol=1e-12)
    assert np.array_equal(comparison.cosines, comparison.cosines.T)


def test_references_of_a_sequence_and_a_batch_are_compared_one_by_one() -> None:
    comparison = compare(
        {
            "a": identity(vector(1), vector(2)),
            "b": batch(vector(1), vector(3)),
            "c": batch(vector(4)),
        }
    )
    assert comparison.labels == ("a.0", "a.1", "b.0", "b.1", "c")
    assert comparison.cosines[0, 2] == pytest.approx(1, abs=1e-7)


def test_the_least_alike_are_named() -> None:
    who = vector(1)
    comparison = compare(
        {"a": identity(who), "b": identity(at_cosine(who, 0.9)), "c": identity(at_cosine(who, 0.6))}
    )
    assert comparison.lowest() == (0, 2)
    text = comparison_text(comparison).splitlines()
    assert text[-1] == "least alike: a and c, 0.60: the same person"
    assert text[1].split() == ["a", "1.00", "0.90", "0.60"]
    assert len({len(line) for line in text[:-1]}) == 1


def test_what_cannot_be_compared_is_refused() -> None:
    who = identity(vector(1))
    for identities, words in (
        ({}, "at least one identity"),
        ({"a": who}, "two references or more, found 1"),
        ({"a": who, "b": identity(vector(2), recogniser=ANOTHER)}, "a and b come from different"),
        ({"a": who, "b": IdentityEmbedding(torch.empty(0, 1, 512), RECOGNISER)}, "b is nobody"),
    ):
        with pytest.raises(IdentityError, match=words):
            compare(identities)


# --- pictures -------------------------------------------------------------------------------------


def gradient() -> np.ndarray:
    frame = np.zeros((PICTURE.height, PICTURE.width, 3), np.uint8)
    frame[..., 0] = np.arange(PICTURE.width)
    frame[..., 1] = np.arange(PICTURE.height)[:, None]
    return frame


def test_a_crop_shows_the_face_in_its_middle() -> None:
    crop = face_crop(gradient(), Box(80, 30, 120, 70))
    assert crop.shape == (CROP, CROP, 3)
    assert crop[CROP // 2, CROP // 2, :2].tolist() == pytest.approx([100, 50], abs=2)


@pytest.mark.parametrize(
    "box", [Box(-20, -20, 30, 30), Box(180, 80, 240, 130), Box(-50, -50, 300, 200)]
)
def test_a_face_at_the_border_is_cropped_with_a_plain_rest(box: Box) -> None:
    crop = face_crop(gradient(), box)
    assert crop.shape == (CROP, CROP, 3)
    assert (crop[..., 2] > 60).any(), "what lies outside"
    assert (crop[..., 2] < 10).any(), "the picture"


@pytest.mark.parametrize(
    "box",
    [Box(50, 50, 50, 50), Box(60, 60, 50, 50), Box(900, 900, 950, 950), Box(0, 0, math.nan, 9)],
    ids=["empty", "negative", "outside", "nan"],
)
def test_crops_of_nothing_are_left_out(box: Box) -> None:
    assert face_crop(gradient(), box) is None
    found = Likeness(0.9, Face(box, 0.9, POINTS, vector(1)))
    assert score_sheet([gradient()], [found]).shape[0] == 1


def test_without_a_box_the_whole_picture_is_shown() -> None:
    crop = face_crop(gradient(), None)
    assert crop[CROP // 2, CROP // 2, :2].tolist() == pytest.approx([100, 50], abs=3)


def levels(sheet: torch.Tensor) -> np.ndarray:
    assert sheet.dtype == torch.float32
    assert sheet.shape[0] == 1
    return (sheet[0] * 255).round().byte().numpy()


def has(picture: np.ndarray, colour: tuple[int, ...]) -> int:
    return int((picture == np.array(colour, np.uint8)).all(-1).sum())


@pytest.mark.parametrize(
    ("cosine", "name"), [(0.9, "copy"), (0.6, "strong"), (0.4, "moderate"), (0.2, "weak")]
)
def test_bars_are_as_long_as_the_score_and_coloured_by_band(cosine: float, name: str) -> None:
    found = Likeness(cosine, face(vector(1)))
    picture = levels(score_sheet([gradient()], [found]))
    row = picture[8 + CROP // 2 - 11]
    length = has(row, BAND_COLOURS[name])
    marks = sum(limit < cosine for limit in (CAUTIOUS.same, CAUTIOUS.typical, CAUTIOUS.copy))
    assert length == pytest.approx(240 * cosine - marks, abs=1)
    others = set(BAND_COLOURS.values()) - {BAND_COLOURS[name]}
    assert not any(has(row, colour) for colour in others)


def test_pictures_without_a_score_have_an_empty_bar() -> None:
    for found in (Likeness(None, None), Likeness(None, face(vector(1), 0.6)), Likeness(-0.3, None)):
        picture = levels(score_sheet([gradient()], [found]))
        assert not any(has(picture, colour) for colour in BAND_COLOURS.values())


def test_many_pictures_flow_into_columns() -> None:
    found = [Likeness(0.9, face(vector(1)))] * 13
    narrow = levels(score_sheet([gradient()] * 12, found[:12]))
    wide = levels(score_sheet([gradient()] * 13, found))
    assert wide.shape[0] == narrow.shape[0]
    assert wide.shape[1] == 2 * narrow.shape[1]


def test_the_reference_stands_above() -> None:
    found = [Likeness(0.9, face(vector(1)))]
    marker = np.full((CROP, CROP, 3), (1, 2, 3), np.uint8)
    without, with_one = (
        levels(score_sheet([gradient()], found, reference)) for reference in (None, marker)
    )
    assert has(with_one, (1, 2, 3)) == CROP * CROP
    assert with_one.shape[0] == without.shape[0] + CROP + 8


@pytest.mark.parametrize("count", [2, 20, 256])
def test_matrix_pictures_stay_of_a_size_to_look_at(count: int) -> None:
    comparison = compare({"a": batch(*(vector(seed) for seed in range(count)))})
    picture = levels(matrix_sheet(comparison))
    assert max(picture.shape) < 2000
    strong = tuple(round(level * 0.75) for level in BAND_COLOURS["strong"])
    assert has(picture, strong) >= count, "the diagonal"
