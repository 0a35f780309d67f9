"""An extra_model_paths.yaml that ComfyUI cannot read: a sentence, and no traceback."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from tools.comfyui.environment import REPOSITORY, child_environ

pytestmark = pytest.mark.thorough

BAD = {
    "not yaml": (b"mine:\n  base_path: /x\n  controlnet: [a\nother: b\n", "line 4: "),
    "a tab": (b"mine:\n\tcontrolnet: a\n", "line 2: "),
    "empty": (b"", "should hold sections"),
    "a text": (b"just words\n", "should hold sections"),
    "a list of folders": (b"mine:\n  controlnet:\n    - a\n", "should hold sections"),
    "not UTF-8": (b"mine:\n  controlnet: \xff\n", "cannot be read"),
}
LOOK = (
    "import sys; from pathlib import Path; "
    "from instantid_core.doctor.command import describe_host; "
    "print(describe_host(Path(sys.argv[1])).broken)"
)


@pytest.fixture(params=BAD.values(), ids=BAD.keys())
def broken(request: pytest.FixtureRequest, tmp_path: Path) -> tuple[Path, str]:
    """A ComfyUI whose extra_model_paths.yaml it cannot read, and what is wrong with it."""
    content, wrong = request.param
    for part in ("main.py", "folder_paths.py", "utils", "comfy", "comfy_api", "comfyui_version.py"):
        (tmp_path / part).symlink_to(Path(os.environ["COMFYUI_PATH"], part))
    (tmp_path / "extra_model_paths.yaml").write_bytes(content)
    return tmp_path, wrong


def python(*arguments: str) -> subprocess.CompletedProcess[str]:
    """A Python in the repository's folder, as people start the console commands there."""
    command = [sys.executable, *arguments]
    environ = child_environ()
    return subprocess.run(
        command, cwd=REPOSITORY, capture_output=True, text=True, env=environ, check=False
    )


@pytest.mark.skipif(sys.platform == "win32", reason="links need special rights on Windows")
def test_a_broken_list_of_folders_is_a_sentence(broken: tuple[Path, str]) -> None:
    comfyui, wrong = broken
    done = python("-m", "instantid_core", "models", f"--comfyui={comfyui}")
    assert done.returncode == 1
    assert "Traceback" not in done.stderr
    (sentence,) = [line for line in done.stderr.splitlines() if line.startswith("error: ")]
    assert str(comfyui / "extra_model_paths.yaml") in sentence
    assert wrong in sentence
    assert "Correct that file" in sentence
    looked = python("-c", LOOK, str(comfyui))
    assert looked.returncode == 0, looked.stderr
    assert wrong in looked.stdout
    assert str(comfyui / "extra_model_paths.yaml") in looked.stdout
