"""The inventory of model files, their retrieval, and the background job."""

from __future__ import annotations

import re
import threading
from dataclasses import replace
from pathlib import Path

import pytest
from support.model_server import ModelServer, zipped
from support.small_files import BUFFALO, SMALL, served_by_mirror, small_downloads, small_relatives

from instantid_core.adapter import kinds
from instantid_core.errors import (
    ArchiveError,
    DownloadCancelledError,
    DownloadError,
    FaceModelError,
    SettingError,
)
from instantid_core.models import face_model_files
from instantid_core.models.background_job import DownloadJob
from instantid_core.models.disk_space import MARGIN
from instantid_core.models.download import RetryPolicy
from instantid_core.models.inventory import State, scan
from instantid_core.models.manifest import Download, address, chosen, published, relatives
from instantid_core.models.retrieval import fetch

REPOSITORY = Path(__file__).resolve().parents[2]
FACES = ("scrfd_10g_bnkps.onnx", "glintr100.onnx")


@pytest.fixture(autouse=True)
def no_proxy(monkeypatch):
    monkeypatch.setenv("no_proxy", "*")


@pytest.fixture
def downloads(tmp_path) -> tuple[Download, ...]:
    return small_downloads(tmp_path)


@pytest.fixture
def roots(tmp_path) -> dict[str, list[Path]]:
    return {
        kind: [tmp_path / "host" / kind, tmp_path / "elsewhere" / kind]
        for kind in ("instantid", "controlnet", "insightface")
    }


def put(path: Path, content: bytes) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(content)
    return path


def states(downloads, roots, verify=False) -> dict[str, State]:
    return {item.download.id: item.state for item in scan(downloads, roots, verify)}


# The list


def test_the_list_is_complete():
    assert [item.id for item in published()] == ["adapter", "identitynet", "face_models"]
    assert not any(item.optional for item in published())
    assert all(item.optional for item in relatives())
    every = (*published(), *relatives())
    assert len({item.id for item in every}) == len({item.url for item in every}) == len(every)
    for item in every:
        assert item.url.startswith("https://")
        assert item.source.startswith("https://")
        assert "non-commercial" in item.licence
        for entry in (item, *item.files):
            assert re.fullmatch("[0-9a-f]{64}", entry.sha256)
            assert entry.size > 1_000_000
        # They count only side by side, so they go to one folder.
        assert len({file.folder for file in item.files}) == 1
        if not item.archive:
            assert [(file.size, file.sha256) for file in item.files] == [(item.size, item.sha256)]


def test_the_recogniser_is_the_one_the_analyzer_knows():
    files = {file.name: file for item in published() for file in item.files}
    assert files[face_model_files.RECOGNISER].sha256 == face_model_files.PUBLISHED_RECOGNISER
    assert face_model_files.DETECTOR in files


def test_the_relatives_are_those_that_the_loaders_know():
    """A file of the list has the size and the hash by which its adapter is recognised."""
    known = {each.name: (each.size, each.sha256) for each in kinds.PUBLISHED}
    listed = {file.name: file for item in relatives() for file in item.files}
    recogniser = listed.pop(face_model_files.BUFFALO_RECOGNISER)
    assert recogniser.sha256 == face_model_files.PUBLISHED_BUFFALO
    assert listed.pop(face_model_files.BUFFALO_DETECTOR)
    assert {
        file.name: (file.size, file.sha256) for file in listed.values()
    }.items() <= known.items()
    unlisted = {name for name in known if name not in listed}
    assert unlisted == {"ip-adapter.bin", "ip-adapter-faceid_sdxl.bin"}
    assert known["ip-adapter-faceid_sdxl.bin"][0] is None, "a size is known by now: list the file"


def test_paths_of_the_list_stay_below_their_folder():
    for item in (*published(), *relatives()):
        for folder in (*item.also_in, *(file.folder for file in item.files)):
            assert not folder.startswith("/")
            assert ".." not in folder
        assert all(file.name == Path(file.name).name for file in item.files)


def test_the_readme_tells_the_same_sizes():
    readme = (REPOSITORY / "README.md").read_text(encoding="utf-8")
    for item in published():
        assert item.source in readme or item.url in readme
        for file in item.files:
            assert file.name in readme
            gigabytes, megabytes = f"{file.size / 1e9:.2f}".rstrip("0"), f"{file.size / 1e6:.0f}"
            size = gigabytes if file.size > 1e9 else megabytes
            assert re.search(rf"\b{re.escape(size)}\b", readme), file.name


def test_the_guide_tells_the_sizes_of_the_relatives():
    guide = (REPOSITORY / "docs" / "models.md").read_text(encoding="utf-8")
    for item in relatives():
        size = f"{item.size / 1e9:.2f} GB" if item.size > 1e9 else f"{item.size / 1e6:.0f} MB"
        assert re.search(rf"`{item.id}`[^\n]*\b{re.escape(size)}", guide), item.id
        assert item.source in guide or item.url in guide


