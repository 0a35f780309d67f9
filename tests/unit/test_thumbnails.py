"""Thumbnails of the shipped workflows: what they are made from, and what is shipped."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from tools.demo import prompt as demo_prompt
from tools.evaluate.settings import random_models
from tools.pictures.casts import CASTS, Cast, depth_map, two
from tools.pictures.layouts import LAYOUTS, Take
from tools.pictures.sheet import GOOD, SIDE
from tools.pictures.thumbnail_prompt import cast_prompt, photo_for, thumbnail_prompt
from tools.workflows.names import FILES
from training.world import paint

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
        assert picture.size == (SIDE, SIDE)
        assert np.asarray(picture).std() > 10


def test_every_workflow_has_a_cast_and_a_layout() -> None:
    assert list(CASTS) == list(LAYOUTS) == list(FILES)


def photos_of(name: str) -> dict[str, Image.Image]:
    album = CASTS[name].album()
    return {photo: Image.fromarray(pixels) for photo, pixels in album.items()}


@pytest.mark.parametrize("name", FILES)
def test_a_layout_shows_each_picture_of_a_run(name: str) -> None:
    """Each changes the thumbnail, and so does each photo of a person, but for a pose."""
    photos = photos_of(name)
    counts = {"lightning": 4, "best_of_batch": 4, "with_and_without": 2, "character_sheet": 6}
    counts |= {"head_turn": 5, "interpolation": 5, "composed": 2, "comparison": 2}
    pictures = [plain(192, 192, 40 * n) for n in range(1, counts.get(name, 1) + 1)]
    scores = [0.3, 0.9, 0.5, 0.4][: len(pictures)]

    def thumbnail() -> bytes:
        return LAYOUTS[name](Take(photos, pictures, scores)).finished().tobytes()

    before = thumbnail()
    for number, picture in enumerate(pictures):
        pictures[number] = plain(192, 192, 255)
        assert thumbnail() != before, number
        pictures[number] = picture
    for photo in set(CASTS[name].photos) - {"pair.png"}:
        photos[photo], kept = plain(192, 192, 0), photos[photo]
        assert thumbnail() != before, photo
        photos[photo] = kept
    assert thumbnail() == before


def test_the_best_of_a_batch_gets_the_mark() -> None:
    photos, pictures = photos_of("best_of_batch"), [plain(192, 192, 200)] * 4
    for best, pixel in enumerate(((294, 54), (472, 54), (294, 266), (472, 266))):
        scores = [0.9 if number == best else 0.4 for number in range(4)]
        made = LAYOUTS["best_of_batch"](Take(photos, pictures, scores)).finished()
        beside = made.getpixel((pixel[0] + 17, pixel[1]))
        assert isinstance(beside, tuple)
        assert max(abs(a - b) for a, b in zip(beside, GOOD, strict=True)) < 12


@pytest.mark.parametrize(
    ("title", "photo"),
    [
        ("Photo of the person", "person0.png"),
        ("Second person (right)", "person1.png"),
        ("Second photo", "photo1.png"),
        ("Pose photo with two faces", "pair.png"),
        ("Picture to change", "person2.png"),
        ("Depth map", "depth.png"),
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
    assert prompt["3"]["class_type"] == setup.checkpoint[0]
    assert (given["4"]["text"], given["5"]["text"]) == (setup.group_texts[0], "")
    assert (given["6"]["width"], given["6"]["height"]) == setup.group_size
    assert given["7"]["adapter_name"] == setup.adapter
    assert (given["8"]["steps"], given["8"]["seed"]) == (setup.steps, 7)
    assert given["9"]["strength_model"] == 1.0
    assert given["10"]["size"] == setup.size[0]
    assert given["11"] == {"adapter_name": setup.adapter, "control_net_name": setup.control_net}


def test_a_run_for_a_thumbnail_has_the_cast_and_the_weights() -> None:
    setup, nodes = random_models(), graph()
    nodes["12"]["inputs"].update(weight=0.8, strength=0.8, likeness="balanced")
    nodes["13"] = {"class_type": "VAEDecode", "_meta": {"title": ""}, "inputs": {}}
    info = {entry["class_type"]: schema_of(entry["inputs"]) for entry in nodes.values()}
    cast = Cast({}, ("one",), 41, settings={"KSampler": {"steps": 4}}, stages=1)
    prompt = cast_prompt(nodes, info, replace(setup, weight=1.5, strength=1.2), cast)
    given = {number: entry["inputs"] for number, entry in prompt.items()}
    chosen = {"weight": 1.5, "strength": 1.2, "likeness": "custom"}
    assert chosen.items() <= given["12"].items()
    assert (given["4"]["text"], given["8"]["seed"], given["8"]["steps"]) == ("one", 41, 4)
    assert (given["stage1"]["noise_seed"], given["stage1"]["end_at_step"]) == (41, 1)
    decoded = ["stage1_decoded", "13"]
    assert [given[f"{name}_preview"]["images"] for name in decoded] == [[n, 0] for n in decoded]
    assert nodes["8"]["inputs"]["steps"] == 30, "what was given is left alone"


def test_every_shipped_workflow_has_photos_for_its_nodes() -> None:
    for short in FILES:
        saved = demo_prompt.read_workflow(short)
        titles = [n.get("title", "") for n in saved["nodes"] if n["type"] == "LoadImage"]
        wanted = {photo_for(title) for title in titles}
        assert "person0.png" in wanted
        assert wanted <= set(CASTS[short].album())


def test_photos_of_a_cast_are_the_same_each_time() -> None:
    once, again = (CASTS["several_references"].album() for _ in range(2))
    assert all(np.array_equal(once[name], again[name]) for name in once)
    pair = paint(two(0, 1, "city"))
    assert pair.boxes[0, 2] < pair.image.shape[1] / 2 < pair.boxes[1, 0]


def test_a_depth_map_is_nearest_at_the_face() -> None:
    near = depth_map(64)[..., 0]
    assert near[36, 32] > near[62, 32] > near[4, 32]
