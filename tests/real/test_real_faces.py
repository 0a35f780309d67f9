"""Judgements on photographs: turned and small faces, words for likeness, group photos."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch
from support.real_faces import Photos, cosine, panorama, turned

from instantid_core.errors import IdentityError
from instantid_core.faces import Selection, about_identity
from instantid_core.faces.analysis import analyse
from instantid_core.faces.detection import SMALL
from instantid_core.identity import combine, likeness
from instantid_core.identity.bands import ANOTHER, SAME
from instantid_core.images import batch_of
from instantid_core.keypoints import Pasting, cut, paste, with_proportions
from instantid_core.keypoints.geometry import oval_of_points
from instantid_core.types import Faces, FrameFaces

LARGEST = Selection()
EVERYONE = Selection("left_to_right")


class Counted:
    """The real models, counting what the detector looks at."""

    def __init__(self, models: Any) -> None:
        self.models, self.recogniser = models, models.recogniser
        self.embed, self.landmarks = models.embed, models.landmarks
        self.sizes: list[int] = []

    def detect(self, bgr: np.ndarray, size: int) -> tuple[np.ndarray, np.ndarray]:
        self.sizes.append(size)
        return self.models.detect(bgr, size)


def face_of(models: Any, rgb: np.ndarray) -> Any:
    (face,) = analyse([rgb], models, LARGEST, 0.5).faces.all
    return face


@pytest.mark.filterwarnings("ignore::FutureWarning")  # insightface's, about scikit-image
def test_upright_photos_equal_insightface_at_one_look(
    analyzer: Any, reference: Any, photos: Photos
) -> None:
    compared = 0
    for name in photos.names:
        counted, rgb = Counted(analyzer), photos[name]
        found = analyse([rgb], counted, EVERYONE, 0.5)
        large = [
            face
            for face in found.faces.all
            if max(face.box.width, face.box.height) * 640 / max(*rgb.shape[:2], 640) >= SMALL
        ]
        if not large:
            continue
        theirs = reference.get(np.ascontiguousarray(rgb[..., ::-1]))
        for face in large:
            box = np.array(face.box, np.float32)
            (same,) = [each for each in theirs if np.array_equal(each.bbox, box)]
            assert np.array_equal(face.keypoints, same.kps)
            assert np.array_equal(face.embedding, same.embedding)
            compared += 1
        if len(large) == found.faces.count:
            assert counted.sizes == [640], name
    print(f"{compared} faces equal")
    assert compared >= 5


@pytest.mark.parametrize("angle", [90, 180, 270])
def test_turned_photos_are_read_as_upright_ones(analyzer: Any, portraits: Any, angle: int) -> None:
    found = {n: face_of(analyzer, turned(rgb, angle)) for n, (rgb, _) in portraits.items()}
    cosines = {n: cosine(f.embedding, portraits[n][1].embedding) for n, f in found.items()}
    print(angle, {name: round(value, 3) for name, value in cosines.items()})
    assert min(cosines.values()) >= 0.85


@pytest.mark.parametrize("angle", [45, -60])
def test_tilted_photos_are_read_as_upright_ones(analyzer: Any, portraits: Any, angle: int) -> None:
    found = {n: face_of(analyzer, turned(rgb, angle)) for n, (rgb, _) in portraits.items()}
    cosines = {n: cosine(f.embedding, portraits[n][1].embedding) for n, f in found.items()}
    print(angle, {name: round(value, 3) for name, value in cosines.items()})
    assert min(cosines.values()) >= 0.80


@pytest.mark.thorough
@pytest.mark.parametrize("times", [8, 10])
def test_a_portrait_in_a_panorama_is_read_as_alone(
    analyzer: Any, portraits: Any, times: int
) -> None:
    cosines = {}
    for name, (rgb, _) in portraits.items():
        wide, alone = panorama(rgb, times)
        one, other = (face_of(analyzer, picture) for picture in (wide, alone))
        cosines[name] = cosine(one.embedding, other.embedding)
    print(times, {name: round(value, 3) for name, value in cosines.items()})
    assert min(cosines.values()) >= 0.85


def test_two_photos_get_the_right_word(photos: Photos, portraits: Any, analyzer: Any) -> None:
    wrong = {}
    for one, other, is_same in photos.pairs():
        if one not in portraits or other not in portraits:
            continue
        pair = {
            name: combine(_faces(analyzer, portraits[name][1]), "average") for name in (one, other)
        }
        compared = likeness.compare(pair)
        value = float(compared.cosines[0, 1])
        word = compared.bands.of_photos(value)
        print(f"{one} {other} {value:.3f} {word}")
        if word != (SAME if is_same else ANOTHER):
            wrong[one, other] = word
    assert not wrong


def test_photos_that_are_well_seen_need_no_advice(portraits: Any, analyzer: Any) -> None:
    for name, (_, face) in portraits.items():
        assert about_identity(_faces(analyzer, face)) == (), name


@pytest.mark.parametrize(
    ("flaw", "word"), [("blur", "blurred"), ("dark", "too dark"), ("noise", "noisy")]
)
def test_photos_that_are_badly_seen_get_advice(
    portraits: Any, analyzer: Any, flaw: str, word: str
) -> None:
    import cv2

    reported = []
    for rgb, face in portraits.values():
        span = float(np.linalg.norm(face.keypoints[1] - face.keypoints[0]))
        spoilt = {
            "blur": lambda r=rgb, s=span: cv2.GaussianBlur(r, (0, 0), 0.15 * s),
            "dark": lambda r=rgb: np.round(r * 0.25).astype(np.uint8),
            "noise": lambda r=rgb: np.clip(
                r + np.random.default_rng(1).normal(0, 50, r.shape), 0, 255
            ).astype(np.uint8),
        }[flaw]()
        found = analyse([spoilt], analyzer, Selection(on_no_face="skip"), 0.5).faces
        reported += [any(word in said for said in about_identity(found)) for _ in found.all]
    print(flaw, f"{sum(reported)} of {len(reported)}")
    assert reported
    assert all(reported)


def test_a_group_pasted_without_masks_keeps_every_face(photos: Photos, analyzer: Any) -> None:
    for name in ("group29", "ab"):
        if name not in photos.names:
            pytest.skip(f"no photo called {name}")
        picture = batch_of([photos[name]])
        faces = analyzer.analyse([photos[name]], EVERYONE, 0.5).faces
        found = cut(picture, faces, 256, 1.6)
        shades = torch.linspace(0.02, 0.98, len(found.images))[:, None, None, None]
        pasted = paste(picture, shades.expand(-1, 64, 64, 3), found.crops, Pasting(feather=0))
        for face, shade in zip(faces.all, shades.flatten(), strict=True):
            columns, rows = np.round(face.keypoints).astype(int).T
            own = (pasted[0, rows, columns, 0] - shade).abs() < 1e-3
            assert own.all(), f"{name}: a face at {face.box.centre} lost points"


def test_strangers_in_an_album_are_left_out(portraits: Any, analyzer: Any, photos: Photos) -> None:
    own = [
        portraits[name][1] for name in photos.names if name.startswith("a") and name in portraits
    ]
    strangers = [portraits[name][1] for name in ("b1",) if name in portraits]
    clean, mixed = (_faces(analyzer, *each) for each in (own, [*strangers, *own]))
    one, other = (
        combine(each, how).references.numpy().ravel()
        for each, how in ((mixed, "robust"), (clean, "average"))
    )
    print(f"{cosine(one, other):.4f}")
    assert cosine(one, other) > 0.98
    with pytest.raises(IdentityError, match="No two of these 2 faces"):
        combine(_faces(analyzer, own[0], *strangers), "robust")


def _faces(analyzer: Any, *faces: Any) -> Faces:
    from instantid_core.types import Extent

    return Faces(tuple(FrameFaces(Extent(9, 9), (each,)) for each in faces), analyzer.recogniser)


def test_proportions_of_a_photo_hardly_move_a_pose(
    photos: Photos, portraits: Any, analyzer: Any
) -> None:
    """Another photo of the same person should not move any point; expression does, by so much."""
    moved = []
    for one, other, is_same in photos.pairs():
        if is_same and one in portraits and other in portraits:
            for photo, pose in ((one, other), (other, one)):
                own = portraits[pose][1].keypoints
                faces = [_faces(analyzer, portraits[name][1]) for name in (pose, photo)]
                (shaped,) = with_proportions(*faces).all
                apart = np.linalg.norm(shaped.keypoints - own, axis=1).mean()
                moved.append(float(apart / oval_of_points(own).size))
    print([round(value, 3) for value in moved])
    assert moved
    assert np.mean(moved) < 0.022
