"""Prompts files, the files that they name, the ledger, and the scheduler."""

from __future__ import annotations

import json
import socket
from collections.abc import Callable, Sequence
from concurrent.futures import Future
from pathlib import Path
from typing import Any

import pytest

from tools.batch import instances as batch_instances
from tools.batch import worker_client
from tools.batch.files import Files, sha256_of_bytes
from tools.batch.instances import RemoteInstance, has_pack
from tools.batch.ledger import Ledger
from tools.batch.options import forwarded
from tools.batch.progress import Progress, clock
from tools.batch.prompts import PromptFile
from tools.batch.scheduler import MAX_LOSSES, Batch, Worker
from tools.batch.values import Attempt, BatchError, Item, Result
from tools.batch.worker_client import WorkerClient
from tools.comfyui.client import Run
from tools.comfyui.server import ServerError

PROMPT = {"1": {"class_type": "EmptyImage", "inputs": {"width": 8}}}
DONE = Result("done", files={"1_0.png": "sum"})
LOST = Result("lost", "the connection was lost")
FAILED = Result("failed", "a node failed")
REFUSED = Result("refused", "a fault")


def prompt_file(folder: Path, *lines: Any) -> PromptFile:
    path = folder / "prompts.jsonl"
    texts = (line if isinstance(line, str) else json.dumps(line) for line in lines)
    path.write_text("".join(f"{text}\n" for text in texts), encoding="utf-8")
    return PromptFile(path, Files(folder))


# The file of prompts


def test_both_forms_and_blank_lines(tmp_path: Path) -> None:
    file = prompt_file(tmp_path, {"name": "a", "prompt": PROMPT}, "", PROMPT, {"prompt": PROMPT})
    assert [(item.name, item.line) for item in file.items()] == [
        ("a", 1),
        ("000003", 3),
        ("000004", 4),
    ]
    assert all(file.load(item)[0] == PROMPT for item in file.items())


def test_a_byte_order_mark_is_no_fault(tmp_path: Path) -> None:
    file = prompt_file(tmp_path, "\ufeff" + json.dumps(PROMPT))
    assert file.load(file.items()[0])[0] == PROMPT


def test_a_node_may_be_called_prompt(tmp_path: Path) -> None:
    odd = {"prompt": PROMPT["1"]}
    file = prompt_file(tmp_path, odd)
    assert file.load(file.items()[0])[0] == odd


@pytest.mark.parametrize(
    ("line", "message"),
    [
        ("{", "found no JSON"),
        ("[1]", "found a list"),
        ("{}", "found an empty object"),
        ('{"prompt": null}', "found null"),
        ('{"prompt": {}}', "found an empty object"),
        ({"nodes": [], "links": []}, "found a saved workflow"),
        ({"1": {"class_type": "A"}}, "found the entry '1'"),
        ({"1": {"inputs": {}}}, "found the entry '1'"),
        ({"name": "a", "prompt": PROMPT, "nmae": 1}, "found 'nmae' beside them"),
        ({"name": "../a", "prompt": PROMPT}, "found '../a'"),
        ({"name": ".a", "prompt": PROMPT}, "found '.a'"),
        ({"name": "a.", "prompt": PROMPT}, "found 'a.'"),
        ({"name": "Summary.json", "prompt": PROMPT}, "found 'Summary.json'"),
        ({"name": 7, "prompt": PROMPT}, "found 7"),
        ({"name": "FIRST", "prompt": PROMPT}, "is taken by line 1"),
        ("[" * 100_000, "found no JSON|recursion"),
    ],
)
def test_a_bad_line_is_reported_with_its_number(tmp_path: Path, line: Any, message: str) -> None:
    file = prompt_file(tmp_path, {"name": "first", "prompt": PROMPT}, line)
    with pytest.raises(BatchError, match=f"line 2: .*({message}).*Nothing was started."):
        file.items()


def test_no_prompts_and_no_file(tmp_path: Path) -> None:
    with pytest.raises(BatchError, match="holds no prompts"):
        prompt_file(tmp_path, "", " ").items()
    with pytest.raises(BatchError, match="cannot be read"):
        PromptFile(tmp_path / "none", Files(tmp_path)).items()


def test_a_file_that_changes_meanwhile_is_noticed(tmp_path: Path) -> None:
    (item,) = prompt_file(tmp_path, PROMPT).items()
    other = {"1": {"class_type": "EmptyImage", "inputs": {"width": 9}}}
    for line in (other, "{"):
        with pytest.raises(BatchError, match="has changed while the batch ran"):
            prompt_file(tmp_path, line).load(item)


# Files that prompts name


