"""`evaluate` on photographs: the ceiling that they set, copies of them, and other recognisers."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from support.painting_server import CopyingServer, measurements_on
from support.real_faces import Photos

from instantid_core.identity import angles
from instantid_core.types import Face
from tools.evaluate.experiments import RUNS
from tools.evaluate.judges import SFACE, ArcFaceJudge, Judge, SFaceJudge
from tools.evaluate.photos import people_in

COSINES, CEILING, COPIES, FIRST = range(1, 5)
"""Columns of the table."""


@pytest.fixture(scope="module")
def people(folder: Path, photos: Photos, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The photos that have a pair, one folder per person, as people lay them out for `evaluate`."""
    base = tmp_path_factory.mktemp("people")
    for name in {name for one, other, same in photos.pairs() if same for name in (one, other)}:
        (file,) = (each for each in (folder / "photos").iterdir() if each.stem == name)
        own = base / name.rstrip("0123456789")
        own.mkdir(exist_ok=True)
        shutil.copy(file, own / file.name)
    return base


def test_a_copied_photo_is_at_the_ceiling_and_called_a_copy(analyzer: Any, people: Path) -> None:
    subjects = people_in(people, references=4)
    run = measurements_on(CopyingServer(), analyzer, subjects)
    (table,) = RUNS["recognisers"](run).tables
    copied, without, ceiling, strangers = table.rows
    for row in table.rows:
        print(*row, sep=" | ")
    assert 0.3 < ceiling[COSINES].value < 0.8
    assert copied[CEILING].value == pytest.approx(1, abs=0.15)
    assert copied[COPIES].value == pytest.approx(1, abs=1e-6)
    assert copied[FIRST].value == ceiling[FIRST].value == 1
    assert strangers[COSINES].value < 0.28 > abs(without[COSINES].value)
    assert -0.5 < ceiling[COPIES].value < 0.5


def test_a_named_recogniser_reads_what_the_analyzer_reads(analyzer: Any, portraits: Any) -> None:
    judge = ArcFaceJudge(analyzer.files.recogniser)
    for rgb, face in portraits.values():
        assert np.array_equal(judge.embedding(rgb, face), face.embedding)


def test_opencvs_recogniser_tells_photos_apart(
    folder: Path, photos: Photos, portraits: dict[str, tuple[np.ndarray, Face]]
) -> None:
    """Its published limit for the same person is a cosine of 0.363 (opencv_zoo, SFace)."""
    file = folder / "models" / "sface" / SFACE
    if not file.is_file():
        pytest.skip(f"No {file}: put OpenCV's file there to test it on photos.")
    judge: Judge = SFaceJudge(file)
    read = {name: judge.embedding(*seen) for name, seen in portraits.items()}
    wrong = {}
    for one, other, same in photos.pairs():
        if one in read and other in read:
            found = angles.cosine(read[one], read[other])
            print(f"{one} {other} {found:.3f}")
            if (found >= 0.363) is not same:
                wrong[one, other] = found
    assert not wrong
