"""Room for several downloads together, before the first one starts."""

from __future__ import annotations

from pathlib import Path

import pytest
from support.small_files import SMALL, small_downloads

from instantid_core.errors import DownloadError
from instantid_core.models.background_job import DownloadJob
from instantid_core.models.disk_space import MARGIN, Disk, disk_of
from instantid_core.models.manifest import Download
from instantid_core.models.retrieval import missing_bytes, require_space_for


@pytest.fixture
def downloads(tmp_path) -> tuple[Download, ...]:
    return small_downloads(tmp_path)


def wanted(downloads, folder: Path) -> list[tuple[Download, Path]]:
    return [(item, folder / item.kind) for item in downloads]


def one_disk(folder: Path) -> Disk:
    return Disk(1, folder)


def total(downloads) -> int:
    return sum(item.size + item.unpacked for item in downloads)


def test_what_fits_one_by_one_must_fit_together(downloads, tmp_path):
    both, needed = wanted(downloads, tmp_path), total(downloads)
    require_space_for(both, lambda _: needed + MARGIN, one_disk)
    for item, _ in both:
        assert item.size + item.unpacked < needed
    with pytest.raises(DownloadError) as raised:
        require_space_for(both, lambda _: needed + MARGIN - 1, one_disk)
    sentence = str(raised.value)
    assert sentence.startswith("Expected 269 MB free on the disk of ")
    assert all(item.title in sentence for item in downloads)
    assert "free some space, download less" in sentence


def test_other_disks_are_counted_apart(downloads, tmp_path):
    def by_kind(folder: Path) -> Disk:
        return Disk("controlnet" in folder.parts, folder)

    most = max(total(downloads[1:2]), total([downloads[0], downloads[2]]))
    require_space_for(wanted(downloads, tmp_path), lambda _: most + MARGIN, by_kind)
    with pytest.raises(DownloadError, match="Expected"):
        require_space_for(wanted(downloads, tmp_path), lambda _: most + MARGIN - 1, by_kind)


def test_what_has_come_counts_as_there(downloads, tmp_path):
    adapter, _, faces = downloads
    part = tmp_path / "instantid" / "ip-adapter.bin.part"
    part.parent.mkdir(parents=True)
    part.write_bytes(SMALL["adapter"][:50_000])
    assert missing_bytes(adapter, tmp_path / "instantid") == adapter.size - 50_000
    archive = tmp_path / "insightface" / "models" / "antelopev2" / "antelopev2.zip"
    archive.parent.mkdir(parents=True)
    archive.write_bytes(SMALL["face_models"])
    assert missing_bytes(faces, tmp_path / "insightface") == faces.unpacked
    room = total(downloads) - 50_000 - faces.size + MARGIN
    require_space_for(wanted(downloads, tmp_path), lambda _: room, one_disk)
    with pytest.raises(DownloadError):
        require_space_for(wanted(downloads, tmp_path), lambda _: room - 1, one_disk)


def test_folders_that_are_not_there_yet_lie_on_the_disk_of_those_above(tmp_path):
    found = disk_of(tmp_path / "models" / "controlnet" / "instantid")
    assert found == Disk(tmp_path.stat().st_dev, tmp_path)


def test_a_disk_that_cannot_be_asked_stops_nothing_here(downloads, tmp_path):
    def closed(folder: Path) -> int:
        raise PermissionError(13, "Permission denied", str(folder))

    require_space_for(wanted(downloads, tmp_path), closed, one_disk)


def test_a_job_without_room_does_not_begin(downloads, tmp_path):
    fetched: list[str] = []
    room = [total(downloads) + MARGIN - 1, total(downloads) + MARGIN]

    def check(chosen) -> None:
        require_space_for(wanted(chosen, tmp_path), lambda _: room[0], one_disk)

    job = DownloadJob(lambda item, *_: fetched.append(item.id), lambda state: None, check)
    with pytest.raises(DownloadError, match="free some space"):
        job.start(downloads)
    assert job.state()["tasks"] == []
    assert not fetched
    room.pop(0)
    job.start(downloads)
    assert job.wait(30)
    assert fetched == [item.id for item in downloads]
