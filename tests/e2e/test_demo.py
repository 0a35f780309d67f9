"""The demo as a user starts it, from its command line to the files it writes."""

from __future__ import annotations

import io
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from tools.comfyui.environment import module_command
from tools.small_world import painter

pytestmark = pytest.mark.thorough


def demo(repository: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    """What `dev.py demo` runs, in the Python of these tests."""
    command = module_command(Path(sys.executable), "tools.demo.command", *arguments)
    return subprocess.run(command, cwd=repository, env=os.environ, capture_output=True, text=True)


def test_a_photo_becomes_pictures(repository: Path, tmp_path: Path) -> None:
    photo = tmp_path / "me.jpg"
    Image.fromarray(painter.portrait(400, 500, identity=6)[0]).save(photo, quality=95)
    output = tmp_path / "out"
    done = demo(repository, "--photo", str(photo), "--output", str(output), "--seed=3")
    assert done.returncode == 0, done.stderr
    names = {"photo.jpg", "generated.png", "without_identity.png", "keypoints.png"}
    assert {path.name for path in output.iterdir()} == names
    for name in names:
        assert str(output / name) in done.stdout
    generated, plain, keypoints = (
        np.asarray(Image.open(output / name).convert("RGB")).astype(float)
        for name in ("generated.png", "without_identity.png", "keypoints.png")
    )
    assert generated.shape == keypoints.shape
    assert np.abs(generated - plain).mean() > 1
    assert keypoints.max() == 255
    assert "KSampler" in done.stdout
    assert "Identity changed the picture by" in done.stdout


@pytest.mark.parametrize("content", [b"<html>", None], ids=["web page", "missing"])
def test_a_file_that_is_no_photo(repository: Path, tmp_path: Path, content: bytes | None) -> None:
    photo = tmp_path / "photo.jpg"
    if content is not None:
        photo.write_bytes(content)
    done = demo(repository, "--photo", str(photo), "--output", str(tmp_path / "out"))
    assert done.returncode == 1
    assert "should name an image file" in done.stderr
    assert not (tmp_path / "out").exists()


def test_a_photo_without_a_face(repository: Path, tmp_path: Path) -> None:
    buffer = io.BytesIO()
    Image.fromarray(painter.canvas(200, 200)).save(buffer, format="PNG")
    photo = tmp_path / "wall.png"
    photo.write_bytes(buffer.getvalue())
    done = demo(repository, "--photo", str(photo), "--output", str(tmp_path / "out"))
    assert done.returncode == 1
    assert "No face was found in image 1 of 1" in done.stderr
    assert "Traceback" not in done.stderr
