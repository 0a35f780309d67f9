"""What hostile workers, prompts and disks do to a batch: sentences, and nothing that is lost."""

from __future__ import annotations

import errno
import json
import os
import re
import tempfile
import time
from pathlib import Path
from typing import Any

import pytest

from tools.batch import command, worker_client
from tools.batch.files import Files
from tools.batch.prompts import read_line
from tools.batch.values import Attempt, Item, Result
from tools.batch.worker_client import WorkerClient
from tools.comfyui import client
from tools.comfyui.client import ClientError, Run, RunFailedError, multipart


def answer_of(monkeypatch: pytest.MonkeyPatch, outputs: Any) -> Result:
    """The result of an attempt on a worker whose prompt shows these outputs."""
    worker = WorkerClient("http://127.0.0.1:1")
    monkeypatch.setattr(worker.client, "run", lambda prompt: Run("id", outputs))
    monkeypatch.setattr(worker.client, "image", lambda entry: b"picture")
    with tempfile.TemporaryDirectory() as scratch:
        return worker.run(Attempt(Item("a", 1, 0, ""), {}, (), Path(scratch) / "a"))


FILE = {"filename": "a.png", "type": "output"}


@pytest.mark.parametrize(
    "outputs",
    [
        {"9": []},
        {"9": None},
        {"9": 5},
        {"9": {"images": [{"filename": 5, "type": "output"}]}},
        {"9": {"images": [{"filename": None, "type": None}]}},
        {5: {"images": [FILE]}},
        {"9": {"images": [FILE] * 1001}},
        [],
        None,
        {"\ud800": {"images": [FILE]}},
    ],
)
def test_what_a_worker_shows_never_raises(monkeypatch: pytest.MonkeyPatch, outputs: Any) -> None:
    outcome = answer_of(monkeypatch, outputs)
    assert (outcome.status, bool(outcome.message)) == ("lost", True)


def test_a_workers_words_are_printable_and_short(monkeypatch: pytest.MonkeyPatch) -> None:
    hand = WorkerClient("http://127.0.0.1:1")

    def fail(prompt: Any) -> Run:
        raise RunFailedError("\ud800\x1b[2J" * 100_000)

    monkeypatch.setattr(hand.client, "run", fail)
    outcome = hand.run(Attempt(Item("a", 1, 0, ""), {}, (), Path("unused")))
    assert outcome.status == "failed"
    assert outcome.message.startswith(r"\ud800\x1b[2J")
    assert len(outcome.message) <= worker_client.LONGEST_WORDS


def test_results_of_ids_that_look_alike_stay_apart() -> None:
    ids = ["1:2", "1_2", "1.2", "1/2", "a", "A", "ä", "1%3A2"]
    run = Run("id", {node: {"images": [FILE]} for node in ids})
    names = [name for name, _ in worker_client.named_entries(run)]
    assert len({name.lower() for name in names}) == len(ids)
    assert all(re.fullmatch(r"[a-zA-Z0-9_%-]+\.png", name) for name in names)


@pytest.mark.parametrize(
    "value",
    ["x" * 5000 + ".png", "loop/a.png", "\ud800.png", ".ssh/key.png", "id_rsa", "notes.txt", "a\0"],
)
def test_files_that_are_never_sent(tmp_path: Path, value: str) -> None:
    (tmp_path / "loop").symlink_to(tmp_path / "loop")
    (tmp_path / ".ssh").mkdir()
    for name in (".ssh/key.png", "id_rsa", "notes.txt"):
        (tmp_path / name).write_bytes(b"secret")
    prompt = {"1": {"class_type": "LoadImage", "inputs": {"image": value}}}
    assert Files(tmp_path).with_uploads(prompt) == (prompt, ())


@pytest.mark.parametrize("name", ["CON", "nul.txt", "com1", "Lpt9.a"])
def test_names_that_windows_keeps_are_refused(name: str) -> None:
    line = json.dumps({"name": name, "prompt": {"1": {"class_type": "A", "inputs": {}}}})
    with pytest.raises(ValueError, match="device of Windows"):
        read_line(line.encode(), 1)


def test_a_name_cannot_break_a_form() -> None:
    body, _ = multipart('a"\r\nX-Evil: 1\r\n.png', b"content")
    assert b'filename="a%22%0D%0AX-Evil: 1%0D%0A.png"' in body
    assert body.count(b"\r\n\r\n") == 1


def test_a_full_disk_is_a_sentence(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def full(options: Any) -> int:
        raise OSError(errno.ENOSPC, "No space left on device", str(tmp_path))

    monkeypatch.setattr(command, "run", full)
    assert command.main(["a.jsonl"]) == 1
    said = capsys.readouterr().err
    assert "No space left on device" in said and "What is done is kept" in said
    assert "Traceback" not in said


def test_a_result_that_cannot_be_stored_is_no_fault_of_the_worker(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    worker = WorkerClient("http://127.0.0.1:1")
    monkeypatch.setattr(worker.client, "run", lambda prompt: Run("id", {"9": {"images": [FILE]}}))
    monkeypatch.setattr(worker.client, "image", lambda entry: b"picture")
    attempt = Attempt(Item("a", 1, 0, ""), {}, (), tmp_path / "a")
    attempt.folder.touch()
    ended = worker.run(attempt)
    assert (ended.status, str(attempt.folder) in ended.message) == ("unwritable", True)
    attempt.folder.unlink()
    monkeypatch.setattr(os, "fsync", full)
    ended = worker.run(attempt)
    assert (ended.status, "No space left on device" in ended.message) == ("unwritable", True)


def full(*_: object) -> None:
    raise OSError(errno.ENOSPC, "No space left on device")


class Endless:
    """A body that does not end."""

    def read1(self, size: int) -> bytes:
        return bytes(size)


def test_an_answer_has_a_size_and_an_end(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(client, "LARGEST_ANSWER", 5 << 20)
    with pytest.raises(ClientError, match="sends more than 5242880 bytes"):
        client.received(Endless(), time.monotonic() + 60)  # pyright: ignore[reportArgumentType]
    monkeypatch.setattr(client, "PIECE", 1)
    with pytest.raises(ClientError, match="did not end within"):
        client.received(Endless(), time.monotonic() - 1)  # pyright: ignore[reportArgumentType]
