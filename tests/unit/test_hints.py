"""IdentityNet's hint: drawn from faces in the family's style, or a picture that is given."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from instantid_core.adapter.hints import DrawnHint, GivenHint, hints_for_rows
from instantid_core.adapter.rows import Area, BatchRows, Latent, Row
from instantid_core.adapter.run import Run
from instantid_core.keypoints import drawing, landmarks
from instantid_core.types import (
    FAMILIES,
    SD15,
    SDXL,
    Box,
    Detection,
    Extent,
    Faces,
    Family,
    FrameFaces,
    Polarity,
    family_of,
)

POINTS = np.array([[30, 40], [60, 40], [45, 55], [35, 70], [55, 70]], np.float32)
SIZE, PHOTO = Extent(128, 96), Extent(100, 120)


def faces(frames: int = 1, with_landmarks: bool = True) -> Faces:
    more = np.linspace(20, 80, 212, dtype=np.float32).reshape(106, 2) if with_landmarks else None
    made = [
        Detection(Box(20, 25, 70, 85), 0.9, POINTS + 5 * number, landmarks=more)
        for number in range(frames)
    ]
    return Faces(tuple(FrameFaces(PHOTO, (one,)) for one in made), None)


@pytest.mark.parametrize("family", [SDXL, None])
def test_sdxl_and_unknown_families_draw_keypoints(family: Family | None) -> None:
    drawn = DrawnHint(faces(2), "crop", family).at(SIZE)
    assert torch.equal(drawn, drawing.draw(faces(2), SIZE, "crop").movedim(-1, 1))


def test_sd15_draws_landmarks() -> None:
    drawn = DrawnHint(faces(), "letterbox", SD15).at(SIZE)
    assert torch.equal(drawn, landmarks.draw(faces(), SIZE, "letterbox").movedim(-1, 1))
    assert not torch.equal(drawn, DrawnHint(faces(), "letterbox", SDXL).at(SIZE))


def test_the_preview_is_the_first_frame_at_the_usual_size() -> None:
    hint = DrawnHint(faces(2), "letterbox", SDXL)
    preview = hint.preview()
    extent = drawing.usual_extent(PHOTO)
    assert tuple(preview.shape) == (1, 3, extent.height, extent.width)
    assert torch.equal(preview[0], hint.at(extent)[0])


def test_faces_without_landmarks_are_named_for_sd15_alone() -> None:
    bare = faces(with_landmarks=False)
    (sentence,) = DrawnHint(bare, "letterbox", SD15).advice()
    assert "106 landmarks" in sentence
    assert DrawnHint(bare, "letterbox", SDXL).advice() == ()
    assert DrawnHint(faces(), "letterbox", SD15).advice() == ()


def test_a_drawing_warns_of_the_size_with_watermarks() -> None:
    hint = DrawnHint(faces(), "letterbox", SDXL)
    assert "watermarks" in " ".join(hint.advice_at(Extent(1024, 1024)))
    assert hint.advice_at(SIZE) == ()


def test_a_given_picture_is_used_as_it_is() -> None:
    picture = torch.rand(2, 8, 12, 3)
    hint = GivenHint(picture)
    assert torch.equal(hint.preview(), picture.movedim(-1, 1))
    assert hint.at(SIZE) is None
    assert not hint.is_empty
    assert (*hint.advice(), *hint.advice_at(Extent(1024, 1024))) == ()


def test_a_pose_without_faces_is_empty() -> None:
    nobody = Faces((FrameFaces(PHOTO, ()),), None)
    assert DrawnHint(nobody, "letterbox", SDXL).is_empty
    assert not DrawnHint(faces(), "letterbox", SDXL).is_empty


def test_a_family_is_known_by_its_context() -> None:
    assert [family_of(each.context_width) for each in FAMILIES] == list(FAMILIES)
    assert family_of(64) is None


# --- rows -----------------------------------------------------------------------------------------

LATENT = Latent(2, 16, 24)


class Pictures:
    """Two pictures of any size, and the sizes that were asked for."""

    def __init__(self) -> None:
        self.sizes: list[Extent] = []

    def __call__(self, extent: Extent) -> torch.Tensor:
        self.sizes.append(extent)
        seed = torch.Generator().manual_seed(extent.width)
        return torch.rand(2, 3, extent.height, extent.width, generator=seed)


def call(*places: tuple[int, Area | None]) -> BatchRows:
    return BatchRows(tuple(Row(Polarity.POSITIVE, *each, LATENT) for each in places), Run())


def test_rows_of_one_picture_share_it() -> None:
    pictures = Pictures()
    made = hints_for_rows(call((0, None), (0, None)), (16, 24), 8, pictures)
    assert torch.equal(made, pictures(Extent(192, 128))[:1])


def test_each_row_has_the_picture_of_its_frame() -> None:
    pictures = Pictures()
    made = hints_for_rows(call((1, None), (0, None), (3, None)), (16, 24), 8, pictures)
    assert pictures.sizes == [Extent(192, 128)], "asked once"
    assert torch.equal(made, pictures(Extent(192, 128))[[1, 0, 1]])


def test_an_area_gets_its_part_of_the_whole_picture() -> None:
    pictures = Pictures()
    made = hints_for_rows(call((0, Area(4, 8, 6, 10))), (6, 10), 8, pictures)
    assert torch.equal(made, pictures(Extent(192, 128))[:1, :, 32:80, 64:144])
