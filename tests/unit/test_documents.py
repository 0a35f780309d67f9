"""README, help pages, translations and workflows say what the code says.

The node schemas are read from the nodes themselves, with stand-ins for the host's modules.
"""

from __future__ import annotations

import ast
import importlib
import json
import re
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from types import ModuleType, SimpleNamespace
from typing import Any
from unittest.mock import MagicMock, patch

import pytest

REPOSITORY = Path(__file__).resolve().parents[2]
README = (REPOSITORY / "README.md").read_text(encoding="utf-8")
CONTRIBUTING = (REPOSITORY / "CONTRIBUTING.md").read_text(encoding="utf-8")
WORKFLOWS = sorted((REPOSITORY / "workflows").glob("*.json"))
LANGUAGES = ("en", "zh")
WIDGETS = ("Int", "Float", "Combo", "Boolean", "String")
HOST_MODULES = (
    "application",
    "identity_files",
    "installation",
    "model_routes",
    "models",
    "notices",
    "legacy_prompts",
    "paths",
    "progress",
)
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
MESSAGE_SYNTAX = set("{}@|")  # has a meaning in the editor's translations


@dataclass(frozen=True)
class Input:
    name: str
    kind: str
    settings: dict[str, Any]

    @property
    def optional(self) -> bool:
        return bool(self.settings.get("optional"))

    @property
    def default(self) -> str:
        value = self.settings.get("default", "")
        return f"{value:g}" if isinstance(value, float) else str(value)


@dataclass(frozen=True)
class Node:
    id: str
    display_name: str
    description: str
    inputs: tuple[Input, ...]
    outputs: tuple[str, ...]


class Kind:
    """Stands in for one socket type of the host."""

    def __init__(self, name: str) -> None:
        self.name = name

    def Input(self, name: str, **settings: Any) -> Input:  # noqa: N802  the host's name
        return Input(name, self.name, settings)

    def Output(self, display_name: str, **_: Any) -> str:  # noqa: N802  the host's name
        return display_name

    def TemplatePrefix(self, *_: Any, **__: Any) -> None:  # noqa: N802  the host's name
        """What a growing input repeats; its own name and tooltip are what is documented."""


class FakeIO:
    """Stands in for `comfy_api.latest.io`."""

    ComfyNode = type("ComfyNode", (), {})
    Schema = SimpleNamespace
    Custom = Kind

    def __getattr__(self, name: str) -> Kind:
        return Kind(name)


def stand_ins() -> dict[str, Any]:
    """Modules for everything that `nodes` imports and that only a running host has."""
    pack = ModuleType("documented_pack")
    pack.__path__ = [str(REPOSITORY)]
    latest = ModuleType("comfy_api.latest")
    latest.io, latest.ui, latest.ComfyAPI = FakeIO(), MagicMock(), MagicMock()
    latest.ComfyExtension = type("ComfyExtension", (), {})
    host = MagicMock()
    modules = {f"documented_pack.nodes.host.{name}": getattr(host, name) for name in HOST_MODULES}
    return {
        "documented_pack": pack,
        "documented_pack.nodes.host": host,
        "comfy_api": ModuleType("comfy_api"),
        "comfy_api.latest": latest,
        **modules,
    }


def read_nodes() -> dict[str, Node]:
    with patch.dict(sys.modules, stand_ins()):
        schemas = [
            n.define_schema() for n in importlib.import_module("documented_pack.nodes").NODES
        ]
    return {
        schema.node_id: Node(
            schema.node_id,
            schema.display_name,
            schema.description,
            tuple(schema.inputs),
            tuple(schema.outputs),
        )
        for schema in schemas
    }


NODES = read_nodes()
each_node = pytest.mark.parametrize("node", NODES.values(), ids=list(NODES))
each_workflow = pytest.mark.parametrize("path", WORKFLOWS, ids=lambda path: path.stem)


def test_the_nodes_were_read() -> None:
    assert len(NODES) == 25
    assert all(item.settings["tooltip"] for node in NODES.values() for item in node.inputs)


# README


def readme_rows() -> dict[str, list[str]]:
    """Node id to the cells of its row."""
    table = README.split("<!-- nodes:")[1].split("<!-- end of nodes -->")[0]
    rows = [line.strip("| ").split(" | ") for line in table.splitlines() if line.startswith("| **")]
    return {re.findall(r"`(\w+)`", cells[0])[0]: cells for cells in rows}


@each_node
def test_readme_lists_inputs_and_outputs(node: Node) -> None:
    title, inputs, outputs = readme_rows()[node.id]
    assert title.startswith(f"**{node.display_name}**")
    needed, _, free = inputs.partition("; optional: ")
    for text, optional in ((needed, False), (free, True)):
        found = re.findall(r"`(\w+)`(?: ([^,;]+))?", text)
        wanted = [item for item in node.inputs if item.optional is optional]
        assert found == [(item.name, item.default) for item in wanted]
    assert re.findall(r"`(\w+)`", outputs) == list(node.outputs)


def test_readme_lists_no_other_node() -> None:
    assert set(readme_rows()) == set(NODES)
    assert set(re.findall(r"`(InstantID[A-Z]\w+)`", README)) == set(NODES)


