"""What a run has to say is said once, in one place, with its workflow, and without server paths."""

from __future__ import annotations

import re
from typing import Any

import numpy as np
import pytest
from playwright.sync_api import Locator, expect
from support.engines import EACH_ENGINE

from tools.comfyui.client import ComfyClient
from tools.pictures.browser import ENGINES, MESSAGE, Editor
from tools.small_world.scenes import png

BLANK = np.full((96, 96, 3), 128, np.uint8)
MARKED = """(id) => window.app.graph.getNodeById(id)?.badges
    .map((badge) => (typeof badge === "function" ? badge() : badge).text)
    .some((text) => text.startsWith("\u26a0"))"""
"""Whether a node has the mark of a message."""
WARNING, FAILURE = "instantid_compose.warning", "execution_error"


def card(editor: Editor) -> Locator:
    return editor.page.locator(MESSAGE)


def hear(editor: Editor, kind: str, **detail: Any) -> None:
    """The server's event arrives."""
    editor.page.evaluate(
        """([kind, detail]) =>
            window.app.api.dispatchEvent(new CustomEvent(kind, { detail }))""",
        [kind, detail],
    )


def warn(editor: Editor, node: int | str, text: str, run: str = "a run") -> None:
    hear(editor, WARNING, node=str(node), message=text, prompt_id=run)


def marks(editor: Editor, node: int) -> list[str]:
    """Texts of the marks on a node, as its engine shows them."""
    if ENGINES[editor.engine]:
        content = editor.vue_node(node).evaluate("(it) => getComputedStyle(it, '::after').content")
        return re.findall(r"\u26a0 [\w ]+", content)
    badges = editor.page.evaluate(
        """(id) => window.app.graph.getNodeById(id).badges
            .map((badge) => (typeof badge === "function" ? badge() : badge).text)""",
        node,
    )
    return [text for text in badges if "\u26a0" in text]


def test_an_error_is_told_where_the_eye_is(editor: Editor, client: ComfyClient) -> None:
    source = editor.add("LoadImage", 40, 60)
    editor.set_value(source, "image", client.upload("blank.png", png(BLANK)))
    loader = editor.add("InstantIDLoadFaceAnalyzer", 40, 480)
    analyze = editor.add("InstantIDAnalyzeFaces", 420, 60)
    editor.connect(source, "IMAGE", analyze, "image")
    editor.connect(loader, "analyzer", analyze, "analyzer")
    editor.connect(analyze, "preview", editor.add("PreviewImage", 900, 60), "images")
    ended = editor.run()
    assert ended["kind"] == "execution_error"
    assert ended["exception_type"] == "InstantID.NoFaceError"
    said = card(editor).get_by_role("alert")
    expect(said).to_contain_text("InstantID Analyze Faces")
    expect(said).to_contain_text("No face was found in image 1 of 1 (96 x 96 pixels)")
    editor.show(analyze)
    expect(card(editor)).to_be_visible()
    editor.photograph("message_error")
    assert marks(editor, analyze) == ["\u26a0 failed"]
    card(editor).get_by_role("button", name="Close").click()
    expect(card(editor)).to_have_count(0)


def test_messages_of_a_run_share_a_card(editor: Editor) -> None:
    nodes = [editor.add(kind, 500 * i, 60) for i, kind in enumerate(("InstantIDPose",) * 2)]
    for node in nodes:
        warn(editor, node, "The face is <b>small</b>.")
        warn(editor, node, "The face is <b>small</b>.")
    expect(card(editor)).to_have_count(1)
    expect(card(editor).locator(".entry")).to_have_count(2)
    expect(card(editor)).to_contain_text("<b>small</b>")
    editor.show(nodes[1])
    editor.photograph("message_warnings")
    assert marks(editor, nodes[0]) == ["\u26a0 see message"]
    hear(editor, "execution_start", prompt_id="the next run")
    expect(card(editor)).to_have_count(0)
    assert marks(editor, nodes[0]) == []


