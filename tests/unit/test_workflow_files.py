"""The shipped workflows are valid for the nodes, and their notes agree with their settings."""

from __future__ import annotations

import functools
import json
import re
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from tools.documents.schemas import WIDGETS, read_nodes
from tools.workflows.command import SHIPPED
from tools.workflows.layout import VIEW

REPOSITORY = Path(__file__).resolve().parents[2]
WORKFLOWS = sorted((REPOSITORY / "workflows").glob("*.json"))
NODES = read_nodes()
CORE_CLASSES = {
    "BatchImagesNode",
    "CheckpointLoaderSimple",
    "CLIPTextEncode",
    "ConditioningCombine",
    "ConditioningSetMask",
    "ControlNetApplyAdvanced",
    "ControlNetLoader",
    "EmptyLatentImage",
    "ImageFromBatch",
    "ImageScale",
    "ImageStitch",
    "ImageToMask",
    "InvertMask",
    "KSampler",
    "LatentBatchSeedBehavior",
    "LoadImage",
    "LoraLoader",
    "LoraLoaderModelOnly",
    "MarkdownNote",
    "MaskToImage",
    "PhotoMakerEncode",
    "PhotoMakerLoader",
    "PreviewImage",
    "PrimitiveInt",
    "SaveImage",
    "SetLatentNoiseMask",
    "VAEDecode",
    "VAEEncode",
}
NAMES = {
    *("basic", "composed", "depth_controlnet", "stylized", "style_lora", "lightning"),
    *("img2img", "face_swap", "two_people", "two_people_two_styles", "several_references"),
    *("interpolation", "novel_view", "comparison"),
}
MUTED = 2
FETCHABLE = (".safetensors", ".sft", ".ckpt", ".pth", ".pt")
FETCHED_FROM = "https://huggingface.co/"


def load(path: Path) -> dict[str, Any]:
    return json.loads(path.read_text(encoding="utf-8"))


def each_workflow(check: Callable[[Path], None]) -> Callable[[], None]:
    """One test of a check over all workflows, which lists every file that fails it."""

    @functools.wraps(check)
    def test() -> None:
        failed = []
        for path in WORKFLOWS:
            try:
                check(path)
            except AssertionError as error:
                failed.append(f"{path.name}: {error}")
        assert not failed, "\n".join(failed)

    del test.__wrapped__  # pytest would ask for a fixture named path
    return test


def test_the_page_lists_what_ships() -> None:
    shipped = {path.stem.removeprefix("instantid_") for path in WORKFLOWS}
    page = (REPOSITORY / "docs" / "workflows.md").read_text(encoding="utf-8")
    assert shipped == NAMES == set(re.findall(r"`instantid_(\w+)\.json`", page))


class NoteWrittenError(Exception):
    """Ends the making of a workflow, whose nodes would need a server's schemas."""


def test_notes_are_those_that_the_command_writes(monkeypatch: pytest.MonkeyPatch) -> None:
    written = {}

    def graph(name: str, _: Any, note: str) -> None:
        written[name] = note
        raise NoteWrittenError

    for author in SHIPPED:
        monkeypatch.setattr(sys.modules[author.__module__], "Graph", graph)
        with pytest.raises(NoteWrittenError):
            author({})
    stored = {path.stem: load(path)["nodes"][0]["widgets_values"][0] for path in WORKFLOWS}
    assert written == stored


@each_workflow
def test_only_known_nodes(path: Path) -> None:
    saved = load(path)
    assert {node["type"] for node in saved["nodes"]} <= CORE_CLASSES | set(NODES)
    numbers = [node["id"] for node in saved["nodes"]]
    assert len(set(numbers)) == len(numbers)
    assert max(numbers) == saved["last_node_id"]


@each_workflow
def test_links_have_both_ends(path: Path) -> None:
    saved = load(path)
    nodes = {node["id"]: node for node in saved["nodes"]}
    for number, origin, slot, target, end, kind in saved["links"]:
        source, sink = nodes[origin]["outputs"][slot], nodes[target]["inputs"][end]
        assert number in source["links"]
        assert sink["link"] == number
        assert source["type"] == sink["type"] == kind
    numbers = sorted(link[0] for link in saved["links"])
    starts = [n for node in nodes.values() for out in node["outputs"] for n in out["links"] or ()]
    ends = [slot["link"] for node in nodes.values() for slot in node["inputs"]]
    assert sorted(starts) == sorted(end for end in ends if end is not None) == numbers
    assert len(set(numbers)) == len(numbers) == saved["last_link_id"]


@each_workflow
def test_it_opens_at_a_size_that_can_be_read(path: Path) -> None:
    """On a screen of 1440 x 900, with every node in view."""
    saved = load(path)
    frames = [(*node["pos"], *node["size"]) for node in saved["nodes"]]
    frames += [tuple(group["bounding"]) for group in saved["groups"]]
    width = max(x + wide for x, _, wide, _ in frames) - min(frame[0] for frame in frames)
    height = max(y + high for _, y, _, high in frames) - min(frame[1] for frame in frames)
    least = 0.55 if path.stem == "instantid_basic" else 0.35
    assert min(VIEW[0] / width, VIEW[1] / height) >= least


