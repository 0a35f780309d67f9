"""Albums with strangers and bad photos in them: those that count, and the report."""

from __future__ import annotations

import math

import numpy as np
import pytest
from support.recognisers import RECOGNISER

from instantid_core.errors import IdentityError
from instantid_core.identity import combine
from instantid_core.identity.robust import about_left_out, weigh
from instantid_core.types import Box, Extent, Face, FaceQuality, Faces, FrameFaces

POINTS = np.float32([[38, 52], [73, 52], [56, 72], [41, 92], [71, 92]])
GOOD = FaceQuality(150, 0.3, 0.5, 4)
BLURRED = GOOD._replace(sharpness=0.03)


def unit(generator: np.random.Generator) -> np.ndarray:
    drawn = generator.standard_normal(512)
    return drawn / np.linalg.norm(drawn)


def album(
    seed: int, own: int, strangers: int = 0, alike: float = 0.45, blurred: int = 0
) -> list[Face]:
    """Photos of one person, which have about this cosine to each other, and photos of others: half
    of them of one other person."""
    generator = np.random.default_rng(seed)
    person, intruder = unit(generator), unit(generator)
    made = []
    for number in range(own):
        towards = math.sqrt(alike) * person + math.sqrt(1 - alike) * unit(generator)
        made.append(photo(towards, BLURRED if number < blurred else GOOD))
    towards = math.sqrt(alike) * intruder
    one = [towards + math.sqrt(1 - alike) * unit(generator) for _ in range(strangers // 2)]
    others = [unit(generator) for _ in range(strangers - len(one))]
    return [*made, *map(photo, (*one, *others))]


def photo(direction: np.ndarray, quality: FaceQuality = GOOD) -> Face:
    embedding = (20 * direction).astype(np.float32)
    return Face(Box(0, 0, 112, 112), 0.9, POINTS, embedding, quality=quality)


def faces(photos: list[Face]) -> Faces:
    return Faces(tuple(FrameFaces(Extent(112, 112), (one,)) for one in photos), RECOGNISER)


def cosine(one: Faces, other: Faces, how: tuple[str, str] = ("robust", "average")) -> float:
    a, b = (
        combine(each, way).references.numpy().ravel()
        for each, way in zip((one, other), how, strict=True)
    )
    return float(a @ b / np.linalg.norm(a) / np.linalg.norm(b))


@pytest.mark.parametrize("seed", range(5))
@pytest.mark.parametrize(("own", "strangers"), [(7, 3), (14, 6), (4, 1), (35, 15)])
def test_strangers_change_nothing(seed: int, own: int, strangers: int) -> None:
    """With 30 % strangers the identity stays within 0.02 of the clean folder's."""
    clean, mixed = album(seed, own), album(seed, own, strangers)
    order = np.random.default_rng(seed).permutation(len(mixed))
    together = faces([mixed[place] for place in order])
    assert cosine(together, faces(clean)) > 0.98
    if strangers > 2:
        assert cosine(together, faces(clean), ("average", "average")) < 0.98


def test_those_left_out_are_named_with_the_reason() -> None:
    photos = album(1, own=5, strangers=1, blurred=1)
    (said,) = about_left_out(faces(photos), "robust")
    assert said.startswith("2 of 6 faces count little or nothing in this identity: face 1 of image")
    assert "image 1 (blurred)" in said
    assert "image 6 (another person, " in said
    assert about_left_out(faces(photos), "average") == ()
    assert about_left_out(faces(album(1, own=5)), "robust") == ()


def test_one_photo_is_itself() -> None:
    (one,) = album(3, own=1)
    assert cosine(faces([one]), faces([one])) == pytest.approx(1)


def test_nobody_stays_nobody() -> None:
    assert combine(Faces((FrameFaces(Extent(9, 9), ()),), RECOGNISER), "robust").is_nobody


def test_a_folder_of_nothing_but_strangers_is_refused() -> None:
    with pytest.raises(IdentityError, match=r"No two of these 3 faces are of one person: .*0\.32"):
        combine(
            faces(
                album(2, own=0, strangers=1)
                + album(3, own=0, strangers=1)
                + album(4, own=0, strangers=1)
            ),
            "robust",
        )


def test_a_blurred_photo_counts_little_and_a_small_one_half() -> None:
    photos = album(5, own=4, alike=0.6)
    photos[0] = photo(photos[0].embedding / 20, BLURRED)
    photos[1] = photo(photos[1].embedding / 20, GOOD._replace(span=40))
    weights = weigh(faces(photos)).weights
    assert weights[0] < 0.15 * weights[2]
    assert weights[1] == pytest.approx(0.5 * weights[2], rel=0.05)
    assert weights.sum() == pytest.approx(1)
