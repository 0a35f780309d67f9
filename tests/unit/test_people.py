"""The person of an identity: picture, name and consent, in memory and in files."""

from __future__ import annotations

import base64
import os
from pathlib import Path

import cv2
import numpy as np
import pytest
import torch
from safetensors import safe_open
from safetensors.torch import save_file

from instantid_core.errors import IdentityFileError, SettingError
from instantid_core.faces import portraits
from instantid_core.identity import blending, identity_file, likeness, people, person_notes
from instantid_core.identity.albums import combine_album
from instantid_core.identity.embedding import combine
from instantid_core.types import (
    Box,
    Detection,
    Extent,
    Face,
    Faces,
    FrameFaces,
    IdentityEmbedding,
    Person,
    Recogniser,
)
from tools.small_world import painter

RECOGNISER = Recogniser("ab" * 32)
POINTS = np.array([[60, 60], [100, 60], [80, 85], [65, 105], [95, 105]], np.float32)
BOX = Box(40, 30, 120, 130)


def detection(points: np.ndarray = POINTS, box: Box = BOX) -> Detection:
    return Detection(box, 0.9, points)


def portrait(identity: int = 3) -> bytes:
    picture = painter.canvas(400, 400)
    painter.paint_face(picture, (200, 200), 200, identity=identity)
    box = Box(100, 100, 300, 300)
    points = POINTS * 2 + 40
    return portraits.portrait_of(picture[..., ::-1], detection(points, box))


def somebody(seed: int = 1, **known: object) -> IdentityEmbedding:
    numbers = torch.randn(1, 1, 512, generator=torch.Generator().manual_seed(seed))
    return IdentityEmbedding(numbers, RECOGNISER, Person(**known))  # type: ignore[arg-type]


def saved(path: Path, identity: IdentityEmbedding) -> Path:
    identity_file.write(path, identity, identity_file.Notes())
    return path


def forged(path: Path, **entries: str) -> Path:
    """A genuine file whose metadata somebody has changed."""
    with safe_open(saved(path.with_name("genuine.safetensors"), somebody()), "pt") as file:
        metadata, references = file.metadata(), file.get_tensor("references")
    save_file({"references": references}, path, {**metadata, **entries})
    return path


# --- pictures -------------------------------------------------------------------------------------


def test_a_portrait_is_a_small_picture_of_the_face() -> None:
    content = portrait()
    assert portraits.is_portrait(content)
    assert 500 < len(content) <= portraits.MOST_BYTES
    pixels = portraits.pixels_of(content)
    assert pixels is not None
    assert pixels.shape == (128, 128, 3)
    other = portraits.pixels_of(portrait(8))
    assert other is not None
    assert np.abs(pixels.astype(int) - other).mean() > 3, "another face, another picture"


def test_noise_fits_the_bound_as_well() -> None:
    noise = np.random.default_rng(0).integers(0, 256, (500, 500, 3), np.uint8)
    content = portraits.portrait_of(noise, detection(POINTS * 3, Box(100, 100, 400, 400)))
    assert 0 < len(content) <= portraits.MOST_BYTES


@pytest.mark.parametrize("box", [Box(-50, -50, 5, 5), Box(99, 99, 400, 400), Box(-9, 0, 9e6, 9e6)])
def test_boxes_that_reach_beyond_the_picture_give_one(box: Box) -> None:
    picture = np.zeros((100, 100, 3), np.uint8)
    assert portraits.is_portrait(portraits.portrait_of(picture, detection(box=box)))


@pytest.mark.parametrize("box", [Box(-9, -9, -5, -5), Box(500, 500, 600, 600), Box(0, 0, 0, 0)])
def test_boxes_beside_the_picture_give_none(box: Box) -> None:
    assert portraits.portrait_of(np.zeros((100, 100, 3), np.uint8), detection(box=box)) == b""


def test_what_is_no_number_gives_none() -> None:
    picture = np.zeros((100, 100, 3), np.uint8)
    for edge in (float("nan"), float("inf")):
        assert portraits.portrait_of(picture, detection(box=Box(0, 0, edge, 5))) == b""
    assert portraits.portrait_of(picture, detection(POINTS * np.nan)) == b""


def jpeg(width: int, height: int) -> bytes:
    return cv2.imencode(".jpg", np.zeros((height, width, 3), np.uint8))[1].tobytes()