def loading(**inputs: Any) -> dict[str, Any]:
    return {"1": {"class_type": "Any", "inputs": inputs}}


def test_named_files_go_by_their_content(tmp_path: Path) -> None:
    for place, content in (("input/me.png", b"one"), ("output/identities/a/b.safetensors", b"two")):
        (tmp_path / place).parent.mkdir(parents=True)
        (tmp_path / place).write_bytes(content)
    given = loading(image="me.png", identity_name="a/b.safetensors", text="me.png")
    sent, uploads = Files(tmp_path).with_uploads(given)
    one, two = sha256_of_bytes(b"one")[:16], sha256_of_bytes(b"two")[:16]
    assert sent == loading(
        image=f"batch/me-{one}.png", identity_name=f"b-{two}.safetensors", text="me.png"
    )
    assert [(u.kind, u.subfolder, u.name) for u in uploads] == [
        ("input", "batch", f"me-{one}.png"),
        ("output", "identities", f"b-{two}.safetensors"),
    ]
    assert given["1"]["inputs"]["image"] == "me.png"


def test_a_changed_file_makes_another_prompt(tmp_path: Path) -> None:
    digests = set()
    for content in (b"one", b"two"):
        (tmp_path / "me.png").write_bytes(content)
        digests.add(prompt_file(tmp_path, loading(image="me.png")).items()[0].digest)
    assert len(digests) == 2


@pytest.mark.parametrize("name", ["../secret.png", "/etc/hostname", "none.png", "", " ", "a\0", 3])
def test_nothing_outside_the_folder_is_sent(tmp_path: Path, name: Any) -> None:
    (tmp_path / "secret.png").write_bytes(b"secret")
    inside = tmp_path / "inside"
    inside.mkdir()
    (inside / "link.png").symlink_to(tmp_path / "secret.png")
    for value in (name, "link.png"):
        assert Files(inside).with_uploads(loading(image=value)) == (loading(image=value), ())


def test_a_file_that_changes_meanwhile_is_not_sent(tmp_path: Path) -> None:
    (tmp_path / "me.png").write_bytes(b"one")
    _, (upload,) = Files(tmp_path).with_uploads(loading(image="me.png"))
    assert worker_client.read_unchanged(upload) == b"one"
    (tmp_path / "me.png").write_bytes(b"two")
    attempt = Attempt(Item("a", 1, 0, ""), PROMPT, (upload,), tmp_path / "out")
    result = WorkerClient("http://127.0.0.1:1").run(attempt)
    assert result.status == "failed"
    assert "has changed while the batch ran" in result.message


# What comes back


def test_names_of_results_do_not_depend_on_the_worker() -> None:
    entries = [{"filename": f"x_{n}.png", "subfolder": "", "type": "output"} for n in (7, 8)]
    preview = {"filename": "p.png", "subfolder": "", "type": "temp"}
    run = Run("id", {"9": {"images": entries}, "4:2": {"images": [preview], "text": ["0.8"]}})
    assert dict(worker_client.named_entries(run)) == {"9_0.png": entries[0], "9_1.png": entries[1]}
    assert worker_client.texts(run) == {"4:2": {"text": ["0.8"]}}
    shown = Run("id", {"4:2": {"images": [preview], "animated": (False,)}})
    assert dict(worker_client.named_entries(shown)) == {"4%3A2_0.png": preview}
    assert worker_client.texts(shown) == {}


def test_own_output_is_cleared_behind_the_prompt(tmp_path: Path) -> None:
    client = WorkerClient("http://127.0.0.1:1", tmp_path)
    names = ["a.png", "b.png", "b.png", "c.png"]
    for name in names:
        (tmp_path / name).touch()
        client._delete_previous({"9_0.png": {"filename": name, "type": "output"}})
    assert [path.name for path in tmp_path.iterdir()] == ["c.png"]


def test_a_worker_that_does_not_answer_is_lost(tmp_path: Path) -> None:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        url = f"http://127.0.0.1:{probe.getsockname()[1]}"
        result = WorkerClient(url).run(Attempt(Item("a", 1, 0, ""), PROMPT, (), tmp_path / "out"))
    assert result.status == "lost"


# The ledger


def commit(ledger: Ledger, item: Item) -> None:
    folder = ledger.unfinished(item, 1)
    folder.mkdir(parents=True)
    ledger.commit(Attempt(item, PROMPT, (), folder), DONE, "worker 1")


