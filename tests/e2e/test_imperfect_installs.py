"""Real virtual environments in which something is missing, doubled or broken.

In each of them the host's own loader loads the pack, nodes that need what is missing are run, and
the Doctor looks at it. `support.imperfect` builds them once.
"""

from __future__ import annotations

import io
import json
import subprocess
import sys
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest
from PIL import Image
from support import imperfect

from tools.comfyui import workspace
from tools.comfyui.client import ComfyClient, RunFailedError
from tools.comfyui.environment import REPOSITORY, child_environ, module_command
from tools.comfyui.server import HostServer, Launch

pytestmark = [
    pytest.mark.thorough,
    pytest.mark.skipif(sys.platform == "win32", reason="links need special rights on Windows"),
    pytest.mark.skipif(sys.platform == "darwin", reason="onnxruntime-gpu has no build for macOS"),
]
CONTRACT = json.loads((REPOSITORY / "tests/data/node_contract.json").read_text(encoding="utf-8"))
RUNTIME, INSIGHTFACE, OPENCV = (
    "ONNX Runtime cannot be imported",
    "insightface cannot be imported",
    "OpenCV cannot be imported",
)
WORKING = ("cpu", "gpu", "both")
SAID = {
    "one of both removed": RUNTIME,
    "cut short": RUNTIME,
    "no onnxruntime": RUNTIME,
    "no insightface": INSIGHTFACE,
    "no opencv": OPENCV,
    "nothing": RUNTIME,
}
PROBLEMS = {
    "cpu": set(),
    "gpu": set(),
    "both": set(),
    "one of both removed": {"onnxruntime"},
    "cut short": {"onnxruntime"},
    "no onnxruntime": {"onnxruntime"},
    "no insightface": {"insightface"},
    "no opencv": {"opencv"},
    "nothing": {"onnxruntime", "insightface", "opencv"},
}
"""What the Doctor finds wrong, the model files aside: those here are small ones."""
MODEL_FILES = {"adapter", "identitynet", "face_models"}
AT_ONCE = 2
"""Processes side by side."""


