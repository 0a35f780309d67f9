"""Every shipped workflow opens on the live server's schemas and runs to its end."""

from __future__ import annotations

import io
import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from tools.comfyui.client import ComfyClient, RunFailedError
from tools.comfyui.prompts import Prompt, fit_choices, nodes_of, override, to_prompt
from tools.demo import prompt as demo_prompt
from tools.workflows import command
from tools.workflows.names import FILES

REPOSITORY = Path(__file__).parents[2]
WORKFLOWS = sorted((REPOSITORY / "workflows").glob("*.json"))
SIDE = 128
FEW = 2
"""Sampling steps, and pictures of a batch."""
BATCHES = ("batch_size", "steps")
MORE_VIEWS = {"slight_left", "slight_right", "quarter_right", "up"}
"""Switches of a sheet; two views are left."""
QUICK = {"KSampler": {"seed": 5}}


def quick_prompt(path: Path, object_info: dict[str, Any], photo: str, other: str = "") -> Prompt:
    """A shipped workflow on the small models, small and short.

    other: photo for nodes whose title speaks of a second one.
    """
    return shortened(to_prompt(load(path), object_info), object_info, photo, other)


def without_best(prompt: Prompt) -> Prompt:
    """Random models paint no face, so that no picture has a score and Keep Best refuses."""
    gone = set(nodes_of(prompt, "InstantIDKeepBest"))
    return {
        key: node
        for key, node in prompt.items()
        if key not in gone
        and not any(isinstance(one, list) and one[0] in gone for one in node["inputs"].values())
    }


def shortened(prompt: Prompt, object_info: dict[str, Any], photo: str, other: str = "") -> Prompt:
    prompt = override(without_best(prompt), {"LoadImage": {"image": photo}})
    prompt = fit_choices(prompt, object_info)
    prompt = override(demo_prompt.with_small_models(prompt), QUICK)
    for node in prompt.values():
        given = node["inputs"]
        given.update(demo_prompt.sides(node, SIDE))
        given.update(
            {name: min(FEW, given[name]) for name in BATCHES if isinstance(given.get(name), int)}
        )
        given.update(dict.fromkeys(given.keys() & MORE_VIEWS, False))
        second = "second" in node["_meta"]["title"].lower()
        if other and second and node["class_type"] == "LoadImage":
            given["image"] = other
    return prompt


def load(path: Path) -> dict[str, Any]:
    return json.loads(path.read_text(encoding="utf-8"))


def named(name: str) -> Path:
    return next(path for path in WORKFLOWS if path.stem == FILES[name])


def picture(client: ComfyClient, prompt: Prompt, outputs: dict[str, Any]) -> np.ndarray:
    """What the first node that saves has saved first."""
    (node, *_) = nodes_of(prompt, "SaveImage")
    return pixels(client, outputs[node]["images"][0])


def pixels(client: ComfyClient, image: dict[str, Any]) -> np.ndarray:
    content = client.image(image)
    return np.asarray(Image.open(io.BytesIO(content)).convert("RGB")).astype(float)


def test_the_files_are_those_that_the_command_writes(
    tmp_path: Path, object_info: dict[str, Any]
) -> None:
    """A changed node, layout or text needs `tools.workflows.command`."""
    for folder, made in (
        ("workflows", command.write(object_info, tmp_path)),
        ("subgraphs", command.write_blueprints(object_info, tmp_path)),
    ):
        stored = sorted((REPOSITORY / folder).glob("*.json"))
        assert [path.name for path in stored] == sorted(path.name for path in made)
        old = [path.name for path in made if path.read_text("utf-8") != text(folder, path.name)]
        assert old == [], "out of date: run `python tools/run.py tools.workflows.command`"


def text(folder: str, name: str) -> str:
    return (REPOSITORY / folder / name).read_text("utf-8")


@pytest.mark.parametrize("path", WORKFLOWS, ids=lambda path: path.stem)
def test_runs_and_identity_changes_the_picture(
    path: Path, client: ComfyClient, object_info: dict[str, Any], photo: str, other_photo: str
) -> None:
    prompt = quick_prompt(path, object_info, photo, other_photo)
    plain = demo_prompt.without_identity(prompt)
    with_identity, without = (picture(client, p, client.run(p).outputs) for p in (prompt, plain))
    assert with_identity.std() > 1
    assert np.abs(with_identity - without).mean() > 1


@pytest.mark.parametrize("name", ["interpolation", "head_turn"])
def test_every_picture_of_a_batch_is_its_own(
    name: str, client: ComfyClient, object_info: dict[str, Any], photo: str, other_photo: str
) -> None:
    """All begin with the same noise, so only identity or pose can tell them apart.

    Two views next to each other change little in random models: some 0.1 levels.
    """
    prompt = quick_prompt(named(name), object_info, photo, other_photo)
    outputs = client.run(prompt).outputs
    savers = nodes_of(prompt, "SaveImage")
    assert savers
    for node in savers:
        first, second = (pixels(client, image) for image in outputs[node]["images"])
        assert np.abs(first - second).mean() > 0.02


