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

from tools.comfyui.subgraphs import inner_nodes
from tools.documents.schemas import WIDGETS, read_nodes
from tools.workflows.command import SHIPPED
from tools.workflows.layout import TITLE_BAR, VIEW
from tools.workflows.names import FILES, LONGEST, TITLES

REPOSITORY = Path(__file__).resolve().parents[2]
WORKFLOWS = sorted((REPOSITORY / "workflows").glob("*.json"))
NODES = read_nodes()
LABELS = REPOSITORY / "locales" / "en" / "nodeDefs.json"
CORE_CLASSES = {
    "BatchImagesNode",
    "CheckpointLoaderSimple",
    "CLIPTextEncode",
    "ConditioningCombine",
    "ConditioningSetMask",
    "ControlNetApplyAdvanced",
    "ControlNetLoader",
    "EmptyLatentImage",
    "ImageCompare",
    "ImageFromBatch",
    "ImageGrid",
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
    "RebatchImages",
    "SaveImage",
    "SetLatentNoiseMask",
    "StringConcatenate",
    "VAEDecode",
    "VAEEncode",
}
MUTED = 2
FETCHABLE = (".safetensors", ".sft", ".ckpt", ".pth", ".pt")
FETCHED_FROM = "https://huggingface.co/"


def load(path: Path) -> dict[str, Any]:
    return json.loads(path.read_text(encoding="utf-8"))


def nodes_of(saved: dict[str, Any]) -> list[dict[str, Any]]:
    """Those of subgraphs as well, each once; not those that stand for a subgraph."""
    subgraphs = (saved.get("definitions") or {}).get("subgraphs") or []
    placed = {each["id"] for each in subgraphs}
    every = [*saved["nodes"], *(node for each in subgraphs for node in each["nodes"])]
    return [node for node in every if node["type"] not in placed]


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
    page = (REPOSITORY / "docs" / "workflows.md").read_text(encoding="utf-8")
    listed = re.findall(r"^\| (\d\d [^|]+) \| `(\w+)` \|", page, re.MULTILINE)
    assert [path.stem for path in WORKFLOWS] == list(FILES.values())
    assert [(f"{title} (InstantID)", short) for title, short in listed] == [
        (file, short) for short, file in FILES.items()
    ]


@pytest.mark.parametrize(
    "words", ["InstantID", "identity", "portrait", "likeness", "same person", "face swap"]
)
def test_the_words_that_people_type_find_a_template(words: str) -> None:
    """ComfyUI's search sees the name of the file, and a match within its first 33 letters."""
    found = [name for name in FILES.values() if 0 <= name.lower().find(words.lower()) <= 33]
    assert len(found) == len(FILES) if words == "InstantID" else found


def test_titles_leave_room_for_the_name_of_the_pack() -> None:
    assert max(map(len, TITLES.values())) <= LONGEST
    assert not any(set(name) & set('<>:"/\\|?*%#&+') for name in FILES.values())


def test_no_two_workflows_have_a_node_id_in_common() -> None:
    """Else the editor shows what one has made on the nodes of the other."""
    saved = [load(path) for path in WORKFLOWS]
    numbers = [node["id"] for each in saved for node in nodes_of(each)]
    assert len(set(numbers)) == len(numbers)


def test_the_app_shows_widgets_and_a_result_that_there_are() -> None:
    saved = load(WORKFLOWS[list(FILES).index("app")])
    nodes = {node["id"]: node for node in saved["nodes"]}
    data = saved["extra"]["linearData"]
    assert saved["extra"]["linearMode"]
    shown = [(nodes[number]["type"], name) for number, name in data["inputs"]]
    assert shown == [
        ("LoadImage", "image"),
        ("CLIPTextEncode", "text"),
        ("InstantIDApply", "likeness"),
        ("EmptyLatentImage", "width"),
        ("EmptyLatentImage", "height"),
    ]
    for number, name in data["inputs"]:
        assert name in [slot["name"] for slot in nodes[number]["inputs"] if "widget" in slot]
    assert [nodes[number]["type"] for number in data["outputs"]] == ["SaveImage"]
    assert "Negative" not in nodes[data["inputs"][1][0]]["title"]


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
    assert {FILES[name]: note for name, note in written.items()} == stored