@pytest.fixture(scope="module")
def base(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("imperfect")
    workspace.prepare_small(workspace.current(), folder)
    return folder


Answers = Callable[[str], dict[str, Any]]


@pytest.fixture(scope="module")
def answer_of(base: Path) -> Iterator[Answers]:
    """What an environment said; all are asked at the first question."""
    pythons = {name: imperfect.ready(name) for name in imperfect.CASES}
    with ThreadPoolExecutor(AT_ONCE) as pool:
        running = {name: pool.submit(probed, pythons[name], base, name) for name in pythons}
        yield lambda name: running[name].result()


def probed(python: Path, base: Path, name: str) -> dict[str, Any]:
    comfyui, result = workspace.current().comfyui, base / f"{name}.json"
    arguments = [str(comfyui), str(base), str(result)]
    support = child_environ(PYTHONPATH=str(REPOSITORY / "tests"))
    command = module_command(python, "support.imperfect_probe", *arguments)
    done = subprocess.run(
        command, cwd=comfyui, env=support, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, f"{name}: {done.stderr[-3000:]}"
    return json.loads(result.read_text(encoding="utf-8"))


def finding(answer: dict[str, Any], check: str) -> dict[str, str]:
    (found,) = (found for found in answer["doctor"]["findings"] if found["check"] == check)
    return found


each_case = pytest.mark.parametrize("name", imperfect.CASES)


@each_case
def test_every_node_is_there(answer_of: Answers, name: str) -> None:
    assert answer_of(name)["loaded"]
    assert answer_of(name)["nodes"] == sorted(CONTRACT)
    assert answer_of(name)["heavy"] == []


@pytest.mark.parametrize("name", WORKING)
def test_what_is_enough_works(answer_of: Answers, name: str) -> None:
    assert answer_of(name)["analyzer"] == answer_of(name)["pose"] == ""


@pytest.mark.parametrize("name", SAID)
def test_the_node_that_needs_it_says_the_command(answer_of: Answers, name: str) -> None:
    sentence = answer_of(name)["analyzer"]
    assert sentence.startswith(SAID[name])
    assert f"run {answer_of(name)['python']} -m pip " in sentence
    assert "\n" not in sentence


@each_case
def test_drawing_needs_opencv_alone(answer_of: Answers, name: str) -> None:
    sentence = answer_of(name)["pose"]
    assert sentence.startswith(OPENCV) if name in ("no opencv", "nothing") else sentence == ""


@pytest.mark.parametrize("name", ["gpu", "both"])
def test_without_cuda_there_is_one_plain_warning(answer_of: Answers, name: str) -> None:
    warnings = [text for text in answer_of(name)["warnings"] if "Face analysis" in text]
    assert len(warnings) == 1
    assert warnings[0].startswith("Face analysis cannot use CUDAExecutionProvider: ")


@each_case
def test_the_doctor_names_what_is_wrong(answer_of: Answers, name: str) -> None:
    findings = answer_of(name)["doctor"]["findings"]
    problems = {found["check"] for found in findings if found["state"] == "problem"}
    assert problems - MODEL_FILES == PROBLEMS[name]
    assert all(found["advice"] for found in findings if found["state"] == "problem")
    for check in PROBLEMS[name]:
        assert f"{answer_of(name)['python']} -m pip " in finding(answer_of(name), check)["advice"]


def test_the_doctor_tells_two_packages_from_one(answer_of: Answers) -> None:
    assert finding(answer_of("cpu"), "onnxruntime")["state"] == "ok"
    assert finding(answer_of("gpu"), "onnxruntime")["state"] == "ok"
    both = finding(answer_of("both"), "onnxruntime")
    assert both["state"] == "note"
    assert "2 packages share one folder" in both["found"]
    assert "the files are those of onnxruntime-gpu" in both["found"]


def test_the_doctor_says_what_really_opens(answer_of: Answers) -> None:
    assert finding(answer_of("cpu"), "provider")["found"] == "CPUExecutionProvider opens"
    gpu = finding(answer_of("gpu"), "provider")
    assert gpu["found"].startswith("CPUExecutionProvider opens; CUDAExecutionProvider does not")
    assert "CUDA 13" in finding(answer_of("gpu"), "cuda")["found"]


def test_a_server_without_any_of_it(base: Path) -> None:
    """The whole host, where nothing of what the pack needs is installed."""
    python = imperfect.ready("nothing")
    small = workspace.small_launch(workspace.current(), base)
    launch = Launch(python, small.comfyui, (*small.arguments, "--cpu"), base / "nothing.log")
    with HostServer(launch) as server:
        client = ComfyClient(server.url)
        assert set(CONTRACT) <= set(client.object_info())
        doctor = {"1": node("InstantIDDoctor", hash_files=False)}
        assert "onnxruntime: not installed" in "".join(client.run(doctor).outputs["1"]["text"])
        with pytest.raises(RunFailedError, match=RUNTIME):
            client.run(analysis_of(client.upload("grey.png", picture())))


def analysis_of(photo: str) -> dict[str, Any]:
    settings = {"select": "largest", "index": 0, "min_score": 0.5, "on_no_face": "error"}
    return {
        "1": node("InstantIDLoadFaceAnalyzer", model_pack="antelopev2", provider="auto"),
        "2": node("LoadImage", image=photo),
        "3": node("InstantIDAnalyzeFaces", analyzer=["1", 0], image=["2", 0], **settings),
        "4": node("PreviewImage", images=["3", 1]),
    }


def node(class_type: str, **inputs: Any) -> dict[str, Any]:
    return {"class_type": class_type, "inputs": inputs, "_meta": {"title": class_type}}


def picture() -> bytes:
    buffer = io.BytesIO()
    Image.new("RGB", (64, 64), "grey").save(buffer, format="PNG")
    return buffer.getvalue()


def test_the_command_line() -> None:
    """The console Doctor in such an environment: findings, exit code 1, and no traceback."""
    python = imperfect.ready("nothing")
    where = ["--comfyui", str(workspace.current().comfyui), "--python", str(python)]
    command = [sys.executable, "-m", "instantid_core", "doctor", "--json", *where]
    done = subprocess.run(
        command, cwd=REPOSITORY, env=child_environ(), capture_output=True, text=True, check=False
    )
    assert done.returncode == 1, done.stderr
    assert done.stderr == ""
    states = {found["check"]: found["state"] for found in json.loads(done.stdout)["findings"]}
    assert {name for name in states if states[name] == "problem"} >= PROBLEMS["nothing"]
    assert states["torch"] == states["comfyui"] == "ok"
