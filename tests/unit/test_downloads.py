"""Downloads against a real server that misbehaves in every way a test can think of."""

from __future__ import annotations

import errno
import os
import random
import re
import stat
import threading
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from support.model_server import ModelServer, Served

from instantid_core.errors import DownloadCancelledError, DownloadError
from instantid_core.models.disk_space import MARGIN
from instantid_core.models.download import FileSpec, RetryPolicy, download, sha256_of

CONTENT = random.Random(5).randbytes(300_001)
PATH = "/some/file.bin"
AMPLE = 1 << 40


@pytest.fixture(autouse=True)
def no_proxy(monkeypatch):
    monkeypatch.setenv("no_proxy", "*")


@pytest.fixture
def served() -> Served:
    return Served(CONTENT)


@pytest.fixture
def server(served) -> Iterator[ModelServer]:
    with ModelServer({PATH: served}) as running:
        yield running


@pytest.fixture
def target(tmp_path) -> Path:
    return tmp_path / "models" / "file.bin"


def policy(**settings) -> RetryPolicy:
    return RetryPolicy(**{"timeout": 20.0, "attempts": 3, "pause": 0.0} | settings)


@pytest.fixture
def fetch(server, target) -> Callable[..., list[int]]:
    """Fetches CONTENT into target; returns the bytes that progress reported."""

    def run(path=PATH, progress=None, **settings):
        progress = [] if progress is None else progress
        wanted = FileSpec(server.url + path, len(CONTENT), Served(CONTENT).sha256)
        download(wanted, target, lambda done, _: progress.append(done), policy(**settings))
        return progress

    return run


def left_over(target: Path) -> list[str]:
    return sorted(path.name for path in target.parent.glob("*"))


def part_of(target: Path) -> Path:
    return target.with_name(target.name + ".part")


def test_a_file_comes_whole_and_leaves_nothing_beside_it(fetch, target):
    progress = fetch()
    assert target.read_bytes() == CONTENT
    assert left_over(target) == ["file.bin"]
    assert progress == sorted(progress)
    assert progress[-1] == len(CONTENT)


def test_an_older_file_is_replaced_only_by_a_whole_one(fetch, target, served):
    target.parent.mkdir(parents=True)
    target.write_bytes(b"older")
    served.failures = [404]
    with pytest.raises(DownloadError, match="404"):
        fetch()
    assert target.read_bytes() == b"older"
    fetch()
    assert target.read_bytes() == CONTENT


def test_dropped_connections_are_resumed(fetch, target, served):
    served.drops = [100_000, 50_000, 7]
    fetch(attempts=1)
    assert target.read_bytes() == CONTENT
    assert [asked.get("range") for asked in served.requests] == [
        None,
        "bytes=100000-",
        "bytes=150000-",
        "bytes=150007-",
    ]
    assert {asked["if-range"] for asked in served.requests[1:]} == {'"first"'}


def test_a_dead_server_is_given_up(fetch, target, served):
    served.drops = [100_000, *([0] * 9)]
    with pytest.raises(DownloadError, match="Tried 3 times in a row"):
        fetch()
    assert len(served.requests) == 1 + 3
    assert not target.exists()
    assert part_of(target).stat().st_size == 100_000


def test_a_later_call_goes_on(fetch, target, served):
    served.drops = [100_000, 0]
    with pytest.raises(DownloadError):
        fetch(attempts=1)
    fetch()
    assert target.read_bytes() == CONTENT
    assert served.requests[-1]["range"] == "bytes=100000-"


def test_busy_servers_are_asked_again(fetch, target, served):
    served.failures = [503, 429]
    fetch()
    assert target.read_bytes() == CONTENT


def test_a_server_without_ranges_starts_over(fetch, target, served):
    served.drops, served.ranges = [100_000], False
    fetch()
    assert target.read_bytes() == CONTENT


@pytest.mark.parametrize("honest", [True, False], ids=["starts over", "ignores If-Range"])
def test_a_file_that_changed_between_two_parts_is_not_glued_together(fetch, target, served, honest):
    old = bytes(len(CONTENT))
    served.content, served.drops = old, [100_000, 0]
    with pytest.raises(DownloadError):
        fetch(attempts=1)
    served.content, served.etag, served.if_range = CONTENT, '"second"', honest
    fetch()
    assert target.read_bytes() == CONTENT


@pytest.mark.parametrize("etag", ["", 'W/"weak"'])
def test_without_a_strong_validator_nothing_is_resumed(fetch, target, served, etag):
    served.etag, served.drops = etag, [100_000]
    fetch()
    assert target.read_bytes() == CONTENT
    assert [asked.get("range") for asked in served.requests] == [None, None]


