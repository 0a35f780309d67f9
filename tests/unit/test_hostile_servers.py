"""Servers that never end, addresses that are none, and several processes on one folder."""

from __future__ import annotations

import os
import random
import socket
import struct
import subprocess
import sys
import threading
import time
import zipfile
from collections.abc import Callable
from contextlib import closing
from pathlib import Path

import pytest
from support.dribbling import AFTER_HEADERS, WAYS, dribbling
from support.model_server import ModelServer, Served, zipped
from support.raw_answers import ANSWERS, SIZE, answering

from instantid_core.errors import (
    ArchiveError,
    DownloadCancelledError,
    DownloadError,
    SettingError,
)
from instantid_core.models.download import FileSpec, Part, RetryPolicy, download
from instantid_core.models.fetch_lock import fetching
from instantid_core.models.http import Connection
from instantid_core.models.manifest import ModelFile, address, chosen, published, shown_mirror
from instantid_core.models.retrieval import unpack

REPOSITORY = Path(__file__).parents[2]
CONTENT = random.Random(7).randbytes(SIZE)
SOON = 10.0
"""Seconds; it takes a tenth of one on an idle machine."""


@pytest.fixture(autouse=True)
def no_proxy(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("no_proxy", "*")


def fetch(url: str, target: Path, **settings: object) -> None:
    policy = RetryPolicy(**{"attempts": 1, "pause": 0.0} | settings)  # type: ignore[arg-type]
    wanted = FileSpec(url, len(CONTENT), Served(CONTENT).sha256)
    download(wanted, target, lambda done, total: None, policy)


@pytest.mark.parametrize("way", WAYS)
def test_a_stop_is_heard_while_a_server_dribbles(tmp_path: Path, way: str) -> None:
    stop = threading.Event()
    with dribbling(way) as url:
        threading.Timer(0.3, stop.set).start()
        started = time.monotonic()
        with pytest.raises(DownloadCancelledError):
            fetch(url, tmp_path / "file.bin", cancelled=stop)
        assert time.monotonic() - started < SOON
    assert threading.active_count() < 20


@pytest.mark.parametrize("name", ANSWERS)
def test_what_is_no_file_is_a_sentence(tmp_path: Path, name: str) -> None:
    target = tmp_path / "file.bin"
    with answering(ANSWERS[name]) as url, pytest.raises(DownloadError) as found:
        fetch(url, target)
    assert len(str(found.value)) <= 1000
    assert str(found.value).isprintable()
    assert not target.exists()


@pytest.mark.parametrize("way", [way for way in WAYS if way not in AFTER_HEADERS])
def test_headers_have_a_deadline(tmp_path: Path, way: str) -> None:
    with dribbling(way) as url:
        started = time.monotonic()
        with pytest.raises(DownloadError, match="the headers of the answer took too long"):
            fetch(url, tmp_path / "file.bin", headers=0.3)
        assert time.monotonic() - started < SOON


@pytest.mark.parametrize("cut", [Connection.cut, Connection.cut_unanswered])
def test_headers_that_end_where_the_connection_was_cut_are_no_answer(
    cut: Callable[[Connection], None],
) -> None:
    """http.client takes the end of the connection for the end of the headers."""
    ours, theirs = socket.socketpair()
    with closing(Connection()) as connection, ours, theirs:
        connection.keep(ours)
        cut(connection)
        assert theirs.recv(1) == b"", "the other side sees the end"
        with pytest.raises(ConnectionAbortedError):
            connection.answered()
        assert connection.is_late is (cut is Connection.cut_unanswered)


def test_an_answer_that_came_in_time_is_never_late() -> None:
    ours, theirs = socket.socketpair()
    with closing(Connection()) as connection, ours, theirs:
        connection.keep(ours)
        connection.answered()
        connection.cut_unanswered()
        ours.sendall(b"x")
        assert theirs.recv(1) == b"x"
        assert not connection.is_late


@pytest.mark.parametrize(
    "location",
    [
        *("https://[", "http://a..b/f", f"https://{'x' * 70}.example/f", "https://\u4e2d\u6587/f"),
        *("http://127.0.0.1:99999/f", "http://127.0.0.1:x/f", "//[::1", "http://", "file:///etc"),
        "https://exa mple/f",
    ],
)
def test_redirects_to_what_is_no_address_are_sentences(tmp_path: Path, location: str) -> None:
    latin = location.encode("utf-8").decode("latin-1")
    served = Served(CONTENT, status=302, location=latin)
    with ModelServer({"/f": served}) as server, pytest.raises(DownloadError):
        fetch(f"{server.url}/f", tmp_path / "file.bin")


def test_a_redirect_to_another_port_is_not_followed(tmp_path: Path) -> None:
    inner = Served(CONTENT)
    with (
        ModelServer({"/f": inner}) as other,
        ModelServer({"/f": Served(CONTENT, status=302, location=f"{other.url}/f")}) as server,
        pytest.raises(DownloadError, match="is not followed"),
    ):
        fetch(f"{server.url}/f", tmp_path / "file.bin")
    assert not inner.requests


MIRRORS = [
    *(
        "http://a..b",
        "http://[::1",
        "http://x:99999",
        "http://x:y",
        "https://models.example/\u00e9",
    ),
    *("https://user:secret@models.example", "https://secret@models.example/hub", "ftp://x"),
    *("https://models.example?x", "https://models.example#x", "https://a b", "https://\x1b[2J"),
    f"https://{'x' * 70}.example",
]


@pytest.mark.parametrize("mirror", MIRRORS)
def test_mirrors_that_are_no_base_are_refused_without_their_password(mirror: str) -> None:
    with pytest.raises(SettingError, match="is not a base URL") as error:
        address(published()[0], mirror)
    assert "secret" not in str(error.value)
    assert "secret" not in shown_mirror(mirror)


def test_unknown_names_are_reported_briefly() -> None:
    with pytest.raises(SettingError) as error:
        chosen(published(), ["\ud800" * 100] * 1_000_000)
    assert len(str(error.value)) <= 1000


# Several processes

RACER = """
import sys
sys.path.insert(0, sys.argv[1])
from pathlib import Path
from instantid_core.errors import DownloadError
from instantid_core.models.download import RetryPolicy, FileSpec, download
url, size, sha256, target = sys.argv[2:]
print("ready", flush=True)
sys.stdin.readline()
try:
    wanted = FileSpec(url, int(size), sha256)
    download(wanted, Path(target), lambda done, total: None, RetryPolicy(pause=0.0))
    print("whole", flush=True)
except DownloadError as error:
    print(error, flush=True)
"""


def racer(url: str, target: Path) -> subprocess.Popen[str]:
    served = Served(CONTENT)
    return subprocess.Popen(
        [
            sys.executable,
            "-c",
            RACER,
            str(REPOSITORY),
            url,
            str(len(CONTENT)),
            served.sha256,
            target,
        ],
        env={**os.environ, "no_proxy": "*"},
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )


def race(url: str, target: Path, served: Served) -> list[str]:
    """What two processes say that begin together; one of them while the other waits for bytes."""
    racers = [racer(url, target) for _ in range(2)]
    for each in racers:
        assert each.stdout is not None and each.stdout.readline() == "ready\n"
    for each in racers:
        assert each.stdin is not None
        each.stdin.write("\n")
        each.stdin.flush()
    served.held.wait(60)
    time.sleep(0.05)
    served.release.set()
    return [each.communicate(timeout=120)[0].strip() for each in racers]


def test_two_processes_on_one_folder_never_publish_other_bytes(tmp_path: Path) -> None:
    for number in range(2):
        served, target = Served(CONTENT, hold_after=4096), tmp_path / str(number) / "file.bin"
        with ModelServer({"/f": served}) as server:
            said = race(f"{server.url}/f", target, served)
        assert target.read_bytes() == CONTENT
        assert "whole" in said
        assert all(words == "whole" or "being fetched into" in words for words in said), said
        assert [path.name for path in target.parent.iterdir()] == ["file.bin"]


def test_the_loser_says_who_fetches(tmp_path: Path) -> None:
    target = tmp_path / "file.bin"
    reported = r"being fetched into .* by another ComfyUI"
    with fetching(target), pytest.raises(DownloadError, match=reported):
        fetch("http://127.0.0.1:1/f", target)
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("tag", ["", '"other"'], ids=["unknown", "of another file"])
def test_a_fetch_begins_a_new_file(tmp_path: Path, tag: str) -> None:
    """Another program still writes to the old one."""
    target = tmp_path / "file.bin"
    part = tmp_path / "file.bin.part"
    part.write_bytes(b"older")
    part.with_name("file.bin.part.tag").write_text(tag)
    with part.open("ab") as old, ModelServer({"/f": Served(CONTENT)}) as server:
        fetch(f"{server.url}/f", target)
        old.write(b"more")
    assert target.read_bytes() == CONTENT


@pytest.mark.parametrize("how", ["another file", "more bytes"])
def test_what_changed_while_it_was_checked_is_not_published(tmp_path: Path, how: str) -> None:
    part = Part(tmp_path / "file.bin")
    part.begin("")
    part.path.write_bytes(CONTENT)
    checked = part.path.stat()
    if how == "another file":
        (tmp_path / "other").write_bytes(CONTENT)
        (tmp_path / "other").replace(part.path)
    else:
        part.path.write_bytes(CONTENT + b"x")
    with pytest.raises(DownloadError, match="changed while it was checked"):
        part.finish(checked)
    assert not part.target.exists()


# Archives


def test_damaged_archives_are_sentences(tmp_path: Path) -> None:
    """3,000 changed archives: unpacked, or refused by the pack's own error."""
    whole = zipped({"a/one.onnx": CONTENT[:2000], "a/two.onnx": CONTENT[2000:4000]})
    file = ModelFile("", "one.onnx", 2000, Served(CONTENT[:2000]).sha256)
    choose, path = random.Random(23), tmp_path / "archive.zip"
    for _ in range(3_000):
        content = bytearray(whole)
        for _ in range(choose.randint(1, 4)):
            at = choose.choice((choose.randrange(len(content)), -choose.randint(1, 200)))
            content[at] = choose.randrange(256)
        path.write_bytes(content[: choose.choice((None, choose.randrange(len(content))))])
        try:
            unpack(path, {tmp_path / "out" / "one.onnx": file})
        except ArchiveError:
            continue


def test_an_archive_whose_directory_lies(tmp_path: Path) -> None:
    path = tmp_path / "archive.zip"
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("one.onnx", b"x")
    content = bytearray(path.read_bytes())
    at = content.rindex(b"PK\x01\x02")
    content[at + 28 : at + 30] = struct.pack("<H", 0xFFFF)
    path.write_bytes(content)
    with pytest.raises(ArchiveError):
        unpack(path, {tmp_path / "one.onnx": ModelFile("", "one.onnx", 1, "0")})
