"""Every shipped workflow opens on the live server's schemas and runs to its end."""

from __future__ import annotations

import io
import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from harness import demo_prompt
from harness.comfy_client import ComfyClient, RunFailedError
from harness.prompts import Prompt, fit_choices, nodes_of, override, to_prompt
from PIL import Image

WORKFLOWS = sorted((Path(__file__).parents[2] / "workflows").glob("*.json"))
SIDE = 128
QUICK = {
    "EmptyLatentImage": {"width": SIDE, "height": SIDE},
    "InstantIDDrawKeypoints": {"width": SIDE, "height": SIDE},
    "KSampler": {"steps": 2, "seed": 5},
}


def quick_prompt(path: Path, object_info: dict[str, Any], photo: str) -> Prompt:
    """A shipped workflow on the small models, small and short."""
    prompt = to_prompt(json.loads(path.read_text(encoding="utf-8")), object_info)
    prompt = fit_choices(override(prompt, {"LoadImage": {"image": photo}}), object_info)
    return override(demo_prompt.with_small_models(prompt), QUICK)


def picture(client: ComfyClient, prompt: Prompt, outputs: dict[str, Any]) -> np.ndarray:
    (node, *_) = nodes_of(prompt, "SaveImage")
    content = client.image(outputs[node]["images"][0])
    return np.asarray(Image.open(io.BytesIO(content)).convert("RGB")).astype(float)


@pytest.mark.parametrize("path", WORKFLOWS, ids=lambda path: path.stem)
def test_runs_to_its_end(
    path: Path, client: ComfyClient, object_info: dict[str, Any], photo: str
) -> None:
    prompt = quick_prompt(path, object_info, photo)
    unknown = {node["class_type"] for node in prompt.values()} - object_info.keys()
    assert not unknown
    finished = client.run(prompt)
    assert picture(client, prompt, finished.outputs).std() > 1


@pytest.mark.parametrize("path", WORKFLOWS, ids=lambda path: path.stem)
def test_identity_changes_the_picture(
    path: Path, client: ComfyClient, object_info: dict[str, Any], photo: str
) -> None:
    prompt = quick_prompt(path, object_info, photo)
    plain = demo_prompt.without_identity(prompt)
    pictures = [picture(client, p, client.run(p).outputs) for p in (prompt, plain)]
    assert np.abs(pictures[0] - pictures[1]).mean() > 1


def test_the_template_browser_lists_them(client: ComfyClient) -> None:
    listed = json.loads(client.get("/workflow_templates"))["instantid-compose"]
    assert sorted(listed) == [path.stem for path in WORKFLOWS]


def test_help_and_translations_are_served(client: ComfyClient, object_info: dict[str, Any]) -> None:
    texts = json.loads(client.get("/i18n"))
    for node_id in (name for name in object_info if name.startswith("InstantID")):
        page = client.get(f"/extensions/instantid-compose/docs/{node_id}.md")
        assert page.startswith(b"# ")
        assert client.get(f"/extensions/instantid-compose/docs/{node_id}/zh.md")
        assert node_id in texts["en"]["nodeDefs"]
        assert node_id in texts["zh"]["nodeDefs"]


def test_nothing_runs_twice(client: ComfyClient, object_info: dict[str, Any], photo: str) -> None:
    """A new seed must not analyse, project or load again."""
    path = next(path for path in WORKFLOWS if path.stem == "instantid_composed")
    prompt = override(quick_prompt(path, object_info, photo), {"KSampler": {"seed": 77}})
    client.run(prompt)
    again = client.run(override(prompt, {"KSampler": {"seed": 78}}))
    ran = {prompt[time.node]["class_type"] for time in again.times}
    assert ran <= {"KSampler", "VAEDecode", "SaveImage"}
    assert "KSampler" in ran


def test_no_face_is_said_in_a_sentence(
    client: ComfyClient, object_info: dict[str, Any], empty_photo: str
) -> None:
    path = next(path for path in WORKFLOWS if path.stem == "instantid_basic")
    prompt = quick_prompt(path, object_info, empty_photo)
    with pytest.raises(RunFailedError, match=r"NoFaceError: No face was found in image 1 of 1"):
        client.run(prompt)
