"""How the pack's nodes and wires look, in both engines."""

from __future__ import annotations

import json
from typing import Any

import pytest
from playwright.sync_api import expect
from support.engines import EACH_ENGINE

from tools.comfyui.environment import REPOSITORY
from tools.pictures.browser import ENGINES, Editor

CONTRACT = json.loads((REPOSITORY / "tests/data/node_contract.json").read_text(encoding="utf-8"))
TYPES = sorted(
    {
        each["type"]
        for node in CONTRACT.values()
        for each in node["inputs"].values()
        if each["type"].startswith("INSTANTID_")
    }
)
COLOURS = """(types) => types.map((type) => [
    window.LGraphCanvas.link_type_colors[type],
    window.app.canvas.default_connection_color_byType[type],
    getComputedStyle(document.documentElement).getPropertyValue(`--color-datatype-${type}`).trim(),
])"""


def test_each_wire_has_a_colour_of_its_own(canvas_editor: Editor) -> None:
    assert len(TYPES) == 7
    shown = canvas_editor.page.evaluate(COLOURS, TYPES)
    assert all(len(set(colours)) == 1 for colours in shown), "equal in both engines"
    assert len({colours[0] for colours in shown}) == len(TYPES)
    core = canvas_editor.page.evaluate(COLOURS, ["IMAGE", "MODEL", "CONDITIONING", "LATENT"])
    assert not {each[0] for each in shown} & {each[0] for each in core}


def test_wires_keep_their_colours_in_another_palette(canvas_editor: Editor) -> None:
    choose = """(id) => window.app.extensionManager.setting.set("Comfy.ColorPalette", id)"""
    page = canvas_editor.page
    before = page.evaluate(COLOURS, TYPES)
    page.evaluate(choose, "light")
    page.wait_for_function("() => !document.body.classList.contains('dark-theme')")
    canvas_editor.settle()
    after = page.evaluate(COLOURS, TYPES)
    page.evaluate(choose, "dark")  # the server keeps it for the next page
    assert after == before


def test_nodes_have_the_packs_colour_and_files_do_not_store_it(editor: Editor) -> None:
    nodes = [editor.add(kind, 400 * i, 60) for i, kind in enumerate(("InstantIDPose", "KSampler"))]
    apply = editor.add("InstantIDApply", 60, 700)
    editor.show(apply)
    editor.photograph("looks_apply")
    saved = editor.saved()["nodes"]
    assert [node.get("color") for node in saved] == [None] * 3
    if ENGINES[editor.engine]:
        header = "(it) => getComputedStyle(it.querySelector('.lg-node-header')).backgroundColor"
        own, core = (editor.vue_node(node).evaluate(header) for node in nodes)
    else:
        colour = "(id) => window.app.graph.getNodeById(id).renderingColor"
        own, core = (editor.page.evaluate(colour, node) for node in nodes)
    assert own != core


def test_titles_fit(canvas_editor: Editor) -> None:
    """Measured as the canvas draws them, beside the box that collapses the node."""
    page = canvas_editor.page
    for kind in CONTRACT:
        canvas_editor.add(kind)
    cut = page.evaluate(
        """() => {
            const context = window.app.canvas.ctx;
            context.font = `${window.LiteGraph.NODE_TEXT_SIZE}px ${window.LiteGraph.NODE_FONT}`;
            return window.app.graph.nodes
                .filter((node) => context.measureText(node.title).width > node.size[0] - 40)
                .map((node) => node.title);
        }"""
    )
    assert cut == []


def test_labels_are_words_and_ids_stay(editor: Editor) -> None:
    node = editor.add("InstantIDApply", 60, 60)
    labels = editor.page.evaluate(
        """(id) => Object.fromEntries(window.app.graph.getNodeById(id).inputs
            .map((input) => [input.name, input.label ?? input.localized_name]))""",
        node,
    )
    expected = {"image": "photo", "image_kps": "pose photo", "weight": "likeness weight"}
    expected |= {"strength": "pose strength", "start_at": "start at"}
    assert {name: labels[name] for name in expected} == expected
    widgets = {each["name"] for each in widgets_of(editor, node)}
    assert {"weight", "strength", "start_at"} <= widgets


def widgets_of(editor: Editor, node: int) -> list[dict[str, Any]]:
    return editor.page.evaluate(
        """(id) => window.app.graph.getNodeById(id).widgets.map(({ name, value, options }) =>
            ({ name, value, shown: options?.getOptionLabel?.(value) ?? value }))""",
        node,
    )


@pytest.mark.parametrize("engine", EACH_ENGINE)
def test_choices_are_chinese_and_values_stay(reused_editor: Any, engine: str) -> None:
    editor = reused_editor(engine, "chinese")
    node = editor.add("InstantIDAnalyzeFaces", 60, 60)
    select = next(each for each in widgets_of(editor, node) if each["name"] == "select")
    assert (select["value"], select["shown"]) == ("largest", "\u6700\u5927")
    editor.show(node)
    if ENGINES[engine]:
        expect(editor.vue_node(node)).to_contain_text("\u6700\u5927")
    editor.photograph("choices_chinese")
    loader = editor.add("InstantIDLoadFaceAnalyzer", 500, 60)
    provider = next(each for each in widgets_of(editor, loader) if each["name"] == "provider")
    assert provider["shown"] == provider["value"] == "auto", "names of devices are not translated"