def test_a_part_that_starts_elsewhere_is_refused(fetch, target, served):
    served.drops, served.range_start = [100_000], 5
    with pytest.raises(DownloadError, match="at byte 100000 and starts at 5"):
        fetch()
    assert not target.exists()


def test_a_part_longer_than_the_file_is_dropped(fetch, target, served):
    target.parent.mkdir(parents=True)
    part_of(target).write_bytes(CONTENT + b"more")
    part_of(target).with_name("file.bin.part.tag").write_text('"first"')
    fetch()
    assert target.read_bytes() == CONTENT
    assert "range" not in served.requests[0]


@pytest.mark.parametrize("announced", [5, len(CONTENT) + 5], ids=["less", "more"])
def test_an_announced_length_that_is_not_the_published_one_is_refused(
    fetch, target, served, announced
):
    served.announced = announced
    with pytest.raises(DownloadError, match=f"announces {announced}"):
        fetch()
    assert left_over(target) == []


def test_a_body_longer_than_published_is_refused(fetch, target, served):
    served.announced, served.content = 0, CONTENT + b"more"
    progress: list[int] = []
    with pytest.raises(DownloadError, match="sends more"):
        fetch(progress=progress)
    assert left_over(target) == []
    assert max(progress) <= len(CONTENT), "what is too much is not written either"


def test_a_body_shorter_than_announced_is_not_taken_for_whole(fetch, target, served):
    served.content, served.announced, served.ranges = CONTENT[:-1], len(CONTENT), False
    with pytest.raises(DownloadError, match=r"ended early|connection was lost"):
        fetch()
    assert not target.exists()


def test_a_page_is_not_a_model(fetch, target, served):
    served.content_type = "text/html; charset=utf-8"
    with pytest.raises(DownloadError, match="sent a page"):
        fetch()
    assert left_over(target) == []


def test_a_wrong_hash_is_not_kept(fetch, target, served):
    served.content = CONTENT[:-1] + bytes([CONTENT[-1] ^ 1])
    with pytest.raises(DownloadError, match=re.escape(served.sha256)):
        fetch()
    assert left_over(target) == []


@pytest.mark.parametrize("status", [401, 403, 404, 410])
def test_what_cannot_be_had_is_not_asked_for_again(fetch, served, status):
    served.failures = [status] * 5
    with pytest.raises(DownloadError, match=f"answered {status}"):
        fetch()
    assert len(served.requests) == 1


def test_a_redirect_on_the_same_host_is_followed(fetch, target, server):
    server.files["/moved"] = Served(b"", status=302, location=server.url + PATH)
    fetch(path="/moved")
    assert target.read_bytes() == CONTENT


@pytest.mark.parametrize(
    "location", ["http://localhost:9/x", "ftp://127.0.0.1/x", "file:///etc/passwd"]
)
def test_a_redirect_to_elsewhere_is_refused(fetch, target, server, location):
    server.files["/moved"] = Served(b"", status=302, location=location)
    with pytest.raises(DownloadError, match=r"not followed|answered 302"):
        fetch(path="/moved")
    assert not target.exists()


@pytest.mark.parametrize(("hops", "arrives"), [(5, True), (6, False)])
def test_redirects_are_counted(fetch, target, server, hops, arrives):
    for hop in range(hops):
        onward = f"/hop{hop + 1}" if hop + 1 < hops else PATH
        server.files[f"/hop{hop}"] = Served(b"", status=302, location=onward)
    if not arrives:
        with pytest.raises(DownloadError, match="answered 302"):
            fetch(path="/hop0")
    else:
        fetch(path="/hop0")
    assert target.exists() is arrives


@pytest.mark.parametrize("url", ["file:///etc/passwd", "ftp://127.0.0.1/x", "data:,x"])
def test_only_web_addresses_are_opened(target, url):
    with pytest.raises(DownloadError, match="http or https"):
        download(FileSpec(url, 1, ""), target, lambda *_: None, policy())


def test_a_full_disk_is_noticed_before_a_byte_is_asked_for(fetch, target, served):
    with pytest.raises(DownloadError, match="free some space"):
        fetch(free=lambda _: len(CONTENT) + MARGIN - 1)
    assert served.requests == []
    fetch(free=lambda _: len(CONTENT) + MARGIN)