def test_each_view_of_a_sheet_is_its_own_file_with_its_name(
    client: ComfyClient, object_info: dict[str, Any], photo: str
) -> None:
    prompt = quick_prompt(named("character_sheet"), object_info, photo)
    outputs = client.run(prompt).outputs
    sheet, each = (outputs[node]["images"] for node in nodes_of(prompt, "SaveImage"))
    assert len(sheet) == 1
    assert [image["filename"].rsplit("_", 2)[0] for image in each] == [
        "view_front",
        "view_quarter_left",
    ]
    first, second = (pixels(client, image) for image in each)
    assert np.abs(first - second).mean() > 0.02


def test_the_slider_gets_both_pictures(
    client: ComfyClient, object_info: dict[str, Any], photo: str
) -> None:
    prompt = quick_prompt(named("with_and_without"), object_info, photo)
    outputs = client.run(prompt).outputs
    shown = outputs[nodes_of(prompt, "ImageCompare")[0]]
    before, after = (pixels(client, shown[side][0]) for side in ("a_images", "b_images"))
    assert np.abs(before - after).mean() > 1


@pytest.mark.parametrize("path", WORKFLOWS, ids=lambda path: path.stem)
def test_every_needed_input_is_connected(path: Path, object_info: dict[str, Any]) -> None:
    """Those of muted branches too, which no run reaches."""
    nodes = to_prompt(switched_on(load(path)), object_info).values()
    assert nodes
    for node in nodes:
        schema = object_info[node["class_type"]]
        for name in schema["input"].get("required") or {}:
            assert any(given.split(".")[0] == name for given in node["inputs"]), (node, name)


def switched_on(saved: dict[str, Any], title: str = "") -> dict[str, Any]:
    """A saved workflow without muted nodes; with a title, only that group is switched on."""
    frames = [group["bounding"] for group in saved["groups"] if title in group["title"]]
    for node in saved["nodes"]:
        x, y = node["pos"]
        if any(
            0 <= x - left <= width and 0 <= y - top <= high for left, top, width, high in frames
        ):
            node["mode"] = 0
    return saved


def test_a_branch_of_the_comparison_can_be_switched_on(
    client: ComfyClient, object_info: dict[str, Any], photo: str
) -> None:
    """The sheet leaves out what is muted, and grows by what is not."""
    saved = load(named("comparison"))
    one = shortened(to_prompt(saved, object_info), object_info, photo)
    two = shortened(to_prompt(switched_on(saved, "LoRA"), object_info), object_info, photo)
    widths = [picture(client, p, client.run(p).outputs).shape[1] for p in (one, two)]
    assert len(nodes_of(two, "KSampler")) == len(nodes_of(one, "KSampler")) + 1 == 2
    assert widths[1] > 1.9 * widths[0]


def test_the_template_browser_lists_them(client: ComfyClient) -> None:
    listed = json.loads(client.get("/workflow_templates"))["instantid-compose"]
    assert sorted(listed) == [path.stem for path in WORKFLOWS]


def test_help_and_translations_are_served(client: ComfyClient, object_info: dict[str, Any]) -> None:
    texts = json.loads(client.get("/i18n"))
    ours = [name for name in object_info if name.startswith("InstantID")]
    assert ours
    for node_id in ours:
        page = client.get(f"/extensions/instantid-compose/docs/{node_id}.md")
        assert page.startswith(b"# ")
        assert client.get(f"/extensions/instantid-compose/docs/{node_id}/zh.md")
        assert node_id in texts["en"]["nodeDefs"]
        assert node_id in texts["zh"]["nodeDefs"]


def test_nothing_runs_twice(client: ComfyClient, object_info: dict[str, Any], photo: str) -> None:
    """A new seed must not analyse, project or load again."""
    prompt = quick_prompt(named("composed"), object_info, photo)
    prompt = override(prompt, {"KSampler": {"seed": 77}})
    client.run(prompt)
    again = client.run(override(prompt, {"KSampler": {"seed": 78}}))
    ran = {prompt[time.node]["class_type"] for time in again.times}
    assert ran <= {"KSampler", "VAEDecode", "SaveImage"}
    assert "KSampler" in ran


def test_no_face_is_said_in_a_sentence(
    client: ComfyClient, object_info: dict[str, Any], empty_photo: str
) -> None:
    prompt = quick_prompt(named("basic"), object_info, empty_photo)
    with pytest.raises(RunFailedError, match=r"NoFaceError: No face was found in image 1 of 1"):
        client.run(prompt)
