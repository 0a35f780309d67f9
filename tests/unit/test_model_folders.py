"""Looking into model folders: names that tell, links, circles, and folders that are closed."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from support.small_files import SMALL, small_downloads

from instantid_core.faces.analyzer import FaceModelError
from instantid_core.models.face_model_files import find_models
from instantid_core.models.inventory import State, files_below, scan
from instantid_core.models.manifest import Download, published

KINDS = ("instantid", "controlnet", "insightface")


@pytest.fixture
def roots(tmp_path) -> dict[str, list[Path]]:
    return {kind: [tmp_path / "host" / kind] for kind in KINDS}


@pytest.fixture
def downloads(tmp_path) -> tuple[Download, ...]:
    return small_downloads(tmp_path)


def hole(path: Path, size: int) -> Path:
    """A file of this size that takes no room."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("wb") as file:
        file.truncate(size)
    return path


@pytest.mark.parametrize(
    ("name", "state"),
    [
        ("controlnet-canny-sdxl-1.0.safetensors", State.MISSING),
        ("SDXL/controlnet-openpose-sdxl/diffusion_pytorch_model.safetensors", State.MISSING),
        ("SDXL/InstantID-ControlNet.safetensors", State.PRESENT),
        ("control_instant_id_sdxl.safetensors", State.PRESENT),
        ("Instant-ID/model.safetensors", State.PRESENT),
        ("SDXL/Identity-Net.safetensors", State.PRESENT),
        ("IDENTITYNET/fp16.safetensors", State.PRESENT),
    ],
)
def test_a_controlnet_of_the_same_size_is_ours_only_by_its_name(roots, name, state):
    identity_net = published()[1]
    # The size alone says nothing: it is that of every ControlNet for SDXL in half precision.
    path = hole(roots["controlnet"][0] / name, identity_net.size)
    (item,) = scan([identity_net], roots)
    assert item.state is state
    assert (item.files[0].path == path) is (state is State.PRESENT)


def test_the_name_of_the_controlnet_folder_itself_tells_nothing(tmp_path):
    root = tmp_path / "my-instantid-models" / "controlnet"
    hole(root / "controlnet-canny-sdxl.safetensors", published()[1].size)
    (item,) = scan([published()[1]], {"controlnet": [root]})
    assert item.state is State.MISSING


def test_links_to_folders_are_followed(roots, downloads, tmp_path):
    away = tmp_path / "other disk" / "mine"
    away.mkdir(parents=True)
    (away / "renamed.bin").write_bytes(SMALL["adapter"])
    root = roots["instantid"][0]
    root.mkdir(parents=True)
    (root / "linked").symlink_to(away, target_is_directory=True)
    (item, *_) = scan(downloads, roots)
    assert item.state is State.PRESENT
    assert item.files[0].path == root / "linked" / "renamed.bin"


# One circle at a time: the system itself ends a single one after some 40 rounds, so that a look
# without a guard finds too much here instead of never ending.
@pytest.mark.parametrize(
    ("links", "found"),
    [
        ({"one/itself": "one"}, ["below/a.bin"]),
        ({"one/below/up": "one"}, ["below/a.bin"]),
        ({"one/across": "other", "other/back": "one"}, ["across/b.bin", "below/a.bin"]),
        ({"one/across": "other", "one/again": "other"}, ["across/b.bin", "again/b.bin"]),
    ],
    ids=["itself", "above", "by another folder", "no circle"],
)
def test_links_in_a_circle_come_to_an_end(tmp_path, links, found):
    for name in ("one/below/a.bin", "other/b.bin"):
        hole(tmp_path / name, 1)
    for link, target in links.items():
        (tmp_path / link).symlink_to(tmp_path / target, target_is_directory=True)
    reported = [
        path.relative_to(tmp_path / "one").as_posix()
        for path in files_below(tmp_path / "one", (".bin",))
    ]
    assert reported == sorted({*found, "below/a.bin"})


@pytest.fixture
def close(monkeypatch):
    """Closes a folder, for root as well, which permissions do not stop."""

    def closing(folder: Path) -> None:
        def guarded(call):
            def asked(path=".", *arguments, **named):
                given = "" if isinstance(path, int) else os.fspath(path)
                inside = given.startswith(str(folder) + os.sep)
                # What the folder itself is, its parent tells; only its list is closed.
                if inside or (given == str(folder) and call is not stat):
                    raise PermissionError(13, "Permission denied", given)
                return call(path, *arguments, **named)

            return asked

        stat = os.stat
        for name in ("scandir", "stat", "listdir"):
            monkeypatch.setattr(os, name, guarded(getattr(os, name)))

    return closing


def test_nothing_is_found_in_a_closed_folder_and_the_rest_is_found(roots, downloads, close):
    root = roots["instantid"][0]
    for folder in ("closed", "open"):
        (root / folder).mkdir(parents=True)
        (root / folder / "renamed.bin").write_bytes(SMALL["adapter"])
    close(root / "closed")
    (item, *_) = scan(downloads, roots)
    assert item.files[0].path == root / "open" / "renamed.bin"


@pytest.mark.parametrize("kind", KINDS)
def test_a_closed_root_is_an_empty_one(roots, downloads, close, kind):
    for item in downloads:
        for file in item.files:
            path = file.path(roots[item.kind][0])
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(SMALL.get(file.name, SMALL[item.id]))
    close(roots[kind][0])
    states = {item.download.kind: item.state for item in scan(downloads, roots)}
    assert states == {other: State.MISSING if other == kind else State.PRESENT for other in KINDS}


def test_face_models_in_a_closed_folder_are_a_sentence(tmp_path, close):
    folder = tmp_path / "models" / "antelopev2"
    hole(folder / "glintr100.onnx", 5)
    close(folder)
    with pytest.raises(FaceModelError, match="were not found"):
        find_models([tmp_path])


def test_a_file_that_goes_while_it_is_looked_at_is_missing(roots, downloads, monkeypatch):
    path = roots["instantid"][0] / "ip-adapter.bin"
    path.parent.mkdir(parents=True)
    path.write_bytes(SMALL["adapter"])
    monkeypatch.setattr("instantid_core.models.inventory.size_of", lambda path: None)
    (item, *_) = scan(downloads, roots)
    assert item.state is State.MISSING
