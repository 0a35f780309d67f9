"""Which pictures of a batch are kept, and what is said of the others."""

from __future__ import annotations

import math

import pytest

from instantid_core.errors import SettingError
from instantid_core.identity import best, require_as_many

SCORES = (0.41, math.nan, 0.67, 0.12, 0.67)


@pytest.mark.parametrize(
    ("keep", "at_least", "order"),
    [
        (1, 0.0, (2,)),
        (2, 0.0, (2, 4)),
        (9, 0.0, (2, 4, 0, 3)),
        (9, 0.4, (2, 4, 0)),
        (1, -1.0, (2,)),
    ],
)
def test_the_highest_come_first_and_equals_stay_in_order(
    keep: int, at_least: float, order: tuple[int, ...]
) -> None:
    assert best(SCORES, keep, at_least).order == order


def test_every_image_is_reported() -> None:
    assert best(SCORES, 2, 0.2).text.splitlines() == [
        "image 3: 0.670, kept, number 1",
        "image 5: 0.670, kept, number 2",
        "image 1: 0.410, left out: others are better",
        "image 4: 0.120, left out: below 0.2",
        "image 2: n/a, left out: no clear face",
    ]


def test_nothing_good_enough_is_a_sentence() -> None:
    with pytest.raises(
        SettingError, match=r"at_least = 0\.7; image 3 is the best of 5 with 0\.670"
    ):
        best(SCORES, 1, 0.7)
    with pytest.raises(SettingError, match="found none in 2: no image shows a clear face"):
        best((math.nan, math.nan), 1, 0.0)


def test_scores_of_other_images_are_refused() -> None:
    require_as_many(SCORES, 5)
    with pytest.raises(SettingError, match="found 5 for 4"):
        require_as_many(SCORES, 4)
