"""Only the wanted files come out of an archive, whole, and only to where they should go."""

from __future__ import annotations

import hashlib
import random
import struct
import threading
import zipfile
from pathlib import Path

import pytest
from support.model_server import zipped

from instantid_core.errors import ArchiveError, DownloadCancelledError
from instantid_core.models.manifest import ModelFile
from instantid_core.models.retrieval import MAX_ENTRIES, unpack

_BYTES = random.Random(7).randbytes
GOOD = {"detector.onnx": _BYTES(70_000), "recogniser.onnx": _BYTES(90_000)}
OTHERS = {"genderage.onnx": b"g" * 100, "readme.txt": b"hello"}


def model_file(name: str, content: bytes) -> ModelFile:
    return ModelFile("", name, len(content), hashlib.sha256(content).hexdigest())


@pytest.fixture
def folder(tmp_path) -> Path:
    return tmp_path / "deep" / "antelopev2"


@pytest.fixture
def targets(folder) -> dict[Path, ModelFile]:
    return {folder / name: model_file(name, content) for name, content in GOOD.items()}


@pytest.fixture
def archive(tmp_path):
    def write(entries: dict[str, bytes]) -> Path:
        path = tmp_path / "pack.zip"
        path.write_bytes(zipped(entries))
        return path

    return write


def everything_below(tmp_path: Path) -> list[str]:
    return sorted(p.relative_to(tmp_path).as_posix() for p in tmp_path.rglob("*") if p.is_file())


@pytest.mark.parametrize("prefix", ["", "antelopev2/", "antelopev2/antelopev2/"])
def test_the_two_files_come_out_and_no_other(archive, targets, folder, tmp_path, prefix):
    entries = {prefix + name: content for name, content in {**GOOD, **OTHERS}.items()}
    unpack(archive(entries), targets)
    assert {path.name: path.read_bytes() for path in folder.iterdir()} == GOOD
    assert everything_below(tmp_path) == [
        "deep/antelopev2/detector.onnx",
        "deep/antelopev2/recogniser.onnx",
        "pack.zip",
    ]


@pytest.mark.parametrize(
    "name",
    [
        "../detector.onnx",
        "a/../../evil.onnx",
        "/etc/evil.onnx",
        "C:/evil.onnx",
        "..\\evil.onnx",
        "\\\\host\\share\\evil.onnx",
    ],
)
@pytest.mark.parametrize("beside", [True, False], ids=["beside the good", "alone"])
def test_an_archive_that_points_out_of_itself_is_refused(archive, targets, tmp_path, name, beside):
    entries = {**(GOOD if beside else {}), name: GOOD["detector.onnx"]}
    with pytest.raises(ArchiveError, match="points out of the archive"):
        unpack(archive(entries), targets)
    assert everything_below(tmp_path) == ["pack.zip"]


def test_a_link_is_refused(targets, tmp_path):
    path = tmp_path / "pack.zip"
    with zipfile.ZipFile(path, "w") as opened:
        link = zipfile.ZipInfo("detector.onnx")
        link.external_attr = 0o120777 << 16
        opened.writestr(link, b"/etc/passwd")
        opened.writestr("recogniser.onnx", GOOD["recogniser.onnx"])
    with pytest.raises(ArchiveError, match="as a link"):
        unpack(path, targets)
    assert everything_below(tmp_path) == ["pack.zip"]


def test_a_bomb_is_refused_by_its_size(archive, targets, tmp_path):
    entries = {**GOOD, "recogniser.onnx": bytes(50_000_000)}
    with pytest.raises(ArchiveError, match="50000000 bytes"):
        unpack(archive(entries), targets)
    assert everything_below(tmp_path) == ["pack.zip"]


def test_a_bomb_that_lies_about_its_size_is_stopped(archive, targets, tmp_path):
    bomb = bytes(50_000_000)
    path = archive({**GOOD, "recogniser.onnx": bomb})
    honest, lie = struct.pack("<I", len(bomb)), struct.pack("<I", len(GOOD["recogniser.onnx"]))
    path.write_bytes(path.read_bytes().replace(honest, lie))
    with pytest.raises(ArchiveError):
        unpack(path, targets)
    assert everything_below(tmp_path) == ["pack.zip"]


def test_another_file_of_the_same_size_is_refused(archive, targets, tmp_path):
    entries = {**GOOD, "recogniser.onnx": b"x" * len(GOOD["recogniser.onnx"])}
    with pytest.raises(ArchiveError, match="SHA-256"):
        unpack(archive(entries), targets)
    assert everything_below(tmp_path) == ["pack.zip"], "the good one is not put in place alone"


@pytest.mark.parametrize(
    ("entries", "times"),
    [
        ({"recogniser.onnx": GOOD["recogniser.onnx"]}, 0),
        ({**GOOD, "again/detector.onnx": GOOD["detector.onnx"]}, 2),
    ],
)
def test_a_file_is_there_exactly_once(archive, targets, entries, times):
    with pytest.raises(ArchiveError, match=f"holds it {times} times"):
        unpack(archive(entries), targets)


def test_too_many_entries(archive, targets):
    with pytest.raises(ArchiveError, match="handful"):
        unpack(archive({**GOOD, **{f"{n}": b"" for n in range(MAX_ENTRIES)}}), targets)


@pytest.mark.parametrize("damage", ["cut", "page", "middle"])
def test_a_broken_archive_is_a_sentence(archive, targets, tmp_path, damage):
    path = archive(GOOD)
    content = path.read_bytes()
    middle = content[:60] + bytes(20) + content[80:]
    path.write_bytes({"cut": content[:-40], "page": b"<html>", "middle": middle}[damage])
    with pytest.raises(ArchiveError, match=r"Download it again|use another mirror"):
        unpack(path, targets)
    assert everything_below(tmp_path) == ["pack.zip"]


def test_cancel_leaves_nothing_half_written(archive, targets, tmp_path):
    cancelled = threading.Event()
    cancelled.set()
    with pytest.raises(DownloadCancelledError):
        unpack(archive(GOOD), targets, cancelled)
    assert everything_below(tmp_path) == ["pack.zip"]
