"""Crops: the square, what it holds, and the exact way back."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import torch
from support.recognisers import RECOGNISER

from instantid_core.errors import ImageError, NoFaceError, SettingError
from instantid_core.images import batch_of
from instantid_core.keypoints import crops
from instantid_core.keypoints.crops import CutFaces, FaceCrops, FaceSquare, Pasting
from instantid_core.keypoints.geometry import box_of_points
from instantid_core.types import Box, Detection, Extent, Face, Faces, FrameFaces
from tools.small_world import painter

LEVEL = 1 / 255
HARD = Pasting(feather=0)
PLACES = [(150.0, 120.0), (300.0, 200.0)]


def detection(points: np.ndarray) -> Detection:
    return Detection(box_of_points(points), 0.9, points.astype(np.float32))


def photo(*faces: tuple[float, float, float], width: int = 448, height: int = 320) -> torch.Tensor:
    picture, _ = painter.portrait(width, height)
    for number, (x, y, size) in enumerate(faces):
        painter.paint_face(picture, (x, y), size, identity=number + 2)
    return batch_of([picture])


def noise(width: int = 448, height: int = 320, count: int = 1) -> torch.Tensor:
    return torch.rand(count, height, width, 3, generator=torch.Generator().manual_seed(5))


def faces_at(*places: tuple[float, float], size: float = 80, of: torch.Tensor) -> Faces:
    found = tuple(detection(painter.keypoints_for(place, size)) for place in places)
    return Faces((FrameFaces(Extent(of.shape[2], of.shape[1]), found),), "")


def cut_one(picture: torch.Tensor, size: int, face_size: float = 80) -> CutFaces:
    return crops.cut(picture, faces_at(PLACES[0], size=face_size, of=picture), size, 1.6)


# --- the square -----------------------------------------------------------------------------------


@pytest.mark.parametrize("context", [1.0, 1.6, 3.0])
def test_the_square_lies_around_the_box(context: float) -> None:
    picture = noise()
    faces = faces_at(PLACES[1], size=60, of=picture)
    (square,) = crops.cut(picture, faces, 512, context).crops.squares
    box = faces.all[0].box
    assert square.side == round(context * max(box.width, box.height))
    assert abs(square.x + square.side / 2 - box.centre[0]) <= 0.5
    assert abs(square.y + square.side / 2 - box.centre[1]) <= 0.5


def test_a_square_a_little_smaller_than_the_crop_is_not_resampled() -> None:
    picture = noise()
    side = cut_one(picture, 512).crops.squares[0].side
    size = int(side * crops.STABLE_RATIO) - 1
    cut = cut_one(picture, size)
    (square,) = cut.crops.squares
    assert square.side == size
    rows = torch.arange(square.y, square.y + size).clamp(0, 319)
    columns = torch.arange(square.x, square.x + size).clamp(0, 447)
    assert torch.equal(cut.images[0], picture[0][rows][:, columns])


def test_crop_shows_the_face_large_and_in_the_middle() -> None:
    picture = photo((*PLACES[0], 80))
    cut = cut_one(picture, 512)
    (frame,), (square,) = cut.faces.frames, cut.crops.squares
    assert cut.images.shape == (1, 512, 512, 3)
    assert frame.extent == Extent(512, 512)
    assert np.allclose(frame.faces[0].box.centre, (256, 256), atol=0.5 * 512 / square.side)
    for (x, y), colour in zip(frame.faces[0].keypoints, painter.KEY_COLOURS, strict=True):
        assert abs(cut.images[0, int(y), int(x)] * 255 - torch.from_numpy(colour)).max() < 1


def test_the_edge_goes_on_outside_the_picture() -> None:
    picture = noise()
    cut = crops.cut(picture, faces_at((5, 8), of=picture), 512, 1.6)
    (square,) = cut.crops.squares
    assert square.x < 0
    assert square.y < 0
    outside = int(-square.x * 512 / square.side) - 8
    assert torch.allclose(cut.images[0, :, :outside], cut.images[0, :, :1], atol=1e-5)


def test_several_faces_and_pictures_each_give_a_crop() -> None:
    pictures = noise(count=3)
    one, two = faces_at(PLACES[0], of=pictures), faces_at(*PLACES, of=pictures)
    empty = FrameFaces(Extent(448, 320), ())
    faces = Faces((two.frames[0], empty, one.frames[0]), "")
    cut = crops.cut(pictures, faces, 256, 1.6)
    assert [square.frame for square in cut.crops.squares] == [0, 0, 2]
    assert len(cut.images) == len(cut.faces.frames) == 3
    assert torch.equal(cut.images[:1], crops.cut(pictures[:1], one, 256, 1.6).images)


def test_embeddings_stay_with_their_faces() -> None:
    picture = noise()
    found = faces_at(PLACES[0], of=picture)
    who = Face(**vars(found.all[0]), embedding=np.arange(512, dtype=np.float32))
    known = Faces((replace(found.frames[0], faces=(who,)),), RECOGNISER)
    cut = crops.cut(picture, known, 256, 1.6)
    assert cut.faces.recogniser == RECOGNISER
    assert np.array_equal(cut.faces.known[0].embedding, who.embedding)


# --- there and back -------------------------------------------------------------------------------


def difference(a: torch.Tensor, b: torch.Tensor) -> float:
    """Mean error in 8-bit levels."""
    return float((a - b).abs().mean()) / LEVEL


def inside(picture: torch.Tensor, square: FaceSquare) -> torch.Tensor:
    return picture[
        :,
        max(0, square.y) : max(0, square.y + square.side),
        max(0, square.x) : max(0, square.x + square.side),
    ]


@pytest.mark.parametrize("size", [256, 512, 1016])
@pytest.mark.parametrize("content", ["photo", "noise"])
@pytest.mark.parametrize("place", [*PLACES, (3.0, 5.0), (446.0, 318.0)], ids=str)
def test_an_unchanged_crop_changes_nothing(
    size: int, content: str, place: tuple[float, float]
) -> None:
    """Also for noise, which a second resize would blur by some 24 levels."""
    picture = photo((*place, 80)) if content == "photo" else noise()
    cut = crops.cut(picture, faces_at(place, of=picture), size, 1.6)
    (square,) = cut.crops.squares
    assert square.side < size
    back = crops.paste(picture, cut.images, cut.crops, HARD)
    assert difference(inside(back, square), inside(picture, square)) < 0.3
    outside = torch.ones(320, 448, dtype=torch.bool)
    inside(outside[None], square).fill_(False)
    assert torch.equal(back[0][outside], picture[0][outside])


def test_what_stays_within_range_comes_back_exactly() -> None:
    picture = 0.3 + 0.4 * noise()
    cut = cut_one(picture, 512)
    assert torch.allclose(crops.paste(picture, cut.images, cut.crops, HARD), picture, atol=1e-5)


def test_a_crop_smaller_than_the_square_loses_little_of_a_photo() -> None:
    picture = photo((*PLACES[0], 110))
    cut = cut_one(picture, 128, face_size=110)
    assert cut.crops.squares[0].side > 200
    back = crops.paste(picture, cut.images, cut.crops, HARD)
    assert difference(inside(back, cut.crops.squares[0]), inside(picture, cut.crops.squares[0])) < 4


# --- where it is pasted ---------------------------------------------------------------------------


def test_only_what_the_mask_shows_is_pasted() -> None:
    picture, mask = noise(), torch.zeros(1, 512, 512)
    mask[:, 128:384, 128:384] = 1
    cut = cut_one(picture, 512)
    (square,) = cut.crops.squares
    back = crops.paste(picture, torch.zeros(1, 512, 512, 3), cut.crops, HARD, mask)
    changed = (back != picture).any(dim=-1)[0]
    rows, columns = (torch.where(changed.any(dim=d))[0] for d in (1, 0))
    quarter = square.side / 4
    for found, corner in ((rows, square.y), (columns, square.x)):
        assert abs(found[0] - (corner + quarter)) <= 1
        assert abs(found[-1] + 1 - (corner + 3 * quarter)) <= 1
    assert not back[0, square.y + square.side // 2, square.x + square.side // 2].any()


def test_an_empty_mask_pastes_nothing() -> None:
    picture = noise()
    cut = cut_one(picture, 256)
    mask = torch.zeros(256, 256)
    assert torch.equal(crops.paste(picture, 1 - cut.images, cut.crops, HARD, mask), picture)


def test_feather_fades_towards_the_border_of_the_square() -> None:
    picture = torch.zeros(1, 320, 448, 3)
    cut = cut_one(picture, 512)
    (square,) = cut.crops.squares
    white = torch.ones(1, 512, 512, 3)
    back = crops.paste(picture, white, cut.crops, Pasting(feather=0.25))
    row = inside(back, square)[0, square.side // 2, :, 0]
    ramp = ((torch.arange(square.side) + 0.5) / (0.25 * square.side)).clamp(0, 1)
    assert torch.allclose(row, torch.minimum(ramp, ramp.flip(0)), atol=1e-5)
    assert row[square.side // 2] == pytest.approx(1)


def test_a_crop_of_another_size_lands_in_the_same_place() -> None:
    picture = photo((*PLACES[0], 80))
    cut = cut_one(picture, 512)
    larger = crops._resample(cut.images[0], 768)[None]
    back = crops.paste(picture, larger, cut.crops, HARD)
    assert difference(back, picture) < 0.2


def test_variants_of_each_crop_give_as_many_pictures() -> None:
    pictures = noise(count=2)
    frames = faces_at(PLACES[0], of=pictures).frames + faces_at(PLACES[1], of=pictures).frames
    cut = crops.cut(pictures, Faces(frames, ""), 256, 1.6)
    shades = torch.arange(4).float()[:, None, None, None].expand(4, 256, 256, 3) / 4
    back = crops.paste(pictures, shades, cut.crops, HARD)
    assert back.shape == (4, 320, 448, 3)
    for number, picture in enumerate(back):
        x, y = PLACES[number % 2]
        assert torch.allclose(picture[int(y), int(x)], torch.tensor(number / 4), atol=1e-6)


def test_colours_are_matched_inside_what_is_pasted() -> None:
    picture = 0.3 + 0.3 * noise()
    cut = cut_one(picture, 256)
    mask = torch.zeros(1, 256, 256)
    mask[:, 64:192, 64:192] = 1
    tinted = (cut.images * torch.tensor([0.5, 0.9, 0.7]) + torch.tensor([0.4, 0.0, 0.1])).clamp(
        0, 1
    )
    back = crops.paste(picture, tinted, cut.crops, Pasting(0, "mean_std"), mask)
    assert difference(back, picture) < 0.05
    without = crops.paste(picture, tinted, cut.crops, HARD, mask)
    assert difference(without, picture) > 0.5


def test_matching_a_plain_crop_is_no_division_by_zero() -> None:
    picture = noise()
    cut = cut_one(picture, 256)
    plain = torch.full((1, 256, 256, 3), 0.9)
    for mask in (None, torch.zeros(1, 256, 256)):
        back = crops.paste(picture, plain, cut.crops, Pasting(0.1, "mean_std"), mask)
        assert torch.isfinite(back).all()


@pytest.mark.parametrize("channels", [1, 4])
def test_grey_pictures_and_alpha(channels: int) -> None:
    picture = torch.rand(1, 320, 448, channels, generator=torch.Generator().manual_seed(2))
    cut = cut_one(picture, 256)
    back = crops.paste(picture, cut.images, cut.crops, Pasting())
    assert torch.allclose(back, picture.expand(-1, -1, -1, max(3, channels)), atol=0.05)
    assert back.shape[-1] == max(3, channels)


def test_what_comes_in_is_left_alone() -> None:
    picture = noise()
    before = picture.clone()
    cut = cut_one(picture, 256)
    kept = cut.images.clone()
    crops.paste(picture, cut.images, cut.crops, Pasting(0.1, "mean_std"))
    assert torch.equal(picture, before)
    assert torch.equal(cut.images, kept)


# --- bad input ------------------------------------------------------------------------------------


def test_faces_and_pictures_that_do_not_belong_together() -> None:
    picture = noise()
    faces = faces_at(PLACES[0], of=picture)
    with pytest.raises(ImageError, match="448 x 320 pixels, this one 320 x 448"):
        crops.cut(noise(320, 448), faces, 256, 1.6)
    with pytest.raises(ImageError, match="those of 1 pictures, the image is a batch of 2"):
        crops.cut(noise(count=2), faces, 256, 1.6)
    with pytest.raises(NoFaceError, match="no face to cut out"):
        crops.cut(picture, Faces((FrameFaces(Extent(448, 320), ()),), ""), 256, 1.6)


@pytest.mark.parametrize(
    ("size", "context", "found"),
    [
        (0, 1.6, "A crop of 0 x 0 pixels"),
        (256, 0.0, "context must be greater than 0"),
        (256, float("nan"), "context must be a finite number"),
    ],
)
def test_crops_without_size_are_refused(size: int, context: float, found: str) -> None:
    picture = noise()
    with pytest.raises(SettingError, match=found):
        crops.cut(picture, faces_at(PLACES[0], of=picture), size, context)


def test_faces_without_size_or_out_of_sight_are_refused() -> None:
    picture = noise()
    frame = FrameFaces(Extent(448, 320), (Detection(Box(5, 5, 5, 5), 0.9, np.full((5, 2), 5.0)),))
    with pytest.raises(ImageError, match="picture 1 is smaller than a pixel"):
        crops.cut(picture, Faces((frame,), ""), 256, 1.6)
    with pytest.raises(ImageError, match=r"outside picture 1 \(448 x 320 pixels\)"):
        crops.cut(picture, faces_at((900, 100), of=picture), 256, 1.6)


@pytest.fixture
def two() -> FaceCrops:
    squares = FaceSquare(0, 10, 20, 100), FaceSquare(0, 200, 20, 80)
    return FaceCrops(Extent(448, 320), 1, squares)


@pytest.mark.parametrize(
    ("picture", "shape", "mask", "found"),
    [
        (noise(320, 448), (2, 64, 64, 3), None, "1 pictures of 448 x 320 pixels, found 1 of 320"),
        (noise(count=2), (2, 64, 64, 3), None, "found 2 of 448 x 320"),
        (noise(), (2, 64, 60, 3), None, "A crop is square, found one of 60 x 64"),
        (noise(), (3, 64, 64, 3), None, "2 faces were cut out, but 3 crops come back"),
        (noise(), (2, 0, 0, 3), None, "at least one pixel"),
        (noise(), (2, 64, 64), None, "Expected images as"),
        (noise(), (4, 64, 64, 3), (3, 64, 64), "The mask is a batch of 3 for 4 crops"),
        (noise(), (2, 64, 64, 3), (2, 0, 64), "Expected a mask"),
    ],
)
def test_pastes_that_do_not_fit_are_refused(
    two: FaceCrops, picture: torch.Tensor, shape: tuple, mask: tuple | None, found: str
) -> None:
    with pytest.raises(ImageError, match=found):
        crops.paste(
            picture, torch.zeros(shape), two, HARD, None if mask is None else torch.zeros(mask)
        )


@pytest.mark.parametrize(
    ("how", "found"),
    [
        (Pasting(feather=0.6), "feather is a fraction from 0 to 0.5"),
        (Pasting(feather=float("nan")), "feather must be a finite number"),
        (Pasting(match_colour="hsv"), "found 'hsv'"),
    ],
)
def test_settings_without_meaning_are_refused(two: FaceCrops, how: Pasting, found: str) -> None:
    with pytest.raises(SettingError, match=found):
        crops.paste(noise(), torch.zeros(2, 64, 64, 3), two, how)


def test_broken_pixels_are_not_pasted(two: FaceCrops) -> None:
    with pytest.raises(ImageError, match="NaN or infinite pixels"):
        crops.paste(noise(), torch.full((2, 64, 64, 3), float("nan")), two, HARD)


# --- neighbours -----------------------------------------------------------------------------------


def pasted_shades(
    picture: torch.Tensor, faces: Faces, how: Pasting, mask: torch.Tensor | None = None
) -> tuple[torch.Tensor, list[float]]:
    """The picture with a plain shade of its own for each face."""
    cut = crops.cut(picture, faces, 64, 1.6)
    shades = torch.linspace(0.1, 0.9, len(cut.images))
    plain = shades[:, None, None, None].expand(-1, 64, 64, 3)
    return crops.paste(picture, plain, cut.crops, how, mask)[0], shades.tolist()


@pytest.mark.parametrize("order", [1, -1])
@pytest.mark.parametrize("apart", [45, 60, 90])
def test_faces_side_by_side_keep_their_points(apart: int, order: int) -> None:
    """Squares 115 pixels large overlap; whichever is pasted last takes nothing of the other."""
    picture = noise()
    places = [(150.0, 160.0), (150.0 + apart, 160.0)][::order]
    faces = faces_at(*places, of=picture)
    pasted, shades = pasted_shades(picture, faces, HARD)
    for face, shade in zip(faces.all, shades, strict=True):
        for x, y in face.keypoints.round().astype(int):
            assert pasted[y, x, 0] == pytest.approx(shade)


def test_a_small_face_in_a_large_ones_square_keeps_its_own() -> None:
    picture = noise()
    large = faces_at((150, 160), size=120, of=picture)
    small = faces_at((225, 200), size=40, of=picture)
    both = (*small.all, *large.all)
    faces = Faces((replace(large.frames[0], faces=both),), None)
    pasted, shades = pasted_shades(picture, faces, HARD)
    for face, shade in zip(faces.all, shades, strict=True):
        for x, y in face.keypoints.round().astype(int):
            assert pasted[y, x, 0] == pytest.approx(shade)


def test_no_seam_where_two_squares_meet() -> None:
    """With a soft edge, both fade out towards the line between them."""
    picture = torch.full((1, 320, 448, 3), 0.5)
    faces = faces_at((150, 160), (210, 160), of=picture)
    pasted, _ = pasted_shades(picture, faces, Pasting(feather=0.25))
    steps = (pasted[160, 1:, 0] - pasted[160, :-1, 0]).abs()
    assert steps.max() < 0.05
    hard, _ = pasted_shades(picture, faces, HARD)
    assert (hard[160, 1:, 0] - hard[160, :-1, 0]).abs().max() > 0.5


def test_a_mask_decides_alone() -> None:
    picture = noise()
    faces = faces_at((150, 160), (180, 160), of=picture)
    pasted, shades = pasted_shades(picture, faces, HARD, torch.ones(1, 8, 8))
    assert pasted[160, 150, 0] == pytest.approx(shades[1]), "the last one pasted"
