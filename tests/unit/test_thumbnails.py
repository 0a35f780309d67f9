"""Thumbnails of the shipped workflows: what they are made from, and what is shipped."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from tools.demo import prompt as demo_prompt
from tools.evaluate.settings import random_models
from tools.pictures import schematics, thumbnails
from tools.pictures.thumbnail_prompt import photo_for, photos_shown, thumbnail_prompt
from tools.workflows.names import FILES

WORKFLOWS = sorted((Path(__file__).parents[2] / "workflows").glob("*.json"))
LARGEST = 60_000
"""Bytes."""


def plain(width: int, height: int, grey: int) -> Image.Image:
    return Image.new("RGB", (width, height), (grey, grey, grey))


def test_every_workflow_has_a_thumbnail() -> None:
    shipped = {path.stem for path in WORKFLOWS}
    assert {path.stem for path in WORKFLOWS[0].parent.glob("*.jpg")} == shipped


@pytest.mark.parametrize("path", sorted(WORKFLOWS[0].parent.glob("*.jpg")), ids=lambda p: p.stem)
def test_a_thumbnail_is_small_and_shows_something(path: Path) -> None:
    assert path.stat().st_size < LARGEST
    with Image.open(path) as picture:
        assert picture.size == (thumbnails.SIDE, thumbnails.SIDE)
        assert np.asarray(picture).std() > 10


def test_every_workflow_has_a_scene() -> None:
    assert list(schematics.SCENES) == list(FILES)


def test_what_ships_is_what_the_command_draws(tmp_path: Path) -> None:
    """The same each time; other releases of Pillow may differ in a few levels."""
    for name in ("stylized", "lightning"):
        drawn = Image.open(schematics.write(name, tmp_path))
        shipped = Image.open(WORKFLOWS[0].parent / f"{FILES[name]}.jpg")
        apart = np.asarray(drawn, float) - np.asarray(shipped, float)
        assert np.abs(apart).mean() < 2


def test_pictures_and_photos_lie_side_by_side() -> None:
    one = thumbnails.composed([plain(64, 64, 200)], [plain(32, 32, 100)])
    side = thumbnails.SIDE
    assert one.size == (side, side)
    assert one.getpixel((side - 10, 10)) == (200, 200, 200)
    assert one.getpixel((60, side - 60)) == (100, 100, 100)
    strip = thumbnails.tiled([plain(10, 10, 50 * n) for n in range(1, 6)])
    assert strip.size == (30, 20)
    assert strip.getpixel((15, 15)) == (250, 250, 250)
    wide = thumbnails.composed([plain(200, 100, 200)], [])
    assert wide.getpixel((side // 2, side // 4)) == (200, 200, 200)
    assert wide.getpixel((side // 2, 3 * side // 4)) == thumbnails.BACKGROUND


@pytest.mark.parametrize(
    ("title", "photo"),
    [
        ("Photo of the person", "person0.png"),
        ("Second person (right)", "person1.png"),
        ("Second photo", "photo1.png"),
        ("Pose photo with two faces", "pair.png"),
        ("Picture to change", "person2.png"),
        ("Depth map", "person0.png"),
    ],
)
def test_photos_go_by_the_titles_of_their_nodes(title: str, photo: str) -> None:
    assert photo_for(title) == photo


def graph() -> dict[str, Any]:
    """A prompt with what thumbnails change."""
    nodes = {
        "1": ("LoadImage", "Photo of the person", {"image": "example.png"}),
        "2": ("LoadImage", "Pose photo with two faces", {"image": "example.png"}),
        "3": ("CheckpointLoaderSimple", "", {"ckpt_name": "a"}),
        "4": ("CLIPTextEncode", "", {"clip": ["3", 1], "text": "a person"}),
        "5": ("CLIPTextEncode", "", {"clip": ["3", 1], "text": "ugly"}),
        "6": ("EmptyLatentImage", "", {"width": 1208, "height": 824, "batch_size": 1}),
        "7": ("InstantIDLoadAdapter", "", {"adapter_name": "b"}),
        "8": ("KSampler", "", {"positive": ["4", 0], "negative": ["5", 0], "steps": 30, "seed": 7}),
        "9": ("LoraLoaderModelOnly", "", {"strength_model": 1.0}),
        "10": ("InstantIDCropFace", "", {"size": 1016}),
        "11": ("InstantIDLoadModels", "", {"adapter_name": "b", "control_net_name": "c"}),
        "12": ("InstantIDApply", "", {"control_net": ["11", 1]}),
    }
    return {
        number: {"class_type": kind, "_meta": {"title": title}, "inputs": inputs}
        for number, (kind, title, inputs) in nodes.items()
    }


def schema_of(inputs: dict[str, Any]) -> dict[str, Any]:
    return {"input": {"required": {name: ["*", {}] for name in inputs}}, "display_name": ""}


def test_a_workflow_runs_on_the_models_that_there_are() -> None:
    setup = random_models()
    info = {entry["class_type"]: schema_of(entry["inputs"]) for entry in graph().values()}
    prompt = thumbnail_prompt(graph(), info, setup, ["one", "two"])
    given = {number: entry["inputs"] for number, entry in prompt.items()}
    assert (given["1"]["image"], given["2"]["image"]) == ("person0.png", "pair.png")
    assert photos_shown(prompt) == ["person0.png"]
    assert prompt["3"]["class_type"] == setup.checkpoint[0]
    assert (given["4"]["text"], given["5"]["text"]) == (setup.group_texts[0], "")
    assert (given["6"]["width"], given["6"]["height"]) == setup.group_size
    assert given["7"]["adapter_name"] == setup.adapter
    assert (given["8"]["steps"], given["8"]["seed"]) == (setup.steps, 7)
    assert given["9"]["strength_model"] == 1.0
    assert given["10"]["size"] == setup.size[0]
    assert given["11"] == {"adapter_name": setup.adapter, "control_net_name": setup.control_net}


def test_every_shipped_workflow_has_photos_for_its_nodes() -> None:
    for path in WORKFLOWS:
        saved = demo_prompt.read_workflow(path.stem)
        titles = [n.get("title", "") for n in saved["nodes"] if n["type"] == "LoadImage"]
        assert {photo_for(title) for title in titles} & {"person0.png"}