@pytest.mark.parametrize("text", [README, CONTRIBUTING], ids=["README", "CONTRIBUTING"])
def test_named_files_exist(text: str) -> None:
    links = [link for link in re.findall(r"\]\(([^)\s]+)\)", text) if "://" not in link]
    folders = r"(?:docs|tests|tools|training|web|workflows|locales|instantid_core|nodes)"
    paths = re.findall(rf"`({folders}/[\w./]*)`", text)
    shipped = [f"workflows/{name}" for name in re.findall(r"`(instantid_\w+\.json)`", text)]
    missing = [name for name in [*links, *paths, *shipped] if not (REPOSITORY / name).exists()]
    assert links
    assert not missing


def messages() -> Iterator[str]:
    """Every text in the pack's code, with dots for what is filled in."""
    for folder in ("instantid_core", "nodes"):
        for path in sorted((REPOSITORY / folder).glob("**/*.py")):
            for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
                if isinstance(node, ast.JoinedStr):
                    yield "".join(getattr(part, "value", "...") for part in dotted(node))
                elif isinstance(node, ast.Constant) and isinstance(node.value, str):
                    yield node.value.replace("%s", "...")


def dotted(text: ast.JoinedStr) -> Iterator[ast.Constant]:
    for part in text.values:
        yield part if isinstance(part, ast.Constant) else ast.Constant("...")


@pytest.mark.parametrize("quoted", re.findall(r'^### "(.+)"$', README, re.MULTILINE))
def test_readme_quotes_real_messages(quoted: str) -> None:
    wanted = quoted.removesuffix("...").removeprefix("...").strip()
    assert any(wanted in message for message in messages())


# Help pages


def help_page(node: Node, language: str) -> str:
    name = f"{node.id}.md" if language == "en" else f"{node.id}/{language}.md"
    return (REPOSITORY / "web" / "docs" / name).read_text(encoding="utf-8")


@each_node
@pytest.mark.parametrize("language", LANGUAGES)
def test_help_lists_inputs_and_outputs(node: Node, language: str) -> None:
    page = help_page(node, language)
    rows = [line.strip("| ").split(" | ") for line in page.splitlines() if line.startswith("| `")]
    inputs = [cells for cells in rows if len(cells) == 4]
    outputs = [cells[0].strip("`") for cells in rows if len(cells) == 3]
    assert [cells[0].strip("`") for cells in inputs] == [item.name for item in node.inputs]
    assert outputs == list(node.outputs)
    for item, cells in zip(node.inputs, inputs, strict=True):
        shown = re.match(r"`(.+)`$", cells[2])
        assert (shown[1] if shown else "") == item.default
    assert page.startswith(f"# {translations(language)[node.id]['display_name']}\n")


def test_help_has_no_other_page() -> None:
    folder = REPOSITORY / "web" / "docs"
    pages = {path.relative_to(folder).as_posix() for path in folder.glob("**/*.md")}
    assert pages == {f"{name}{end}" for name in NODES for end in (".md", "/zh.md")}


# Translations


def translations(language: str) -> dict[str, Any]:
    path = REPOSITORY / "locales" / language / "nodeDefs.json"
    return json.loads(path.read_text(encoding="utf-8"))


# `python tools/run.py tools.workflows.command` writes the English file anew.
@each_node
def test_english_is_what_the_code_says(node: Node) -> None:
    assert translations("en")[node.id] == {
        "display_name": node.display_name,
        "description": node.description,
        "inputs": {
            item.name: {"name": item.name, "tooltip": item.settings["tooltip"]}
            for item in node.inputs
        },
        "outputs": {str(slot): {"name": name} for slot, name in enumerate(node.outputs)},
    }


def leaves(value: Any, path: str = "") -> dict[str, str]:
    if isinstance(value, str):
        return {path: value}
    return {k: v for name in value for k, v in leaves(value[name], f"{path}/{name}").items()}


def test_languages_have_the_same_entries() -> None:
    assert set(translations("en")) == set(NODES)
    assert leaves(translations("en")).keys() == leaves(translations("zh")).keys()


@pytest.mark.parametrize("language", LANGUAGES)
def test_translations_are_plain_text(language: str) -> None:
    for path, text in leaves(translations(language)).items():
        assert text.strip(), path
        assert not MESSAGE_SYNTAX & set(text), path


def test_chinese_is_chinese() -> None:
    tooltips = [text for path, text in leaves(translations("zh")).items() if "tooltip" in path]
    assert all(re.search("[\u4e00-\u9fff]", text) for text in tooltips)


# Workflows


def load(path: Path) -> dict[str, Any]:
    return json.loads(path.read_text(encoding="utf-8"))


def test_what_ships_is_what_the_readme_lists() -> None:
    shipped = {path.stem.removeprefix("instantid_") for path in WORKFLOWS}
    assert shipped == NAMES == set(re.findall(r"`instantid_(\w+)\.json`", README))


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
def test_widget_values_fit_the_schemas(path: Path) -> None:
    for node in load(path)["nodes"]:
        if node["type"] not in NODES:
            continue
        inputs = NODES[node["type"]].inputs
        ordered = sorted(inputs, key=lambda item: item.optional)
        widgets = [item for item in ordered if item.kind in WIDGETS]
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
