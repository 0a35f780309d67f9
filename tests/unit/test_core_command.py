"""`python -m instantid_core`, in a registry install's copy and a Python without packages."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from tools.comfyui.environment import child_environ
from tools.comfyui.workspace import PACK, install_pack

BARE = ("-I", "-S")
"""No current folder, no variables, no installed packages."""
SCRIPT = "instantid_core/__main__.py"
FOLDER_PATHS = """
models_dir = {folder!r}
def add_model_folder_path(kind, folder): pass
def get_folder_paths(kind): return [models_dir + "/" + kind]
"""
SLOW = "import time\nprint('reading', flush=True)\ntime.sleep(60)\n"
LIMIT = 120
on_posix = pytest.mark.skipif(sys.platform == "win32", reason="starts scripts, sends signals")


@pytest.fixture(scope="module")
def comfyui(tmp_path_factory) -> Path:
    """A portable build's folder, with a ComfyUI that has the pack as a registry install."""
    base = tmp_path_factory.mktemp("portable") / "ComfyUI"
    base.mkdir()
    (base / "main.py").touch()
    (base / "folder_paths.py").write_text(FOLDER_PATHS.format(folder=str(base / "models")))
    (base / "comfyui_version.py").write_text('__version__ = "0.30.0"\n')
    install_pack(base / "custom_nodes")
    return base


@pytest.fixture
def alone(tmp_path, comfyui) -> Path:
    """The pack outside of any ComfyUI."""
    return Path(shutil.copytree(comfyui / "custom_nodes" / PACK, tmp_path / "pack"))


def run(
    pack: Path, *arguments: str, flags: tuple[str, ...] = BARE
) -> subprocess.CompletedProcess[str]:
    done = subprocess.run(
        [sys.executable, *flags, SCRIPT, *arguments],
        cwd=pack,
        env={name: v for name, v in child_environ().items() if name != "COMFYUI_PATH"},
        capture_output=True,
        text=True,
        stdin=subprocess.DEVNULL,
        timeout=LIMIT,
        check=False,
    )
    assert "Traceback" not in done.stderr, done.stderr
    return done


def script(path: Path, text: str) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(f"#!/bin/sh\n{text}\n")
    path.chmod(0o755)
    return path


@pytest.mark.parametrize("arguments", [(), ("repair",), ("--verify",)])
def test_without_a_known_command_those_that_exist_are_listed(alone, arguments):
    done = run(alone, *arguments)
    assert done.returncode == 2
    assert done.stderr.startswith("error: ")
    for name in ("doctor", "models"):
        assert f"python -m instantid_core {name} " in done.stderr


def test_the_doctor_needs_no_package_and_no_comfyui(alone):
    done = run(alone, "doctor")
    assert done.returncode == 1
    assert done.stdout.startswith("ok       python: ")
    assert "note     comfyui: none was inspected" in done.stdout


def test_models_asks_for_a_comfyui(alone):
    done = run(alone, "models")
    assert done.returncode == 1
    assert "not in the custom_nodes folder of a ComfyUI. Name yours with --comfyui" in done.stderr


@on_posix
def test_the_python_of_a_portable_build_is_found_and_used(comfyui):
    marker = comfyui.parent / "used"
    embedded = comfyui.parent / "python_embeded" / "python.exe"
    script(embedded, f'echo "$2" >> "{marker}"\nexec "{sys.executable}" -I -S "$@"')
    try:
        listed = run(comfyui / "custom_nodes" / PACK, "models")
        assert listed.returncode == 0, listed.stderr
        assert listed.stdout.count(", missing\n") == 3
        assert str(comfyui / "models" / "instantid" / "ip-adapter.bin") in listed.stdout
        assert "models" in marker.read_text().split()
        checked = run(comfyui / "custom_nodes" / PACK, "doctor")
        assert "ok       comfyui: 0.30.0" in checked.stdout
    finally:
        shutil.rmtree(embedded.parent)


@on_posix
@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("exit 1", "not a working Python (no output; exit code 1)"),
        ("echo lost >&2; exit 127", "not a working Python (lost; exit code 127)"),
        ("echo instantid False", "Python 3.10 or newer is needed"),
    ],
)
def test_a_broken_python_is_explained(comfyui, tmp_path, text, reason):
    broken = script(tmp_path / "python", text)
    done = run(comfyui / "custom_nodes" / PACK, "doctor", f"--python={broken}")
    assert done.returncode == 1
    assert done.stderr.startswith(f"error: {broken} cannot run this command: ")
    assert reason in done.stderr
    assert "--python FILE" in done.stderr


def test_a_python_that_does_not_exist_is_named(comfyui, tmp_path):
    done = run(comfyui / "custom_nodes" / PACK, "models", f"--python={tmp_path / 'none'}")
    assert done.returncode == 1
    assert f"{tmp_path / 'none'} is not a file" in done.stderr


def test_a_comfyui_whose_folders_cannot_be_read(comfyui, tmp_path):
    other = tmp_path / "ComfyUI"
    shutil.copytree(comfyui, other, ignore=shutil.ignore_patterns("custom_nodes"))
    (other / "folder_paths.py").write_text("import a_package_that_is_missing\n")
    done = run(
        comfyui / "custom_nodes" / PACK,
        *("models", f"--comfyui={other}", f"--python={sys.executable}"),
    )
    assert done.returncode == 1
    assert "a_package_that_is_missing" in done.stderr
    assert "Name the Python that runs this ComfyUI with --python FILE." in done.stderr


@on_posix
def test_ctrl_c_stops_the_other_python_and_says_so_once(comfyui, tmp_path):
    slow = tmp_path / "ComfyUI"
    shutil.copytree(comfyui, slow, ignore=shutil.ignore_patterns("custom_nodes"))
    (slow / "folder_paths.py").write_text(
        "import time\nprint('reading', flush=True)\ntime.sleep(60)"
    )
    other = script(tmp_path / "python", f'exec "{sys.executable}" "$@"')
    with subprocess.Popen(
        [sys.executable, SCRIPT, "models", f"--comfyui={slow}", f"--python={other}"],
        cwd=comfyui / "custom_nodes" / PACK,
        env=child_environ(),
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
    ) as process:
        assert process.stdout
        assert process.stdout.readline() == "reading\n"
        os.killpg(process.pid, signal.SIGINT)
        _, said = process.communicate(timeout=LIMIT)
    assert process.returncode == 130
    assert said.count("Stopped. Downloaded data is kept") == 1
    assert "Traceback" not in said