@each_workflow
def test_wires_lead_to_the_right_or_down_and_groups_lie_apart(path: Path) -> None:
    saved = load(path)
    nodes = {node["id"]: (*node["pos"], *node["size"]) for node in saved["nodes"]}
    for _, origin, _, target, _, _ in saved["links"]:
        (left, top, width, height), (x, y, _, _) = nodes[origin], nodes[target]
        assert left + width <= x or top + height <= y, (origin, target)
    groups = [group["bounding"] for group in saved["groups"]]
    for number, (left, top, width, height) in enumerate(groups):
        for x, y, wide, high in groups[number + 1 :]:
            assert x >= left + width or left >= x + wide or y >= top + height or top >= y + high


@each_workflow
def test_the_note_begins_with_how_to_get_the_models(path: Path) -> None:
    note = load(path)["nodes"][0]["widgets_values"][0]
    assert "**Get InstantID models**" in note.splitlines()[0]


@each_workflow
def test_widget_values_fit_the_schemas(path: Path) -> None:
    for node in load(path)["nodes"]:
        if node["type"] not in NODES:
            continue
        inputs = NODES[node["type"]].inputs
        ordered = sorted(inputs, key=lambda item: item.optional)
        widgets = [item for item in ordered if item.type in WIDGETS]
        for item, value in zip(widgets, node["widgets_values"], strict=True):
            options = item.settings.get("options")
            if isinstance(options, list):
                assert value in options
            elif "min" in item.settings:
                assert item.settings["min"] <= value <= item.settings["max"]
            elif "default" in item.settings:
                assert isinstance(value, type(item.settings["default"]))
        # Slots of a growing input are called `identities.identity0` and so on.
        names = {slot["name"].split(".")[0] for slot in node["inputs"]}
        assert names == {item.name for item in inputs}
        needed = {item.name for item in inputs if item not in widgets and not item.optional}
        linked = {slot["name"].split(".")[0] for slot in node["inputs"] if slot["link"]}
        assert needed <= linked


@each_workflow
def test_fetchable_models_are_named_as_in_the_widget(path: Path) -> None:
    for node in load(path)["nodes"]:
        for model in node["properties"].get("models", ()):
            assert model["name"] in node["widgets_values"]
            assert model["name"].endswith(FETCHABLE)
            assert model["url"].startswith(FETCHED_FROM)
            assert model["directory"] in ("checkpoints", "controlnet", "loras")
        loads = "Loader" in node["type"] and not node["type"].startswith("InstantID")
        if loads and node["mode"] != MUTED:
            assert node["properties"]["models"]


@each_workflow
def test_settings_are_those_of_the_note(path: Path) -> None:
    nodes = load(path)["nodes"]
    note = nodes[0]["widgets_values"][0]
    assert all(words in note for words in ("models/instantid", "watermark", "non-commercial"))
    samplers = [node["widgets_values"] for node in nodes if node["type"] == "KSampler"]
    for seed, control, steps, cfg, sampler, scheduler, _ in samplers:
        assert (isinstance(seed, int), control, steps) == (True, "randomize", 4 if cfg == 1 else 30)
        assert all(words in note for words in (f"CFG {cfg:g}", f"`{sampler}`", f"`{scheduler}`"))
    for node in nodes:
        if node["type"] == "EmptyLatentImage":
            width, height, _ = node["widgets_values"]
            assert (width, height) in ((1016, 1016), (1208, 824))
            assert f"{width} x {height}" in note or "About 1016 pixels" in note
        for name, amount in amounts(node):
            assert f"{name} {amount:g}" in note


def amounts(node: dict[str, Any]) -> Iterator[tuple[str, float]]:
    """Weight and strength of a node that applies an identity."""
    if node["type"].startswith("InstantIDApply"):
        names = [slot["name"] for slot in node["inputs"] if "widget" in slot]
        for name, value in zip(names, node["widgets_values"], strict=True):
            if name in ("weight", "strength"):
                yield name, value


@each_workflow
def test_batches_are_as_long_as_what_goes_over_them(path: Path) -> None:
    """Every picture of a latent batch has an identity or a pose of its own."""
    nodes = load(path)["nodes"]
    batches = {n["widgets_values"][2] for n in nodes if n["type"] == "EmptyLatentImage"} - {1}
    steps = [n["widgets_values"][0] for n in nodes if n["type"].startswith("InstantIDInterpolate")]
    views = [n for n in nodes if n["type"] == "InstantIDPose" and len(batches) > 1]
    assert batches == {*steps, *([len(views)] if views else [])}