def test_an_error_takes_the_place_of_a_warning_on_its_node(canvas_editor: Editor) -> None:
    node = canvas_editor.add("InstantIDPose", 60, 60)
    fault = {"exception_type": "RuntimeError", "exception_message": "/srv/secret.py is odd"}
    hear(
        canvas_editor, FAILURE, prompt_id="a run", node_id=node, node_type="InstantIDPose", **fault
    )
    warn(canvas_editor, node, "Later than the error.")
    assert marks(canvas_editor, node) == ["\u26a0 failed"]
    expect(card(canvas_editor)).to_contain_text("An unexpected error (RuntimeError)")
    expect(card(canvas_editor)).not_to_contain_text("/srv")


def test_errors_of_other_nodes_are_left_to_comfyui(canvas_editor: Editor) -> None:
    fault = {"exception_type": "RuntimeError", "exception_message": "boom"}
    hear(canvas_editor, FAILURE, prompt_id="a run", node_id=1, node_type="KSampler", **fault)
    canvas_editor.settle()
    expect(card(canvas_editor)).to_have_count(0)


@pytest.mark.parametrize(
    ("kind", "sentence", "name"),
    [
        ("FaceModelError", "glintr100.onnx is cut short.", "InstantID models"),
        ("InstantIDError", "OpenCV cannot be imported: run python -m pip install.", "Check"),
    ],
    ids=["models", "check"],
)
def test_a_button_leads_to_what_helps(
    canvas_editor: Editor, kind: str, sentence: str, name: str
) -> None:
    fault = {"exception_type": f"InstantID.{kind}", "exception_message": sentence}
    hear(canvas_editor, FAILURE, prompt_id="a run", node_id=1, node_type="InstantIDApply", **fault)
    card(canvas_editor).get_by_role("button", name=name).click()
    expect(canvas_editor.page.get_by_role("dialog", name=name)).to_be_visible()
    expect(card(canvas_editor)).to_have_count(0)


def test_a_message_stays_for_some_seconds_and_while_it_is_read(own_editor: Editor) -> None:
    page = own_editor.page
    page.clock.install()
    warn(own_editor, "", "Watch out.")
    expect(card(own_editor)).to_be_visible()
    page.clock.run_for(7_000)
    card(own_editor).hover()
    page.clock.run_for(20_000)
    expect(card(own_editor)).to_be_visible()
    page.mouse.move(0, 0)
    page.clock.run_for(9_000)
    expect(card(own_editor)).to_have_count(0)


def execute(editor: Editor, command: str) -> None:
    editor.page.evaluate("(id) => window.app.extensionManager.command.execute(id)", command)


def begin_workflow(editor: Editor) -> None:
    execute(editor, "Comfy.NewBlankWorkflow")
    editor.page.wait_for_function("() => window.app.graph.nodes.length === 0")
    editor.settle()


@pytest.mark.parametrize("engine", EACH_ENGINE)
def test_a_message_belongs_to_its_workflow(open_editor: Any, engine: str) -> None:
    """In a page of its own, with no workflow but those of the test."""
    editor = open_editor(engine)
    page = editor.page
    page.route("**/prompt", lambda route: route.fulfill(json={"prompt_id": "first"}))
    begin_workflow(editor)
    node = editor.add("InstantIDPose", 60, 60)
    page.evaluate("() => window.app.api.queuePrompt(0, { output: {}, workflow: {} })")
    editor.save_as(f"messages_{engine}")
    begin_workflow(editor)
    other = editor.add("InstantIDPose", 60, 60)
    assert other == node, "both workflows number their nodes from 1"
    warn(editor, node, "Of the first workflow.", run="first")
    editor.settle()
    expect(card(editor)).to_have_count(0)
    assert marks(editor, other) == []
    execute(editor, "Workspace.PreviousOpenedWorkflow")
    page.wait_for_function(MARKED, arg=node)
    assert marks(editor, node) == ["\u26a0 see message"]
