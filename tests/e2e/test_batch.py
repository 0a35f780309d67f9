"""`dev.py batch` as a user starts it, on real ComfyUI workers with the small models."""

from __future__ import annotations

import json
import os
import re
import signal
import subprocess
import sys
from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import NamedTuple

import pytest
from PIL import Image
from support import listening
from support.batch_output import finished, finished_prompts
from support.model_server import ModelServer, Served

from tools.batch import example as batch_small
from tools.comfyui.server import HostServer, free_port
from tools.registry.checkout import source_files
from tools.small_world import painter

pytestmark = [
    pytest.mark.thorough,
    pytest.mark.skipif(sys.platform == "win32", reason="ends processes by signals"),
]
COUNT = 12
BATCH = "`dev.py batch`"
PROCESS = re.compile(r"^(worker \d): http://\S+, process (\d+)", re.MULTILINE)


class Done(NamedTuple):
    """A batch that has ended."""

    code: int
    said: str
    output: Path

    def finished(self) -> list[str]:
        return finished_prompts(self.said)

    def pictures(self) -> dict[str, dict[str, bytes]]:
        """By prompt and file name: everything that makes the picture."""
        return {
            folder.name: {file.name: painted(file) for file in folder.glob("*.png")}
            for folder in self.output.iterdir()
            if folder.is_dir() and not folder.name.startswith(".")
        }

    def result(self, name: str) -> dict:
        return json.loads((self.output / name / "result.json").read_text(encoding="utf-8"))


def painted(file: Path) -> bytes:
    """A PNG file without its texts: ComfyUI notes there when an identity file was last changed."""
    content = file.read_bytes()
    kept, place = content[:8], 8
    while place < len(content):
        length = int.from_bytes(content[place : place + 4], "big") + 12
        if content[place + 4 : place + 8] != b"tEXt":
            kept += content[place : place + length]
        place += length
    return kept


class Running:
    """A running batch, and its output so far."""

    def __init__(self, process: subprocess.Popen[str], output: Path) -> None:
        self.process = process
        self.output = output
        self.lines: list[str] = []

    @property
    def said(self) -> str:
        return "".join(self.lines)

    def until_finished(self, count: int) -> None:
        """Reads on until so many prompts are done."""
        while len(finished(self.said)) < count:
            line = self.process.stdout.readline()
            assert line, f"ended too early:\n{self.said}"
            self.lines.append(line)

    def workers(self) -> dict[str, int]:
        return {name: int(number) for name, number in PROCESS.findall(self.said)}

    def interrupt(self) -> None:
        """Ctrl-C: the signal goes to everything that runs in front."""
        os.killpg(self.process.pid, signal.SIGINT)

    def end(self) -> Done:
        self.lines.append(self.process.stdout.read())
        return Done(self.process.wait(), self.said, self.output)


@contextmanager
def running(repository: Path, prompts: Path, output: Path, *arguments: str) -> Iterator[Running]:
    command = [sys.executable, str(repository / "dev.py"), "batch", str(prompts)]
    with subprocess.Popen(
        [*command, f"--output={output}", *arguments],
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        start_new_session=True,
    ) as process:
        try:
            yield Running(process, output)
        finally:
            if process.poll() is None:
                os.killpg(process.pid, signal.SIGTERM)


def batch(repository: Path, prompts: Path, output: Path, *arguments: str) -> Done:
    with running(repository, prompts, output, *arguments) as under_way:
        return under_way.end()


def is_alive(process: int) -> bool:
    try:
        os.kill(process, 0)
    except ProcessLookupError:
        return False
    return True