def claiming(width: int, height: int) -> bytes:
    """A small JPEG that states another size."""
    content = jpeg(64, 64)
    place = content.index(b"\xff\xc0") + 5
    size = height.to_bytes(2, "big") + width.to_bytes(2, "big")
    return content[:place] + size + content[place + 4 :]


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"<svg onload=alert(1)>",
        b"\x89PNG\r\n\x1a\n" + bytes(100),
        portrait()[:-200],
        portrait() + b"<script>",
        b"\xff\xd8\xff" + bytes(20_000) + b"\xff\xd9",
        b"\xff\xd8\xff\xff\xd9",
        claiming(65_500, 65_500),
        claiming(0, 64),
        jpeg(300, 300),
    ],
    ids=lambda content: repr(content[:12]),
)
def test_other_bytes_are_no_portrait(content: bytes) -> None:
    assert not portraits.is_portrait(content)
    assert portraits.pixels_of(content) is None


def test_the_identity_of_several_photos_has_the_largest_face() -> None:
    small, large = (
        Face(box, 0.9, POINTS, np.ones(512, np.float32), portrait=name)
        for box, name in ((BOX, b"small"), (Box(0, 0, 300, 300), b"large"))
    )
    frames = tuple(FrameFaces(Extent(400, 400), (face,)) for face in (small, large))
    assert combine(Faces(frames, RECOGNISER), "average").person.portrait == b"large"
    empty = Faces((FrameFaces(Extent(4, 4), ()),), RECOGNISER)
    assert combine(empty, "average").person == Person()


# --- mixtures -------------------------------------------------------------------------------------


def test_a_mixture_has_all_names_all_consent_and_no_single_face() -> None:
    anna = somebody(1, name="anna", portrait=b"a", consent="signed in May")
    bo = somebody(2, name="bo", portrait=b"b")
    middle = blending.blend(anna, bo, 0.5).person
    assert middle == Person("anna + bo", b"", "anna: signed in May")
    assert blending.interpolate(anna, bo, 3).person == middle
    assert combine_album({"identity0": anna, "identity1": bo}).identity.person == middle
    again = somebody(3, name="anna", portrait=b"a", consent="signed in May")
    assert combine_album({"identity0": anna, "identity1": again}).identity.person == anna.person
    assert blending.blend(anna, bo, 0).person == anna.person
    assert blending.blend(anna, bo, 1).person == bo.person


def test_the_numbers_do_not_depend_on_who_it_is() -> None:
    named, nameless = somebody(1, name="anna", portrait=b"a"), somebody(1)
    for other in (somebody(2, name="bo"), somebody(2)):
        mixtures = [blending.blend(each, other, 0.3).references for each in (named, nameless)]
        assert torch.equal(*mixtures)


def test_names_take_the_place_of_sockets() -> None:
    anna, again, nobody = somebody(1, name="anna"), somebody(2, name="anna"), somebody(3)
    found = people.named({"identity0": anna, "identity1": nobody, "identity2": again})
    assert list(found) == ["anna (identity0)", "identity1", "anna (identity2)"]
    assert list(found.values()) == [anna, nobody, again]
    sly = somebody(4, name="identity1")
    assert list(people.named({"identity0": sly, "identity1": nobody})) == ["identity0", "identity1"]
    text = likeness.comparison_text(
        likeness.compare(people.named({"identity0": anna, "identity1": somebody(2, name="bo")}))
    )
    assert "least alike: anna and bo" in text
    assert people.label_of(Person(name="x" * 99)) == "x" * 21 + "..."


def test_a_score_names_the_person() -> None:
    none = [likeness.Likeness(None, None)]
    assert likeness.score_text(none, "anna") == "image 1 to anna: n/a (no face)"
    assert likeness.score_text(none) == "image 1: n/a (no face)"


# --- files ----------------------------------------------------------------------------------------


def test_a_person_comes_back_from_the_file(tmp_path: Path) -> None:
    anna = somebody(1, name="Anna", portrait=portrait(), consent="signed in May")
    path = saved(tmp_path / "x_00001_.safetensors", anna)
    found = identity_file.read(path).identity
    assert found.person == anna.person
    assert found.references.numpy().tobytes() == anna.references.numpy().tobytes()
    assert identity_file.summary(path) == (anna.person, 1, 1)
    assert path.stat().st_size < 2700 + portraits.MOST_BYTES * 4 / 3


def test_the_file_of_nobody_known_is_as_it_was(tmp_path: Path) -> None:
    with safe_open(saved(tmp_path / "x.safetensors", somebody()), "pt") as file:
        assert not {"name", "picture", "consent"} & set(file.metadata())