def test_unknown_ids_are_refused():
    with pytest.raises(SettingError, match=re.escape("'../x'")):
        chosen(published(), ["adapter", "../x"])
    with pytest.raises(SettingError, match="found none"):
        chosen(published(), [])
    assert [item.id for item in chosen(published(), ["face_models", "adapter"])] == [
        "adapter",
        "face_models",
    ]


@pytest.mark.parametrize(
    ("mirror", "wanted"),
    [
        (None, "https://github.com/deepinsight/insightface/releases/download/v0.7/antelopev2.zip"),
        (
            "http://m:81",
            "http://m:81/deepinsight/insightface/releases/download/v0.7/antelopev2.zip",
        ),
        (
            "https://m/hub/",
            "https://m/hub/deepinsight/insightface/releases/download/v0.7/antelopev2.zip",
        ),
    ],
)
def test_a_mirror_takes_the_place_of_the_host(mirror, wanted):
    assert address(published()[2], mirror) == wanted


@pytest.mark.parametrize(
    "mirror", ["file:///x", "m.example", "https://", "https://m/?x=", "ftp://m"]
)
def test_what_is_no_mirror_is_refused(mirror):
    with pytest.raises(SettingError, match="base URL"):
        address(published()[0], mirror)


# Taking stock


def test_nothing_is_there(downloads, roots):
    assert set(states(downloads, roots).values()) == {State.MISSING}
    adapter = scan(downloads, roots)[0]
    assert adapter.files[0].path == roots["instantid"][0] / "ip-adapter.bin"
    assert not adapter.complete


@pytest.mark.parametrize("root", [0, 1])
def test_files_are_found_in_every_root(downloads, roots, root):
    put(roots["instantid"][root] / "ip-adapter.bin", SMALL["adapter"])
    put(
        roots["controlnet"][root] / "instantid" / "diffusion_pytorch_model.safetensors",
        SMALL["identitynet"],
    )
    found = states(downloads, roots)
    assert found["adapter"] == found["identitynet"] == State.PRESENT
    assert states(downloads, roots, verify=True)["adapter"] == State.VERIFIED


def test_a_renamed_copy_is_known_by_its_size(downloads, roots):
    put(roots["instantid"][1] / "SDXL" / "instantid.bin", SMALL["adapter"])
    put(roots["instantid"][1] / "other.bin", b"short")
    (item, *_) = scan(downloads, roots)
    assert item.complete
    assert item.files[0].path.name == "instantid.bin"


def test_a_cut_file_is_another_file(downloads, roots):
    put(roots["instantid"][0] / "ip-adapter.bin", SMALL["adapter"][:-1])
    (item, *_) = scan(downloads, roots)
    assert item.state is State.OTHER
    assert f"expected {len(SMALL['adapter'])} bytes" in item.files[0].detail


def test_a_file_of_the_right_size_and_wrong_content_shows_on_demand(downloads, roots):
    put(roots["instantid"][0] / "ip-adapter.bin", bytes(len(SMALL["adapter"])))
    assert states(downloads, roots)["adapter"] is State.PRESENT
    (item, *_) = scan(downloads, roots, verify=True)
    assert item.state is State.OTHER
    assert "SHA-256" in item.files[0].detail


@pytest.mark.parametrize(
    "folder", ["models/antelopev2", "models/antelopev2/antelopev2", "antelopev2/antelopev2"]
)
def test_face_models_count_where_the_analyzer_finds_them(downloads, roots, folder):
    root = roots["insightface"][1]
    for name in FACES:
        put(root / folder / name, SMALL[name])
    assert states(downloads, roots)["face_models"] is State.PRESENT
    assert face_model_files.find_models(roots["insightface"]).detector == root / folder / FACES[0]


def test_the_analyzer_looks_where_the_list_says(downloads):
    item = published()[2]
    listed = {item.files[0].folder, *item.also_in}
    with pytest.raises(FaceModelError) as raised:
        face_model_files.find_models([Path("/root")])
    places = re.search(r"Searched (.+), and one level deeper in each", str(raised.value))
    assert places
    looked = places[1].split(", ")
    assert {*looked, *(f"{place}/antelopev2" for place in looked)} == listed


def test_face_models_apart_from_each_other_are_not_found(downloads, roots):
    put(roots["insightface"][0] / "models/antelopev2" / FACES[0], SMALL[FACES[0]])
    put(roots["insightface"][1] / "models/antelopev2" / FACES[1], SMALL[FACES[1]])
    assert states(downloads, roots)["face_models"] is State.MISSING
    with pytest.raises(FaceModelError):
        face_model_files.find_models(roots["insightface"])


# From the list to the folders


@pytest.fixture
def mirror(downloads):
    with ModelServer(served_by_mirror(downloads)) as running:
        yield running


def run_fetch(item, root, mirror, **settings):
    progress = []
    policy = RetryPolicy(**{"attempts": 1, "pause": 0.0} | settings)
    return fetch(item, root, mirror.url, lambda done, total: progress.append((done, total)), policy)