@pytest.fixture(scope="module")
def prompts(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A dozen: portraits of two saved identities, and a picture that is only copied."""
    folder = tmp_path_factory.mktemp("prompts")
    batch_small.write_identities(folder)
    (folder / "input").mkdir()
    Image.fromarray(painter.portrait(64, 64, identity=3)[0]).save(folder / "input" / "photo.png")
    portraits = {f"p{n:02}": batch_small.portrait(n) for n in range(COUNT - 1)}
    everything = {**portraits, "copy": batch_small.copied("photo.png")}
    return batch_small.write_prompts(folder / "prompts.jsonl", everything)


class Killed(NamedTuple):
    """A batch that has lost a worker."""

    done: Done
    listeners: dict[str, bool]
    """What listened while it ran."""


@pytest.fixture(scope="module")
def killed(repository: Path, prompts: Path, tmp_path_factory: pytest.TempPathFactory) -> Killed:
    """On three workers, one of which is killed."""
    output = tmp_path_factory.mktemp("several")
    with running(repository, prompts, output, "--workers=3", "--threads=1") as under_way:
        under_way.until_finished(1)
        # It has its next prompt by now.
        (first,) = finished(under_way.said)
        os.kill(under_way.workers()[first.worker], signal.SIGKILL)
        # In a session of its own, which has the number of its first process.
        listeners = listening.listeners(under_way.process.pid)
        done = under_way.end()
    assert f"{first.worker} was lost with" in done.said
    return Killed(done, listeners)


@pytest.fixture(scope="module")
def several(killed: Killed) -> Done:
    return killed.done


class Interrupted(NamedTuple):
    first: Done
    workers: dict[str, int]
    times: dict[str, int]
    """Of what was there when the second run began."""
    second: Done


@pytest.fixture(scope="module")
def single(
    repository: Path, prompts: Path, tmp_path_factory: pytest.TempPathFactory
) -> Interrupted:
    """On one worker; stopped by Ctrl-C, then started again."""
    output = tmp_path_factory.mktemp("single")
    arguments = ("--workers=1", "--threads=1")
    with running(repository, prompts, output, *arguments) as under_way:
        under_way.until_finished(3)
        workers = under_way.workers()
        under_way.interrupt()
        first = under_way.end()
    times = {path.parent.name: path.stat().st_mtime_ns for path in output.glob("*/result.json")}
    # As if the machine had gone down while a prompt was being written.
    half = output / ".unfinished" / "p10.1"
    half.mkdir(parents=True)
    (half / "9_0.png").write_bytes(b"half a picture")
    return Interrupted(first, workers, times, batch(repository, prompts, output, *arguments))


def everything() -> list[str]:
    return sorted(["copy", *(f"p{n:02}" for n in range(COUNT - 1))])


@pytest.mark.combination(BATCH, "three workers, one killed: every prompt is done exactly once")
def test_every_prompt_is_done_once_although_a_worker_dies(several: Done) -> None:
    assert several.code == 0, several.said
    assert sorted(several.finished()) == everything()
    assert sorted(several.pictures()) == everything()
    assert all(len(files) == 1 for files in several.pictures().values())
    assert Counter(several.result(name)["tries"] for name in everything())[2] == 1
    assert not (several.output / ".unfinished").exists()


def test_several_workers_share_the_work(several: Done) -> None:
    assert len({several.result(name)["worker"] for name in everything()}) > 1


@pytest.mark.skipif(sys.platform != "linux", reason="reads /proc")
def test_nothing_of_it_can_be_reached_from_elsewhere(killed: Killed) -> None:
    names = ("gcs_server", "raylet", "main.py")
    assert all(any(name in command for command in killed.listeners) for name in names)
    assert all(killed.listeners.values()), killed.listeners


@pytest.mark.combination(BATCH, "its pictures are those of a single worker, bit for bit")
def test_pictures_are_those_of_a_single_worker(several: Done, single: Interrupted) -> None:
    """Bit for bit, and no two alike, so that the comparison says something."""
    assert several.pictures() == single.second.pictures()
    assert len({bytes(*files.values()) for files in several.pictures().values()}) == COUNT


def test_ctrl_c_stops_workers_and_keeps_what_is_done(single: Interrupted) -> None:
    first, workers, times, _ = single
    assert first.code == 130, first.said
    assert "finished results are kept" in first.said
    assert set(times) == set(first.finished())
    assert not any(map(is_alive, workers.values()))
    assert "Traceback" not in first.said


@pytest.mark.combination(BATCH, "stopped by Ctrl-C and started again: only the rest is done")
def test_a_second_run_does_only_the_rest(single: Interrupted) -> None:
    first, _, times, second = single
    assert second.code == 0, second.said
    assert sorted(first.finished() + second.finished()) == everything()
    for name, time in times.items():
        assert (second.output / name / "result.json").stat().st_mtime_ns == time
    assert f"{len(times)} were done before" in second.said
    assert sorted(second.pictures()) == everything()


def test_nothing_left_starts_nothing(repository: Path, prompts: Path, single: Interrupted) -> None:
    done = batch(repository, prompts, single.second.output)
    assert done.code == 0
    assert not PROCESS.findall(done.said)
    assert done.said.startswith(f"0 done in 0:00; {COUNT} were done before")


def test_files_go_by_their_content(single: Interrupted) -> None:
    """What ComfyUI notes in each picture names the file that was sent."""
    for name in everything():
        (file,) = (single.second.output / name).glob("*.png")
        picture = file.read_bytes()
        (used,) = set(re.findall(rb'"(?:batch/)?(anna|ben|photo)-[0-9a-f]{16}\.', picture))
        assert used == (b"photo" if name == "copy" else (b"anna", b"ben")[int(name[1:]) % 2])


def test_what_cannot_be_done_is_reported_and_the_rest_goes_on(
    repository: Path, prompts: Path, server: HostServer, tmp_path: Path
) -> None:
    """A prompt that ComfyUI refuses is tried once, one that fails while it runs twice."""
    refused = batch_small.portrait(1)
    refused["7"]["inputs"]["sampler_name"] = "no such sampler"
    failing = {
        "1": batch_small.node("EmptyImage", width=32, height=32, batch_size=1, color=0),
        "2": batch_small.node("ImageFromBatch", image=["1", 0], batch_index=0, length=1),
        "3": batch_small.node("InstantIDLoadFaceAnalyzer", model_pack="antelopev2", provider="cpu"),
        "4": batch_small.node(
            "InstantIDAnalyzeFaces",
            **{"analyzer": ["3", 0], "image": ["2", 0], "select": "largest", "index": 0},
            **{"min_score": 0.5, "on_no_face": "error"},
        ),
        "5": batch_small.node("PreviewImage", images=["4", 1]),
    }
    lines = {"refused": refused, "nobody": failing, "good": batch_small.copied("photo.png")}
    mixed = batch_small.write_prompts(tmp_path / "mixed.jsonl", lines)
    arguments = (f"--worker={server.url}", f"--files={prompts.parent}", "--tries=2")
    done = batch(repository, mixed, tmp_path / "out", *arguments)
    assert done.code == 1
    assert done.finished() == ["good"]
    assert set(done.pictures()) == {"good"}
    assert "refused (line 1) is given up after 1 try: ComfyUI did not accept" in done.said
    assert "nobody (line 2) is given up after 2 tries: " in done.said
    assert "No face was found in image 1 of 1" in done.said
    failed = (done.output / "failed.jsonl").read_text(encoding="utf-8").splitlines()
    assert {line["name"]: line["ending"] for line in map(json.loads, failed)} == {
        "refused": "refused",
        "nobody": "failed",
    }


def refusal(repository: Path, tmp_path: Path, prompts: Path, arguments: Sequence[str]) -> str:
    done = batch(repository, prompts, tmp_path / "out", *arguments)
    assert done.code == 1
    assert "Traceback" not in done.said
    assert not (tmp_path / "out").exists()
    return done.said


def test_a_malformed_line_is_reported_by_its_number(repository: Path, tmp_path: Path) -> None:
    path = batch_small.write_prompts(tmp_path / "p.jsonl", {"a": batch_small.copied("x.png")})
    with path.open("a", encoding="utf-8") as file:
        file.write('\n{"name": "b", "prompt": {"1": \n')
    said = refusal(repository, tmp_path, path, ["--worker=http://127.0.0.1:1"])
    assert f"error: {path}, line 3: Expected " in said
    assert "Nothing was started." in said


def test_an_address_that_is_no_comfyui(repository: Path, tmp_path: Path, prompts: Path) -> None:
    with ModelServer({"/system_stats": Served(b"{}")}) as other:
        said = refusal(repository, tmp_path, prompts, [f"--worker={other.url}"])
    assert f"at {other.url} something else answers" in said
    nobody = f"http://127.0.0.1:{free_port()}"
    said = refusal(repository, tmp_path, prompts, [f"--worker={nobody}"])
    assert f"at {nobody} nothing answers" in said


def test_no_package_of_ray_is_needed_elsewhere(repository: Path) -> None:
    """Only one module imports it, when a batch runs."""
    importing = [
        name
        for name in source_files()
        if name.endswith(".py")
        and re.search(r"^\s*(import|from) ray\b", (repository / name).read_text("utf-8"), re.M)
    ]
    assert importing == ["tools/batch/ray_pool.py"]
