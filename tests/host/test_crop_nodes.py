"""Crop, and paste back, with the real analyzer and the real sampler in between."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch

from tools.small_world import painter
from tools.small_world.scenes import photo

GROUP = [((150.0, 200.0), 110.0), ((460.0, 260.0), 90.0)]


@pytest.fixture(scope="module")
def group() -> torch.Tensor:
    picture = painter.canvas(640, 480)
    for number, (centre, size) in enumerate(GROUP, start=1):
        painter.paint_face(picture, centre, size, identity=number)
    return torch.from_numpy(picture.astype(np.float32) / 255).unsqueeze(0)


@pytest.fixture(scope="module")
def crop(pack: Any) -> Any:
    def run(faces: Any, image: torch.Tensor, size: int = 384, **settings: Any) -> Any:
        node = pack.module("nodes.crops").CropFace
        return node.execute(faces=faces, image=image, size=size, context=1.6, **settings).result

    return run


@pytest.fixture(scope="module")
def paste(pack: Any) -> Any:
    def run(image: Any, crop_image: Any, crop: Any, **settings: Any) -> torch.Tensor:
        settings = {"feather": 0.0, "match_colour": "none"} | settings
        node = pack.module("nodes.crops").PasteFace
        return node.execute(image=image, crop_image=crop_image, crop=crop, **settings).result[0]

    return run


@pytest.mark.parametrize("index", [0, 1])
def test_an_unchanged_crop_changes_nothing(
    faces_of: Any, crop: Any, paste: Any, group: torch.Tensor, index: int
) -> None:
    faces = faces_of(group, select="index", index=index)
    image, mask, squares, _ = crop(faces, group)
    whole = paste(group, image, squares)
    within = paste(group, image, squares, mask=mask, feather=0.1, match_colour="mean_std")
    assert (whole - group).abs().mean() * 255 < 0.1
    assert (within - group).abs().mean() * 255 < 0.1
    square = squares.squares[0]
    outside = torch.ones(480, 640, dtype=torch.bool)
    outside[square.y : square.y + square.side, square.x : square.x + square.side] = False
    assert torch.equal(whole[0][outside], group[0][outside])


def test_the_analyzer_finds_the_face_again_where_the_crop_says(
    faces_of: Any, crop: Any, group: torch.Tensor
) -> None:
    faces = faces_of(group, select="left_to_right")
    images, masks, _, in_crops = crop(faces, group, 512)
    again = faces_of(images)
    assert len(again.frames) == len(in_crops.frames) == 2
    for number, (before, after) in enumerate(zip(in_crops.all, again.all, strict=True)):
        assert abs(before.keypoints - after.keypoints).max() < 0.02 * 512
        likeness = np.dot(before.embedding, after.embedding)
        likeness /= np.linalg.norm(before.embedding) * np.linalg.norm(after.embedding)
        assert likeness > 0.9
        x, y = after.keypoints.mean(axis=0).astype(int)
        assert masks[number, y, x] == 1
        assert masks[number, 0, 0] == 0


def test_another_face_pasted_in_is_found_in_the_picture(
    faces_of: Any, crop: Any, paste: Any, group: torch.Tensor
) -> None:
    faces = faces_of(group, select="index", index=1)
    _, _, squares, in_crop = crop(faces, group)
    (face,) = in_crop.all
    other = photo(
        7, 384, 384, center=tuple(face.keypoints.mean(axis=0)), size=face.box.height / 1.5
    )
    swapped = faces_of(paste(group, other, squares, feather=0.05), select="left_to_right")
    wanted = faces_of(other).all[0].embedding
    scores = [
        float(np.dot(f.embedding, wanted) / np.linalg.norm(f.embedding) / np.linalg.norm(wanted))
        for f in swapped.all
    ]
    assert len(scores) == 2
    assert scores[1] > 0.9 > 0.5 > scores[0]
    assert abs(swapped.all[1].keypoints - faces.all[0].keypoints).max() < 3


def test_a_face_at_the_border(faces_of: Any, crop: Any, paste: Any) -> None:
    picture = photo(1, 320, 320, center=(60, 160), size=130)
    image, mask, squares, _ = crop(faces_of(picture), picture)
    assert squares.squares[0].x < 0
    assert image.shape == (1, 384, 384, 3)
    assert mask.shape == (1, 384, 384)
    back = paste(picture, image, squares)
    assert back.shape == picture.shape
    assert (back - picture).abs().mean() * 255 < 0.1


def test_pictures_that_were_skipped_come_back_untouched(
    faces_of: Any, crop: Any, paste: Any, group: torch.Tensor
) -> None:
    batch = torch.cat([torch.full_like(group, 0.3), group])
    faces = faces_of(batch, select="index", index=0, on_no_face="skip")
    image, _, squares, _ = crop(faces, batch)
    assert len(image) == 1
    pasted = paste(batch, torch.zeros_like(image), squares)
    assert torch.equal(pasted[0], batch[0])
    assert not torch.equal(pasted[1], batch[1])


def test_sentences(pack: Any, faces_of: Any, crop: Any, paste: Any, group: torch.Tensor) -> None:
    errors = pack.module("instantid_core.errors")
    faces = faces_of(group)
    with pytest.raises(errors.ImageError, match="belong to another picture"):
        crop(faces, photo(1))
    with pytest.raises(errors.ImageError, match="is a batch of 2"):
        crop(faces, group.repeat(2, 1, 1, 1))
    with pytest.raises(errors.SettingError, match="size must be a whole number from 64"):
        crop(faces, group, 0)
    with pytest.raises(errors.NoFaceError, match="no face to cut out"):
        crop(faces_of(torch.zeros(1, 64, 64, 3), on_no_face="skip"), torch.zeros(1, 64, 64, 3))
    image, _, squares, _ = crop(faces, group)
    with pytest.raises(errors.ImageError, match="found 1 of 512 x 512"):
        paste(photo(1), image, squares)
    with pytest.raises(errors.ImageError, match="at least one pixel"):
        paste(group, image[:, :0, :0], squares)