def test_what_is_whole_is_done_and_nothing_else(tmp_path: Path) -> None:
    ledger = Ledger(tmp_path / "out")
    items = [Item(name, number, 0, "digest") for number, name in enumerate("abc")]
    ledger.unfinished(items[0], 1).mkdir(parents=True)
    with ledger.locked():
        assert not ledger.unfinished(items[0], 1).exists()
        commit(ledger, items[0])
        ledger.unfinished(items[1], 1).mkdir(parents=True)
        assert ledger.remaining(items) == items[1:]
    assert [path.name for path in ledger.folder.iterdir() if path.is_dir()] == ["a"]
    entry = json.loads((ledger.folder / "a" / "result.json").read_text(encoding="utf-8"))
    assert (entry["name"], entry["files"], entry["worker"]) == ("a", DONE.files, "worker 1")


def test_results_of_another_prompt_are_not_taken_for_this_one(tmp_path: Path) -> None:
    ledger = Ledger(tmp_path)
    commit(ledger, Item("a", 1, 0, "one"))
    with pytest.raises(BatchError, match="holds the results of another prompt"):
        ledger.remaining([Item("a", 1, 0, "two")])
    (tmp_path / "a" / "result.json").write_text("{", encoding="utf-8")
    with pytest.raises(BatchError, match=r"holds no readable result\.json"):
        ledger.remaining([Item("a", 1, 0, "one")])


def test_an_output_that_is_a_file(tmp_path: Path) -> None:
    (tmp_path / "out").touch()
    with (
        pytest.raises(BatchError, match="--output should name a folder"),
        Ledger(tmp_path / "out").locked(),
    ):
        pass


# The scheduler


class Instance:
    """An instance whose attempts to open end as listed; the last entry repeats."""

    output = None

    def __init__(self, name: str, *openings: Exception | None) -> None:
        self.name = name
        self.openings = list(openings) or [None]
        self.opened = 0
        self.closed = 0

    def open(self) -> str:
        self.opened += 1
        error = self.openings.pop(0) if len(self.openings) > 1 else self.openings[0]
        if error:
            raise error
        return self.name

    def describe(self) -> str:
        return self.name

    def close(self) -> None:
        self.closed += 1


class Client:
    """Ends attempts at once with the result that the rule gives."""

    def __init__(self, worker: str, rule: Callable[[str, str], Result], seen: list) -> None:
        self.worker, self.rule, self.seen = worker, rule, seen

    def run(self, attempt: Attempt) -> Future[Result]:
        self.seen.append((attempt.item.name, self.worker))
        future: Future[Result] = Future()
        result = self.rule(attempt.item.name, self.worker)
        if result.status == "done":
            attempt.folder.mkdir(parents=True)
        if result.status == "lost" and not result.message:
            future.set_exception(RuntimeError("the process is gone"))
        else:
            future.set_result(result)
        return future

    def close(self) -> None:
        pass


class FinishedBatch:
    """A batch of prompts a, b, c, ... that has run to its end."""

    def __init__(
        self,
        folder: Path,
        instances: Sequence[Instance],
        rule: Callable[[str, str], Result],
        count: int = 4,
        tries: int = 3,
    ) -> None:
        lines = [{"name": chr(97 + n), "prompt": PROMPT} for n in range(count)]
        file = prompt_file(folder, *lines)
        self.ledger = Ledger(folder / "out")
        self.seen: list[tuple[str, str]] = []
        self.progress = Progress(count, 0)
        self.error = ""
        workers = [Worker(instance) for instance in instances]

        def connect(url: str, _output: Path | None) -> Client:
            return Client(url, rule, self.seen)

        with self.ledger.locked():
            batch = Batch(file, self.ledger, workers, connect, tries, self.progress)
            try:
                batch.run(file.items())
            except BatchError as error:
                self.error = str(error)
        assert all(instance.closed for instance in instances)

    def done(self) -> str:
        return "".join(sorted(p.name for p in self.ledger.folder.iterdir() if p.is_dir()))

    def tried(self, name: str) -> list[str]:
        return [worker for prompt, worker in self.seen if prompt == name]


def test_every_prompt_once(tmp_path: Path) -> None:
    ended = FinishedBatch(tmp_path, [Instance("one"), Instance("two")], lambda *_: DONE)
    assert sorted(name for name, _ in ended.seen) == list("abcd")
    assert ended.done() == "abcd"
    assert ended.progress.figures()["left"] == 0


@pytest.mark.parametrize("result", [LOST, Result("lost")], ids=["reported", "process gone"])
def test_a_lost_worker_is_opened_again_and_another_takes_its_prompt(
    tmp_path: Path, result: Result
) -> None:
    lost: list[str] = []

    def rule(name: str, worker: str) -> Result:
        if worker == "one" and not lost:
            lost.append(name)
            return result
        return DONE

    instances = [Instance("one"), Instance("two")]
    ended = FinishedBatch(tmp_path, instances, rule)
    assert ended.done() == "abcd"
    assert ended.tried(lost[0]) == ["one", "two"]
    assert ended.progress.figures()["retries"] == 1


