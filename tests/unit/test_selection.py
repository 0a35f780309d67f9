"""Which of the faces in a picture are meant."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from instantid_core.errors import NoFaceError, SettingError
from instantid_core.faces.analysis import Analysis, analyse
from instantid_core.faces.selection import SELECT, Selection, read_numbers
from instantid_core.types import Box, Detection, Extent
from tools.small_world import painter

PICTURE = Extent(1000, 600)
# From left to right: middle x, middle y, side.
PLACES = [(100, 300, 120), (400, 500, 200), (560, 310, 80), (900, 100, 150)]
DETECTIONS = tuple(
    Detection(
        Box(x - side / 2, y - side / 2, x + side / 2, y + side / 2),
        0.9 - number / 10,
        np.full((5, 2), number, np.float32),
    )
    for number, (x, y, side) in enumerate(PLACES)
)


def chosen(policy: str, index: int = 0) -> list[int]:
    """Numbers from the left of the faces that the policy picks, in its order."""
    picked = Selection(policy, index).choose(DETECTIONS, PICTURE, "image 1 of 1")
    return [int(face.keypoints[0, 0]) for face in picked]


# --- policies -------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("policy", "expected"),
    [("largest", [1]), ("all", [1, 3, 0, 2]), ("left_to_right", [0, 1, 2, 3]), ("center", [2])],
)
def test_policies(policy: str, expected: list[int]) -> None:
    assert chosen(policy) == expected


@pytest.mark.parametrize(("index", "expected"), [(0, 0), (1, 1), (3, 3), (-1, 3), (-2, 2), (-4, 0)])
def test_index_counts_from_the_left_and_negative_ones_from_the_right(
    index: int, expected: int
) -> None:
    assert chosen("index", index) == [expected]


def test_center_goes_by_the_picture_not_by_the_faces() -> None:
    tall = Extent(200, 600)
    (face,) = Selection("center").choose(DETECTIONS, tall, "image 1 of 1")
    assert face is DETECTIONS[0]


@pytest.mark.parametrize("policy", SELECT)
def test_no_faces_stay_no_faces(policy: str) -> None:
    assert Selection(policy, 3).choose((), PICTURE, "image 1 of 1") == ()


@pytest.mark.parametrize("index", [4, 7, -5])
def test_index_out_of_range_says_what_there_is(index: int) -> None:
    with pytest.raises(NoFaceError) as caught:
        Selection("index", index).choose(DETECTIONS, PICTURE, "image 3 of 5")
    message = str(caught.value)
    assert f"index asks for face number {index} in image 3 of 5, counted from 0" in message
    assert "it has 4 faces, numbers 0 to 3. Change index, or set" in message
    assert "set on_no_face to skip" in message


@pytest.mark.parametrize("index", [4, -5])
def test_index_out_of_range_is_skipped_on_request(index: int) -> None:
    skipping = Selection("index", index, "skip")
    assert skipping.choose(DETECTIONS, PICTURE, "image 1 of 1") == ()


@pytest.mark.parametrize(
    ("numbers", "expected"),
    [((0, 2), [0, 2]), ((3, 1), [3, 1]), ((-1, 3), [3]), ((1, -3), [1]), ((), [2])],
)
def test_several_numbers_take_the_place_of_index(
    numbers: tuple[int, ...], expected: list[int]
) -> None:
    picked = Selection("index", 2, numbers=numbers).choose(DETECTIONS, PICTURE, "image 1 of 1")
    assert [int(face.keypoints[0, 0]) for face in picked] == expected


def test_numbers_count_for_index_alone() -> None:
    (face,) = Selection("largest", numbers=(0, 2)).choose(DETECTIONS, PICTURE, "image 1 of 1")
    assert face is DETECTIONS[1]


def test_a_number_that_is_not_there_is_an_error_or_left_out() -> None:
    with pytest.raises(
        NoFaceError, match=r"numbers asks for face number 5 .*Change numbers, or set"
    ):
        Selection("index", 0, "error", (1, 5)).choose(DETECTIONS, PICTURE, "image 1 of 1")
    skipping = Selection("index", 0, "skip", (1, 5))
    assert skipping.choose(DETECTIONS, PICTURE, "image 1 of 1") == (DETECTIONS[1],)


def test_a_node_that_counts_from_one_says_so() -> None:
    selection = Selection("index", 6, has_inputs=False)
    with pytest.raises(NoFaceError, match=r"face asks for face 7 in .* or 0 for the largest"):
        selection.choose(DETECTIONS, PICTURE, "image 1 of 1")


@pytest.mark.parametrize(
    ("text", "numbers"),
    [("", ()), ("  ", ()), ("2", (2,)), ("0, 2", (0, 2)), ("0 2;-1,", (0, 2, -1)), ("1,1", (1,))],
)
def test_numbers_are_read(text: str, numbers: tuple[int, ...]) -> None:
    assert read_numbers(text) == numbers


@pytest.mark.parametrize("text", ["left", "1.5", "1, two", "None", "--1", "9" * 40, "\u0661"])
def test_other_texts_are_no_numbers(text: str) -> None:
    assert read_numbers(text) is None


def test_unknown_policies_are_refused_with_the_choices() -> None:
    with pytest.raises(SettingError, match="largest, all, left_to_right, center, index") as caught:
        Selection("biggest")
    assert "found 'biggest'" in str(caught.value)


def test_unknown_ways_with_no_face_are_refused() -> None:
    with pytest.raises(SettingError, match="error, skip"):
        Selection("largest", 0, "ignore")  # type: ignore[arg-type]


# --- on painted faces -----------------------------------------------------------------------------

SIZES = [120, 220, 150]
IDENTITIES = [4, 5, 6]


def scene() -> np.ndarray:
    rgb = painter.canvas(960, 400)
    for number, (size, identity) in enumerate(zip(SIZES, IDENTITIES, strict=True)):
        painter.paint_face(rgb, (160 + 320 * number, 200), size, identity=identity)
    return rgb


def analysed(analyzer: Any, selection: Selection, *frames: np.ndarray) -> Analysis:
    return analyse(frames, analyzer, selection, 0.5, lambda: None)


@pytest.fixture(scope="module")
def everyone(analyzer: Any) -> Analysis:
    return analysed(analyzer, Selection("left_to_right"), scene())


@pytest.mark.parametrize(
    ("selection", "expected"),
    [
        (Selection("largest"), [1]),
        (Selection("all"), [1, 2, 0]),
        (Selection("left_to_right"), [0, 1, 2]),
        (Selection("center"), [1]),
        (Selection("index", 0), [0]),
        (Selection("index", -1), [2]),
    ],
    ids=str,
)
def test_chosen_faces_carry_their_own_embedding(
    analyzer: Any, everyone: Analysis, selection: Selection, expected: list[int]
) -> None:
    found = analysed(analyzer, selection, scene())
    picked = found.faces.all
    assert len(picked) == found.faces.count == len(expected)
    for face, number in zip(picked, expected, strict=True):
        same = everyone.faces.all[number]
        assert face.box == same.box
        assert np.array_equal(face.embedding, same.embedding)


def test_all_detections_are_reported_whatever_is_chosen(analyzer: Any) -> None:
    found = analysed(analyzer, Selection("largest"), scene())
    middles = [face.box.centre[0] for face in found.detections[0]]
    assert middles == sorted(middles)
    assert len(middles) == 3


def test_index_out_of_range_names_the_image_in_the_batch(analyzer: Any) -> None:
    alone = painter.canvas(500, 400)
    painter.paint_face(alone, (250, 200), 200)
    says = r"image 2 of 2 \(500 x 400 pixels\), counted from 0 .* it has one face, number 0\."
    with pytest.raises(NoFaceError, match=says):
        analysed(analyzer, Selection("index", 2), scene(), alone)