@pytest.mark.parametrize(
    ("file", "name"),
    [
        ("anna_00001_.safetensors", "anna"),
        ("anna_00012_.safetensors", "anna 12"),
        ("people/anna lee_00001.safetensors", "anna lee"),
        ("anna.safetensors", "anna"),
        ("_00001_.safetensors", "_00001_"),
        ("\u738b\u82b3_00001_.safetensors", "\u738b\u82b3"),
    ],
)
def test_a_file_without_a_name_gives_its_own(tmp_path: Path, file: str, name: str) -> None:
    assert person_notes.name_of_file(file) == name


@pytest.mark.parametrize(
    "picture",
    ["", "no base64!", "A" * 100_000, base64.b64encode(b"<svg>").decode(), "\ud7ff"],
    ids=["empty", "words", "long", "markup", "letters"],
)
def test_a_picture_that_is_none_does_not_matter(tmp_path: Path, picture: str) -> None:
    path = forged(tmp_path / "bo_00001_.safetensors", picture=picture)
    assert identity_file.read(path).identity.person == Person("bo")
    assert identity_file.summary(path).person == Person("bo")


def test_texts_of_a_file_are_one_line_that_can_be_shown(tmp_path: Path) -> None:
    hostile = {"name": "an\x1bna\n" + "x" * 5000, "consent": "yes\r\n\u202e" + "y" * 5000}
    person = identity_file.read(forged(tmp_path / "bo.safetensors", **hostile)).identity.person
    assert person.name.startswith("an\\x1bna xxx")
    assert len(person.name) <= people.LONGEST_NAME
    assert person.consent.startswith("yes \\u202eyyy")
    assert len(person.consent) <= people.LONGEST_CONSENT


def test_a_new_name_changes_nothing_else(tmp_path: Path) -> None:
    anna = somebody(1, name="Anna", portrait=portrait(), consent="signed in May")
    path = saved(tmp_path / "anna_00001_.safetensors", anna)
    before = identity_file.read(path)
    identity_file.rename(path, "Anna Lee")
    after = identity_file.read(path)
    assert after.identity.person == anna.person._replace(name="Anna Lee")
    assert after.notes == before.notes
    assert after.identity.references.numpy().tobytes() == anna.references.numpy().tobytes()
    assert os.listdir(tmp_path) == [path.name]


def test_a_disk_that_refuses_leaves_the_old_file(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = saved(tmp_path / "anna.safetensors", somebody(1, name="Anna"))
    before = path.read_bytes()

    def refuse(*_given: object) -> None:
        raise PermissionError(30, "Read-only file system")

    monkeypatch.setattr(os, "replace", refuse)
    monkeypatch.setattr(os, "unlink", refuse)
    with pytest.raises(IdentityFileError, match=r"cannot be written .*Read-only.*Check the name"):
        identity_file.rename(path, "Bo")
    monkeypatch.undo()
    assert path.read_bytes() == before
    monkeypatch.setattr(Path, "unlink", refuse)
    with pytest.raises(IdentityFileError, match=r"cannot be deleted .*Read-only.*by hand"):
        identity_file.delete(path)
    assert path.read_bytes() == before


def test_deleted_is_gone_and_gone_is_a_sentence(tmp_path: Path) -> None:
    path = saved(tmp_path / "anna.safetensors", somebody())
    identity_file.delete(path)
    assert os.listdir(tmp_path) == []
    for act in (
        identity_file.delete,
        identity_file.summary,
        lambda it: identity_file.rename(it, "x"),
    ):
        with pytest.raises(
            IdentityFileError, match=r"There is no identity file 'anna.safetensors'"
        ):
            act(path)


@pytest.mark.parametrize("name", ["", "  ", "x" * 81, "a\nb", "a\x00b", "\u202eanna", "\ud800"])
def test_names_that_cannot_be_shown_are_refused(name: str) -> None:
    with pytest.raises(SettingError, match="A name has 1 to 80 characters"):
        person_notes.checked_name(name)
    assert person_notes.checked_name(" Anna Lee ") == "Anna Lee"


def test_consent_is_a_line_of_bounded_length() -> None:
    assert person_notes.checked_consent(" Anna\n signed ") == "Anna signed"
    assert person_notes.checked_consent("") == ""
    with pytest.raises(SettingError, match=r"at most 400 characters, found 900.*Name who agreed"):
        person_notes.checked_consent("x" * 900)
