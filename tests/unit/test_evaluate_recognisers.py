"""Likeness by several recognisers: ceilings, copies and ranks of pictures that are known."""

from __future__ import annotations

import argparse
import math
import zlib
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from support.painting_server import CopyingServer, PaintingServer, measurements_on

from instantid_core.errors import FaceModelError
from instantid_core.identity import angles
from instantid_core.types import Face
from tools.evaluate.experiments import RUNS
from tools.evaluate.figures import EvaluationError, Section
from tools.evaluate.judges import ArcFaceJudge, SFaceJudge, judges_of, require_another
from tools.evaluate.photos import drawn_people
from tools.evaluate.runner import LARGEST_FACE
from tools.evaluate.settings import QUICK
from tools.small_world import recogniser
from tools.small_world.painter import portrait


@pytest.fixture(scope="module")
def files(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """Recognisers of painted faces whose numbers have nothing to do with the analyzer's."""
    folder = tmp_path_factory.mktemp("judges")
    found = {"arcface": folder / "other.onnx", "sface": folder / "sface.onnx"}
    recogniser.build_recogniser(found["arcface"], seed=8)
    recogniser.build_sface(found["sface"])
    return found


@pytest.fixture(scope="module")
def judges(files) -> tuple:
    return SFaceJudge(files["sface"]), ArcFaceJudge(files["arcface"])


class Scattered:
    """Another recogniser whose every photo lies 30 degrees from its person, each in a direction of
    its own: two photos have a cosine of 0.75, as painted ones do not."""

    name, path = "scattered", Path("scattered.onnx")

    def __init__(self, judge: ArcFaceJudge) -> None:
        self.judge = judge

    def embedding(self, image: np.ndarray, face: Face) -> np.ndarray:
        person = angles.direction(self.judge.embedding(image, face))
        drawn = np.random.default_rng(zlib.crc32(image.tobytes())).standard_normal(person.shape)
        away = angles.direction(drawn - (drawn @ person) * person)
        return math.cos(math.pi / 6) * person + math.sin(math.pi / 6) * away


def read(analyzer, judge, identity: int, tilt: float = 0.0) -> np.ndarray:
    photo, _ = portrait(256, 256, identity=identity, yaw=tilt)
    (face,) = analyzer.analyse([photo], LARGEST_FACE, 0.5).faces.all
    assert isinstance(face, Face)
    return judge.embedding(photo, face)


def test_second_recognisers_tell_people_apart(analyzer, judges):
    for judge, width in zip(judges, (128, 512), strict=True):
        one, again, other = (read(analyzer, judge, *who) for who in ((1,), (1, 8), (2,)))
        assert one.shape == (width,)
        assert angles.cosine(one, again) > 0.9
        assert abs(angles.cosine(one, other)) < 0.4


def test_another_recogniser_has_its_own_numbers(analyzer, judges):
    photo, _ = portrait(256, 256, identity=1)
    (face,) = analyzer.analyse([photo], LARGEST_FACE, 0.5).faces.all
    assert abs(angles.cosine(judges[1].embedding(photo, face), face.embedding)) < 0.5


def table_of(section: Section) -> dict[str, dict[str, dict]]:
    """The table as {recogniser: {row: {column: entry}}}."""
    (table,) = section.tables
    found: dict[str, dict[str, dict]] = {}
    for label, *entries in table.rows:
        judge, _, row = str(label).partition(": ")
        found.setdefault(judge, {})[row] = dict(zip(table.columns[1:], entries, strict=True))
    return found


LIKENESS, CEILING, COPIES, FIRST, RANK = (
    "likeness to held-out photos",
    "of the ceiling",
    "copy-paste",
    "right person first",
    "mean rank",
)


def test_a_server_that_paints_people_is_as_good_as_photos(analyzer, judges):
    run = measurements_on(PaintingServer(), analyzer, judges=judges)
    section = RUNS["recognisers"](run)
    found = table_of(section)
    names = ["glintr100.onnx (conditioned the pictures)", "sface.onnx", "other.onnx"]
    assert list(found) == names
    for rows in found.values():
        made, without, photos, strangers = (
            rows[name]
            for name in (
                "InstantID",
                "without InstantID",
                "two photos of one person",
                "photos of two people",
            )
        )
        assert made[LIKENESS].value > 0.8
        assert made[CEILING].value == pytest.approx(
            made[LIKENESS].value / photos[LIKENESS].value, rel=1e-6
        )
        assert made[CEILING].value > 0.85
        assert (made[FIRST].value, made[RANK].value) == (1, 1)
        assert without[LIKENESS].value < 0.4 > strangers[LIKENESS].value
        assert without[FIRST].value < 1 < without[RANK].value
        assert photos[LIKENESS].value > 0.9
        assert (photos[FIRST].value, photos[RANK].value) == (1, 1)
        # All painted photos of one person are one photo to these recognisers.
        assert not made[COPIES].known
    (table,) = section.tables
    assert f"{QUICK.people} of {QUICK.people} people have photos" in table.notes[0]
    assert "the mean rank 2.5" in table.notes[0]
    assert not any("--sface" in note for note in table.notes)


def test_pictures_as_far_from_photos_as_photos_are_copy_nothing(analyzer, judges):
    run = measurements_on(PaintingServer(), analyzer, judges=[Scattered(judges[1])])
    rows = table_of(RUNS["recognisers"](run))["scattered"]
    for row in (rows["InstantID"], rows["two photos of one person"]):
        assert row[LIKENESS].value == pytest.approx(0.75, abs=0.03)
        assert row[COPIES].value == pytest.approx(0, abs=0.1)
    assert rows["InstantID"][CEILING].value == pytest.approx(1, abs=0.04)
    assert rows["InstantID"][FIRST].value == 1


def test_a_server_that_returns_the_photo_is_found_out(analyzer, judges):
    """Its likeness is that of photos, and only copying tells that it painted nobody."""
    run = measurements_on(CopyingServer(), analyzer, judges=[Scattered(judges[1])])
    rows = table_of(RUNS["recognisers"](run))["scattered"]
    assert rows["InstantID"][LIKENESS].value == pytest.approx(0.75, abs=0.03)
    assert rows["InstantID"][CEILING].value == pytest.approx(1, abs=0.04)
    assert rows["InstantID"][COPIES].value == pytest.approx(1)
    assert rows["photos of two people"][COPIES].value == pytest.approx(0, abs=0.2)


def test_one_photo_a_person_has_no_ceiling(analyzer):
    single = [
        replace(one, references=one.references[:1], targets=one.references[:1])
        for one in drawn_people(QUICK.people)
    ]
    section = RUNS["recognisers"](measurements_on(PaintingServer(), analyzer, single))
    (rows,) = table_of(section).values()
    for row in rows.values():
        assert not any(getattr(row[name], "known", False) for name in (LIKENESS, CEILING, COPIES))
    assert rows["InstantID"][FIRST].value == 1
    (table,) = section.tables
    assert table.notes[0].startswith("0 of 4 people have photos that generation does not see")
    assert "give each person a folder with several photos" in table.notes[1]
    assert "--sface FILE" in table.notes[-1]


def test_nobody_is_first_of_one(analyzer):
    run = measurements_on(PaintingServer(), analyzer, drawn_people(1))
    (rows,) = table_of(RUNS["recognisers"](run)).values()
    assert not rows["InstantID"][FIRST].known
    assert rows["InstantID"][LIKENESS].value > 0.8


def test_a_photo_that_is_there_twice_is_told(analyzer, judges):
    one, *others = drawn_people(3)
    twice = replace(one, name="anna", targets=(one.references[0].copy(),))
    scattered = [Scattered(judges[1])]
    section = RUNS["recognisers"](
        measurements_on(CopyingServer(), analyzer, [*others, twice], scattered)
    )
    (table,) = section.tables
    assert "most alike have 1.00 (" in table.notes[1]
    rows = table_of(section)["scattered"]
    # Nothing lies between a photo and itself: anna does not count.
    assert rows["InstantID"][COPIES].n == 2


def options(**named: Path) -> argparse.Namespace:
    return argparse.Namespace(**{"sface": None, "recogniser": None, **named})


def test_nothing_is_opened_that_is_not_named(files):
    assert judges_of(options()) == ()
    both = judges_of(options(sface=files["sface"], recogniser=files["arcface"]))
    assert [judge.name for judge in both] == ["sface.onnx", "other.onnx"]


@pytest.mark.parametrize("option", ["sface", "recogniser"])
def test_a_file_that_is_not_there_is_told(tmp_path, option):
    missing = tmp_path / "none.onnx"
    with pytest.raises(EvaluationError, match=rf"--{option} should name .*none\.onnx is not"):
        judges_of(options(**{option: missing}))


@pytest.mark.parametrize("content", [b"", b"<html>", b"\x08\x08" * 400])
def test_a_file_that_is_no_model_is_told(tmp_path, content):
    broken = tmp_path / "broken.onnx"
    broken.write_bytes(content)
    with pytest.raises(EvaluationError, match=r"broken\.onnx is not a model that OpenCV"):
        judges_of(options(sface=broken))
    with pytest.raises(FaceModelError, match=r"broken\.onnx"):
        judges_of(options(recogniser=broken))


def test_models_in_each_other_s_place_are_told(files, insightface_root):
    with pytest.raises(FaceModelError, match=r"expected one output of width 512.*--recogniser"):
        judges_of(options(recogniser=files["sface"]))
    detector = insightface_root / "models" / "antelopev2" / "scrfd_10g_bnkps.onnx"
    with pytest.raises(EvaluationError, match=r"is not a model that OpenCV.*--sface"):
        judges_of(options(sface=detector))


def test_an_opencv_without_the_class_is_told(files, monkeypatch):
    import cv2

    monkeypatch.delattr(cv2, "FaceRecognizerSF")
    with pytest.raises(EvaluationError, match=r"--sface needs OpenCV 4\.5\.4"):
        judges_of(options(sface=files["sface"]))


def test_the_conditioning_recogniser_is_no_second_opinion(analyzer, judges):
    require_another(judges, analyzer)
    same = ArcFaceJudge(analyzer.files.recogniser)
    with pytest.raises(EvaluationError, match="the recogniser that conditions the pictures"):
        require_another((*judges, same), analyzer)