def test_everything_ends_where_it_is_looked_for(downloads, roots, mirror):
    for item in downloads:
        run_fetch(item, roots[item.kind][0], mirror)
    assert set(states(downloads, roots, verify=True).values()) == {State.VERIFIED}
    assert face_model_files.find_models(roots["insightface"])
    below = roots["insightface"][0]
    assert sorted(p.name for p in below.rglob("*") if p.is_file()) == sorted(FACES)


def test_the_relatives_end_where_they_are_looked_for(tmp_path, roots):
    optional = small_relatives(tmp_path)
    assert set(states(optional, roots).values()) == {State.MISSING}
    with ModelServer(served_by_mirror(optional)) as running:
        for item in optional:
            run_fetch(item, roots[item.kind][0], running)
    assert set(states(optional, roots, verify=True).values()) == {State.VERIFIED}
    found = face_model_files.find_models(roots["insightface"], face_model_files.BUFFALO)
    assert (found.detector.name, found.recogniser.name) == BUFFALO


def test_an_archive_needs_room_for_what_is_in_it(downloads, roots, mirror):
    item = downloads[2]
    root = roots["insightface"][0]
    room = iter([item.size + MARGIN, item.unpacked + MARGIN - 1])
    with pytest.raises(DownloadError, match="free some space"):
        run_fetch(item, root, mirror, free=lambda _: next(room))
    assert not any((root / "models/antelopev2" / name).exists() for name in FACES)


def test_a_whole_archive_is_not_fetched_again(downloads, roots, mirror):
    item, root = downloads[2], roots["insightface"][0]
    put(root / "models/antelopev2/antelopev2.zip", SMALL["face_models"])
    run_fetch(item, root, mirror)
    assert not next(iter(s for p, s in mirror.files.items() if p.endswith(".zip"))).requests
    assert states(downloads, roots)["face_models"] is State.PRESENT


def test_a_foreign_archive_of_that_name_is_replaced(downloads, roots, mirror):
    item, root = downloads[2], roots["insightface"][0]
    put(root / "models/antelopev2/antelopev2.zip", bytes(item.size))
    run_fetch(item, root, mirror)
    assert states(downloads, roots, verify=True)["face_models"] is State.VERIFIED


def test_an_archive_that_passes_its_hash_and_escapes_is_refused(downloads, roots, mirror, tmp_path):
    evil = zipped({"../" + name: SMALL[name] for name in FACES})
    served = next(served for path, served in mirror.files.items() if path.endswith(".zip"))
    item, root = downloads[2], roots["insightface"][0]
    served.content = evil
    with pytest.raises(DownloadError, match="a different file"):
        run_fetch(replace(item, size=len(evil) + 1), root, mirror)
    trusted = replace(item, size=len(evil), sha256=served.sha256)
    with pytest.raises(ArchiveError, match="points out of the archive"):
        run_fetch(trusted, root, mirror)
    assert not {path.name for path in tmp_path.rglob("*")} & set(FACES)


# The job


def finished(job: DownloadJob) -> dict[str, str]:
    assert job.wait(30)
    return {task["id"]: task["phase"] for task in job.state()["tasks"]}


def test_a_job_tells_its_phases(downloads):
    reports = []

    def fetches(item, progress, cancelled):
        progress(1, item.size)
        progress(item.size, item.size)

    job = DownloadJob(fetches, reports.append)
    assert not job.state()["running"]
    job.start(downloads)
    assert set(finished(job).values()) == {"done"}
    assert not job.state()["running"]
    first = [report["tasks"][0]["phase"] for report in reports]
    assert list(dict.fromkeys(first)) == ["fetching", "checking", "done"]
    assert reports[-1]["tasks"] == job.state()["tasks"]
    assert [report["at"] for report in reports] == sorted(report["at"] for report in reports)


def test_one_job_at_a_time_and_a_failure_stops_only_itself(downloads):
    go = threading.Event()

    def fetches(item, progress, cancelled):
        go.wait(30)
        if item.id == "adapter":
            raise DownloadError("no such thing")

    job = DownloadJob(fetches, lambda state: None)
    job.start(downloads)
    with pytest.raises(DownloadError, match="running already"):
        job.start(downloads)
    go.set()
    assert finished(job) == {"adapter": "failed", "identitynet": "done", "face_models": "done"}
    assert job.state()["tasks"][0]["error"] == "no such thing"
    job.start(downloads[:1])
    assert finished(job) == {"adapter": "failed"}


def test_cancel_stops_all_that_is_left(downloads):
    begun = threading.Event()

    def fetches(item, progress, cancelled):
        begun.set()
        assert cancelled.wait(30)
        raise DownloadCancelledError("stopped")

    job = DownloadJob(fetches, lambda state: None)
    job.start(downloads)
    assert begun.wait(30)
    job.cancel()
    assert set(finished(job).values()) == {"cancelled"}


@pytest.mark.filterwarnings("ignore::pytest.PytestUnhandledThreadExceptionWarning")
def test_a_fault_of_ours_ends_the_job_as_failed(downloads):
    def fetches(item, progress, cancelled):
        raise ZeroDivisionError

    job = DownloadJob(fetches, lambda state: None)
    job.start(downloads)
    assert set(finished(job).values()) == {"failed"}
    assert not job.state()["running"]
