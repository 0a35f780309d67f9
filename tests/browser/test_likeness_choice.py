"""The likeness of the node InstantID, and the numbers that it stands for."""

from __future__ import annotations

from tools.demo.prompt import read_workflow
from tools.pictures.browser import Editor

NUMBERS = ("weight", "strength", "start_at", "end_at")
DIMMED = """([id, names]) => names.map((name) => Boolean(
    window.app.graph.getNodeById(id).widgets.find((widget) => widget.name === name).disabled))"""


def test_numbers_that_are_not_used_are_dimmed(editor: Editor) -> None:
    """In a workflow with a named likeness, and back when the numbers count."""
    saved = read_workflow("basic")
    (node,) = [each["id"] for each in saved["nodes"] if each["type"] == "InstantIDApply"]
    editor.load(saved)
    assert editor.value(node, "likeness") == "balanced"
    assert editor.page.evaluate(DIMMED, [node, NUMBERS]) == [True] * 4
    editor.show(node)
    editor.photograph("likeness_named")
    editor.set_value(node, "likeness", "custom")
    assert editor.page.evaluate(DIMMED, [node, NUMBERS]) == [False] * 4
    editor.set_value(node, "likeness", "faithful")
    assert editor.page.evaluate(DIMMED, [node, NUMBERS]) == [True] * 4
    given = editor.prompt()[str(node)]["inputs"]
    assert (given["likeness"], given["weight"]) == ("faithful", 0.8)


def test_a_new_node_goes_by_its_numbers(canvas_editor: Editor) -> None:
    node = canvas_editor.add("InstantIDApply")
    assert canvas_editor.value(node, "likeness") == "custom"
    assert canvas_editor.page.evaluate(DIMMED, [node, NUMBERS]) == [False] * 4