@each_workflow
def test_only_known_nodes(path: Path) -> None:
    saved = load(path)
    assert {node["type"] for node in nodes_of(saved)} <= CORE_CLASSES | set(NODES)
    numbers = [number for number, _ in inner_nodes(saved)]
    assert len(set(numbers)) == len(numbers)
    numbers = [node["id"] for node in (*nodes_of(saved), *saved["nodes"])]
    assert max(numbers) == saved["last_node_id"]


@each_workflow
def test_a_large_graph_has_subgraphs(path: Path) -> None:
    """Only those of two people with two styles and of four methods are as large."""
    saved = load(path)
    assert len(saved["nodes"]) <= 22
    assert len(list(inner_nodes(saved))) <= 21 or "definitions" in saved


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
    """On a screen of 1440 x 900: the editor leaves a quarter free around the nodes of a template,
    with their titles and ten pixels at each side."""
    nodes = [(*node["pos"], *node["size"]) for node in load(path)["nodes"]]
    width = max(x + wide for x, _, wide, _ in nodes) - min(x for x, *_ in nodes)
    height = max(y + high for _, y, _, high in nodes) - min(y for _, y, *_ in nodes) + TITLE_BAR
    least = 0.55 if path.stem == FILES["basic"] else 0.35
    assert min(VIEW[0] / (width + 20), VIEW[1] / (height + 20)) >= least


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
def test_notes_call_inputs_as_the_editor_labels_them(path: Path) -> None:
    labels = json.loads(LABELS.read_text("utf-8"))
    nodes = json.loads(path.read_text("utf-8"))["nodes"]
    ours = [labels[node["type"]]["inputs"] for node in nodes if node["type"] in labels]
    shown = {each.get("name") for inputs in ours for each in inputs.values()}
    hidden = {key for inputs in ours for key in inputs} - shown
    core = {one["name"] for node in nodes if node["type"] in CORE_CLASSES for one in node["inputs"]}
    notes = [node for node in nodes if node["type"] == "MarkdownNote"]
    assert notes and hidden
    for note in notes:
        named = set(re.findall(r"`([^`]+)`", note["widgets_values"][0]))
        assert not named & hidden - core, "the editor shows another name"


@each_workflow
def test_widget_values_fit_the_schemas(path: Path) -> None:
    ours = [node for node in nodes_of(load(path)) if node["type"] in NODES]
    assert ours
    for node in ours:
        inputs = NODES[node["type"]].inputs
        ordered = sorted(inputs, key=lambda item: item.optional)
        drawn = [item for item in ordered if item.type in WIDGETS]
        widgets = [item for item in drawn if not item.settings.get("force_input")]
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
    for node in nodes_of(load(path)):
        for model in node["properties"].get("models", ()):
            assert model["name"] in node["widgets_values"]
            assert model["url"].startswith(FETCHED_FROM)
            if model["directory"] == "instantid":
                assert model["name"] == "ip-adapter.bin", "known to the dialog, and not fetched"
                continue
            assert model["name"].endswith(FETCHABLE)
            assert model["directory"] in ("checkpoints", "controlnet", "loras")
        loads = "Loader" in node["type"] and not node["type"].startswith("InstantID")
        if loads and node["mode"] != MUTED:
            assert node["properties"]["models"]


@each_workflow
def test_settings_are_those_of_the_note(path: Path) -> None:
    nodes = nodes_of(load(path))
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
    """Every picture of a latent batch has an identity or a pose of its own, where there are
    several of either."""
    saved = load(path)
    nodes = {node["id"]: node for node in saved["nodes"]}
    steps = set()
    for node in nodes.values():
        if node["type"].startswith("InstantIDInterpolate"):
            steps.add(node["widgets_values"][0])
        elif node["type"] == "InstantIDPoseSheet":
            steps.add("count")
    batches = {size for node in nodes.values() for size in batch_sizes(saved, node)} - {1}
    assert batches == steps or not steps


def batch_sizes(saved: dict[str, Any], node: dict[str, Any]) -> Iterator[int | str]:
    """The batch size of an empty latent, or the name of the output that it comes from."""
    if node["type"] != "EmptyLatentImage":
        return
    link = next(slot["link"] for slot in node["inputs"] if slot["name"] == "batch_size")
    if link is None:
        yield node["widgets_values"][2]
        return
    _, origin, slot, *_ = next(each for each in saved["links"] if each[0] == link)
    source = next(each for each in saved["nodes"] if each["id"] == origin)
    yield source["outputs"][slot]["name"]