def test_only_the_rest_needs_room(fetch, target, served):
    served.drops = [100_000, 0]
    with pytest.raises(DownloadError):
        fetch(attempts=1)
    fetch(free=lambda _: len(CONTENT) - 100_000 + MARGIN)


def test_a_folder_that_cannot_be_written_is_a_sentence(fetch, target):
    target.parent.parent.mkdir(exist_ok=True)
    target.parent.write_text("a file where a folder should be")
    with pytest.raises(DownloadError, match="cannot be written"):
        fetch(free=lambda _: AMPLE)


@pytest.mark.skipif(os.name != "posix", reason="Windows has no fsync of a folder")
@pytest.mark.parametrize("number", [errno.EINVAL, errno.ENOTSUP], ids=["EINVAL", "ENOTSUP"])
def test_a_file_system_without_fsync_of_folders_is_good_enough(fetch, target, monkeypatch, number):
    fsync = os.fsync

    def without_folders(file: int) -> None:
        if stat.S_ISDIR(os.fstat(file).st_mode):
            raise OSError(number, os.strerror(number))
        fsync(file)

    monkeypatch.setattr(os, "fsync", without_folders)
    fetch()
    assert target.read_bytes() == CONTENT
    assert left_over(target) == ["file.bin"]


def test_a_rename_that_fails_is_reported(fetch, target, monkeypatch):
    def refused(*_: object) -> None:
        raise OSError(errno.EINVAL, os.strerror(errno.EINVAL))

    monkeypatch.setattr(os, "replace", refused)
    with pytest.raises(DownloadError, match="cannot be written"):
        fetch()


SILENCE = 0.2
"""Seconds that a client waits here for the next byte."""
BOUND = 10.0
"""Seconds until a held server sends on, so that no client waits for ever."""


@pytest.fixture
def silent(served) -> Iterator[Served]:
    """A server that holds each answer after the bytes that a test names, and says no more."""
    bound = threading.Timer(BOUND, served.release.set)
    bound.start()
    yield served
    bound.cancel()


def test_a_server_that_falls_silent_is_asked_for_the_rest(fetch, target, silent):
    # The second answer is shorter than that, so nothing holds it.
    silent.hold_after = 2 * len(CONTENT) // 3
    fetch(timeout=SILENCE)
    assert not silent.release.is_set(), "the client waited until the server went on"
    assert target.read_bytes() == CONTENT
    first, second, *_ = silent.requests
    assert "range" not in first
    assert re.fullmatch(r"bytes=\d+-", second["range"])


def test_a_server_that_stays_silent_is_given_up(fetch, target, silent):
    silent.hold_after = 0
    with pytest.raises(DownloadError, match=r"connection was lost .*timed out.* Tried 2 times"):
        fetch(timeout=SILENCE, attempts=2)
    assert not silent.release.is_set(), "the client waited until the server went on"
    assert len(silent.requests) == 2
    assert not target.exists()


def test_cancel_keeps_what_has_come(fetch, target, served):
    served.hold_after = 200_000
    cancelled = threading.Event()
    errors: list[BaseException] = []

    def run():
        try:
            fetch(cancelled=cancelled)
        except DownloadCancelledError as error:
            errors.append(error)

    thread = threading.Thread(target=run)
    thread.start()
    assert served.held.wait(20)
    cancelled.set()
    served.release.set()
    thread.join(20)
    assert len(errors) == 1
    assert "resumes from there" in str(errors[0])
    kept = part_of(target).read_bytes()
    assert 0 < len(kept) <= len(CONTENT)
    assert kept == CONTENT[: len(kept)]
    assert not target.exists()
    fetch()
    assert target.read_bytes() == CONTENT


def test_cancel_is_heard_between_two_chunks(server, target):
    cancelled = threading.Event()
    wanted = FileSpec(server.url + PATH, len(CONTENT), Served(CONTENT).sha256)
    with pytest.raises(DownloadCancelledError):
        download(wanted, target, lambda *_: cancelled.set(), policy(cancelled=cancelled))
    assert 0 < part_of(target).stat().st_size < len(CONTENT)


def test_cancel_while_waiting_for_another_attempt(fetch, served):
    served.failures = [503] * 5
    cancelled = threading.Event()
    cancelled.set()
    with pytest.raises(DownloadCancelledError):
        fetch(cancelled=cancelled, pause=3600.0)
    assert len(served.requests) <= 1, "the stop may come before the first answer"


def test_hashes(tmp_path):
    path = tmp_path / "x"
    path.write_bytes(CONTENT)
    assert sha256_of(path) == Served(CONTENT).sha256