def test_a_prompt_that_no_worker_survives_is_given_up(tmp_path: Path) -> None:
    ended = FinishedBatch(
        tmp_path, [Instance("one"), Instance("two")], lambda n, _: LOST if n == "b" else DONE
    )
    assert ended.done() == "acd"
    assert len(ended.tried("b")) == 3
    assert not ended.error


@pytest.mark.parametrize(("result", "tries"), [(FAILED, 2), (REFUSED, 1)])
def test_a_prompt_with_a_fault(tmp_path: Path, result: Result, tries: int) -> None:
    def rule(name: str, _: str) -> Result:
        return result if name == "a" else DONE

    ended = FinishedBatch(tmp_path, [Instance("one")], rule, tries=2)
    assert ended.done() == "bcd"
    assert len(ended.tried("a")) == tries
    (line,) = (ended.ledger.folder / "failed.jsonl").read_text(encoding="utf-8").splitlines()
    entry = json.loads(line)
    assert (entry["name"], entry["line"], entry["tries"]) == ("a", 1, tries)
    assert entry["words"] == result.message


def test_a_worker_that_is_always_lost_is_left_out(tmp_path: Path) -> None:
    instances = [Instance("one"), Instance("two")]
    ended = FinishedBatch(
        tmp_path, instances, lambda _, worker: LOST if worker == "one" else DONE, 20
    )
    assert ended.done() == "".join(chr(97 + n) for n in range(20))
    assert sum(worker == "one" for _, worker in ended.seen) <= MAX_LOSSES


def test_a_result_that_cannot_be_stored_ends_the_batch(tmp_path: Path) -> None:
    one = Instance("one")
    rule = lambda name, _: DONE if name == "a" else Result("unwritable", "No room.")  # noqa: E731
    ended = FinishedBatch(tmp_path, [one], rule)
    assert ended.error.startswith("No room. What is done is kept. Make room on the disk")
    assert (ended.done(), ended.tried("b"), ended.tried("c")) == ("a", ["one"], [])
    assert one.opened == 1


def test_no_worker_left_is_reported(tmp_path: Path) -> None:
    ended = FinishedBatch(tmp_path, [Instance("one", ServerError("no disk"))], lambda *_: DONE)
    assert "No worker is left, and 4 prompts are not done" in ended.error
    assert "no disk" in ended.error


def test_one_that_does_not_start_is_done_without(tmp_path: Path) -> None:
    instances = [Instance("one", BatchError("nothing answers")), Instance("two")]
    assert FinishedBatch(tmp_path, instances, lambda *_: DONE).done() == "abcd"


# Workers


@pytest.mark.parametrize("url", ["127.0.0.1:8188", "ftp://127.0.0.1", "http://127.0.0.1:1"])
def test_an_address_without_comfyui(url: str) -> None:
    with pytest.raises(BatchError, match="should be the address of a running ComfyUI"):
        RemoteInstance("one", url).check()


def test_waiting_for_a_given_worker_ends_with_the_batch() -> None:
    instance = RemoteInstance("one", "http://127.0.0.1:1", limit=1000)
    instance.close()
    with pytest.raises(BatchError):
        instance.open()


def test_the_pack_is_found_among_custom_nodes(tmp_path: Path) -> None:
    assert not has_pack(tmp_path)
    project = tmp_path / "custom_nodes" / "any name" / "pyproject.toml"
    project.parent.mkdir(parents=True)
    project.write_text('[project]\nname = "instantid-compose"\n', encoding="utf-8")
    assert has_pack(tmp_path)


def test_threads_are_set_for_the_workers_alone() -> None:
    assert batch_instances.thread_limits(None) == {}
    assert set(batch_instances.thread_limits(2).values()) == {"2"}


# The command line


def test_options_reach_the_other_python(tmp_path: Path, monkeypatch: Any) -> None:
    monkeypatch.syspath_prepend(str(Path(__file__).parents[2]))
    import dev

    line = ["batch", str(tmp_path / "p.jsonl"), "--worker=http://a", "--workers=2", "--tries=5"]
    assert forwarded(dev.build_parser().parse_args(line)) == [
        "--worker=http://a",
        "--workers=2",
        "--tries=5",
        "--",
        str(tmp_path / "p.jsonl"),
    ]


def test_times_are_readable() -> None:
    assert [clock(s) for s in (0, 61, 3600)] == ["0:00", "1:01", "1:00:00"]
