"""The face picker on InstantID Analyze Faces: seen, clicked, worked by keyboard, undone."""

from __future__ import annotations

import re
from collections.abc import Callable

import numpy as np
import pytest
from playwright.sync_api import Locator, expect

from tools.comfyui.client import ComfyClient
from tools.pictures.browser import ENGINES, MESSAGE, Editor
from tools.small_world import painter
from tools.small_world.scenes import png

ANALYZE = "InstantIDAnalyzeFaces"
PEOPLE = {3: (150, 190), 8: (480, 190), 11: (800, 60)}
"""Identity to the middle and the size of its face."""
STEPS = """() => {
    const tracker = window.app.extensionManager.workflow.activeWorkflow.changeTracker;
    tracker.captureCanvasState ? tracker.captureCanvasState() : tracker.checkState();
    return tracker.undoQueue.length;
}"""
"""Steps that undo knows, after it has looked at the graph."""
ORDERED = """(id) => {
    const { canvas, graph } = window.app;
    canvas.bringToFront(graph.getNodeById(id));
    graph.updateExecutionOrder();
}"""
"""Puts a node before the others, and numbers all anew."""
HINT = "Click to choose, Shift to add."
PHOTO_SHOWN = "() => window.app.graph.nodes.some((node) => node.imgs?.length)"
SHOWN = "() => document.querySelector('.iid-picture img')?.naturalWidth"
"""Whether the picker's picture has come."""


def group_photo(shift: int = 0) -> bytes:
    picture = painter.canvas(960, 480)
    for identity, (x, size) in PEOPLE.items():
        painter.paint_face(picture, (x + shift, 240), size, identity=identity)
    return png(picture)


@pytest.fixture(scope="session")
def photo(client: ComfyClient) -> str:
    return client.upload("three.png", group_photo())


@pytest.fixture(scope="session")
def other_photo(client: ComfyClient) -> str:
    picture = painter.canvas(960, 480)
    painter.paint_face(picture, (480, 240), 200, identity=5)
    return client.upload("one.png", png(picture))


def graph(editor: Editor, *photos: str) -> int:
    """Analysis of one photo, or of several as a batch; returns the node."""
    analyze = editor.add(ANALYZE, 450, 60)
    loader = editor.add("InstantIDLoadFaceAnalyzer", 40, 60)
    editor.set_value(loader, "provider", "cpu")
    editor.connect(loader, "analyzer", analyze, "analyzer")
    sources = [editor.add("LoadImage", 40, 220 + 330 * place) for place in range(len(photos))]
    for source, name in zip(sources, photos, strict=True):
        editor.set_value(source, "image", name)
    last, output = sources[0], "IMAGE"
    if len(sources) > 1:
        last, output = editor.add("ImageBatch", 250, 300), "IMAGE"
        for slot, source in enumerate(sources, start=1):
            editor.connect(source, "IMAGE", last, f"image{slot}")
    editor.connect(last, output, analyze, "image")
    preview = editor.add("PreviewImage", 1000, 60)
    editor.connect(analyze, "preview", preview, "images")
    editor.show(analyze)
    return analyze


def picker(editor: Editor) -> Locator:
    return editor.page.locator(".iid-picker")


def faces(editor: Editor, pressed: bool | None = None) -> Locator:
    return picker(editor).get_by_role("button", name=re.compile("^Face "), pressed=pressed)


def status(editor: Editor) -> Locator:
    return picker(editor).get_by_role("status")


def setting(editor: Editor, node: int) -> tuple[str, int, str]:
    select, index, numbers = (editor.value(node, name) for name in ("select", "index", "numbers"))
    return select, index, numbers


def never_run_before(editor: Editor, node: int, min_score: float) -> None:
    """Lets the node really run: what the server remembers of it is no reason for a warning."""
    editor.set_value(node, "min_score", min_score + 0.1 * (editor.engine == "vue"))


def ran(editor: Editor, *photos: str) -> int:
    """A graph whose faces are there to choose from."""
    node = graph(editor, *photos)
    assert editor.run()["kind"] == "execution_success"
    editor.show(node)
    expect(faces(editor).first).to_be_visible()
    return node


def test_a_click_chooses_and_shift_adds(editor: Editor, photo: str) -> None:
    node = graph(editor, photo)
    expect(status(editor)).to_contain_text("run the workflow")
    assert editor.run()["kind"] == "execution_success"
    editor.show(node)
    expect(faces(editor)).to_have_count(3)
    names = [box.get_attribute("aria-label") for box in faces(editor).all()]
    assert [re.sub(r"score 0\.\d\d, \d+", "", name or "") for name in names] == [
        f"Face {number},  px" for number in (1, 2, 3)
    ]
    expect(faces(editor, pressed=True)).to_have_count(1)
    faces(editor).nth(2).click()
    assert setting(editor, node) == ("index", 2, "")
    faces(editor).nth(0).click(modifiers=["Shift"])
    assert setting(editor, node) == ("index", 2, "2, 0")
    expect(status(editor)).to_contain_text(f"Faces 3, 1 chosen, 3 found. {HINT}")
    editor.photograph("face_picker")
    assert editor.run()["kind"] == "execution_success"
    expect(faces(editor, pressed=True)).to_have_count(2)
    faces(editor).nth(2).click(modifiers=["Shift"])
    assert setting(editor, node) == ("index", 0, "")
    assert editor.prompt()[str(node)]["inputs"]["numbers"] == ""


def test_boxes_lie_where_the_faces_are(editor: Editor, photo: str) -> None:
    ran(editor, photo)
    frame = editor.page.locator(".iid-picture").bounding_box()
    assert frame
    assert frame["width"] / frame["height"] == pytest.approx(2, rel=0.02)
    for box, (x, _) in zip(faces(editor).all(), PEOPLE.values(), strict=True):
        place = box.bounding_box()
        assert place
        middle = (place["x"] + place["width"] / 2 - frame["x"]) / frame["width"]
        assert middle == pytest.approx(x / 960, abs=0.03)


def test_the_picture_is_shown_once(editor: Editor, photo: str) -> None:
    node = ran(editor, photo)
    # The front end's own preview would come with the same answer of the server.
    editor.page.wait_for_function(SHOWN)
    editor.settle()
    shown = editor.page.evaluate(
        """(id) => {
            const node = window.app.graph.getNodeById(id);
            return (node.imgs?.length ?? 0) + node.widgets.filter(
                (widget) => widget.name.includes("image-preview")).length;
        }""",
        node,
    )
    assert shown == 0
    assert editor.vue_node(node).locator("img").count() <= 1


def test_the_keyboard_is_enough(editor: Editor, photo: str) -> None:
    node = ran(editor, photo)
    faces(editor).nth(0).focus()
    for key, expected in (
        ("Enter", ("index", 0, "")),
        ("Tab", ("index", 0, "")),
        ("Shift+Enter", ("index", 0, "0, 1")),
        ("Tab", ("index", 0, "0, 1")),
        ("Space", ("index", 2, "")),
    ):
        editor.page.keyboard.press(key)
        assert setting(editor, node) == expected, key
    expect(faces(editor).nth(2)).to_be_focused()


def test_one_undo_takes_a_choice_back(editor: Editor, photo: str) -> None:
    node = ran(editor, photo)
    before = setting(editor, node)
    faces(editor).nth(2).click()
    assert setting(editor, node) == ("index", 2, "")
    editor.page.evaluate(
        "() => window.app.extensionManager.workflow.activeWorkflow.changeTracker.undo()"
    )
    editor.settle()
    assert setting(editor, node) == before
    expect(faces(editor)).to_have_count(3)
    expect(faces(editor).nth(1)).to_have_attribute("aria-pressed", "true")
    faces(editor).nth(0).click()
    assert setting(editor, node) == ("index", 0, ""), "the panel is the new node's"


def test_a_panel_that_grows_is_no_step_of_undo(editor: Editor, photo: str) -> None:
    node = graph(editor, photo)
    if not ENGINES[editor.engine]:
        # The photo on Load Image enlarges that node when it arrives, which is a step.
        editor.page.wait_for_function(PHOTO_SHOWN)
    editor.set_value(node, "min_score", 0.6)
    # A click and a run do so, and ComfyUI counts the new order of the nodes as a step.
    editor.page.evaluate(ORDERED, node)
    steps = editor.page.evaluate(STEPS)
    before = editor.page.evaluate("(id) => window.app.graph.getNodeById(id).size[1]", node)
    # A run would enlarge the core's image preview, which is a step.
    picker(editor).get_by_role("button", name="Find faces").click()
    expect(faces(editor).first).to_be_visible(timeout=60_000)
    editor.settle()
    after = editor.page.evaluate("(id) => window.app.graph.getNodeById(id).size[1]", node)
    assert after > before, "the panel has grown"
    assert editor.page.evaluate(STEPS) == steps


def test_widgets_and_boxes_agree(editor: Editor, photo: str) -> None:
    node = ran(editor, photo)
    for name, value, chosen in (
        ("select", "left_to_right", [0, 1, 2]),
        ("select", "center", [1]),
        ("select", "index", [0]),
        ("index", -1, [2]),
        ("numbers", "0 1", [0, 1]),
        ("numbers", "7", []),
    ):
        editor.set_value(node, name, value)
        pressed = [box.get_attribute("data-number") for box in faces(editor, pressed=True).all()]
        assert pressed == [str(number) for number in chosen], (name, value)
    expect(status(editor)).to_contain_text("no face with that number")


def test_every_picture_of_a_batch(editor: Editor, photo: str, other_photo: str) -> None:
    node = ran(editor, photo, other_photo)
    expect(picker(editor)).to_contain_text("Image 1 of 2")
    faces(editor).nth(2).click()
    picker(editor).get_by_role("button", name="Next image").click()
    expect(faces(editor)).to_have_count(1)
    expect(status(editor)).to_contain_text("no face with that number")
    faces(editor).first.click(modifiers=["Shift"])
    assert setting(editor, node) == ("index", 2, "2, 0")
    picker(editor).get_by_role("button", name="Previous image").click()
    expect(faces(editor, pressed=True)).to_have_count(2)


def test_a_value_that_makes_no_sense(editor: Editor, photo: str) -> None:
    """A sentence on the node and in the corner, the usual face, and a graph that runs."""
    node = graph(editor, photo)
    editor.set_value(node, "select", "index")
    editor.set_value(node, "numbers", "<b>left</b>")
    never_run_before(editor, node, 0.41)
    assert editor.run()["kind"] == "execution_success"
    editor.show(node)
    expect(status(editor)).to_have_text(
        'numbers is "<b>left</b>", which is not a list such as 0, 2. Face 1 is used.'
    )
    expect(faces(editor, pressed=True)).to_have_count(1)
    toast = editor.page.locator(MESSAGE).filter(has_text="found '<b>left</b>'")
    expect(toast).to_have_count(1)
    faces(editor).nth(1).click()
    assert setting(editor, node) == ("index", 1, "")


def test_saved_and_opened_again(editor: Editor, photo: str) -> None:
    """A choice stays; a file from before there was a list of numbers gets an empty one."""
    node = ran(editor, photo)
    faces(editor).nth(1).click()
    faces(editor).nth(2).click(modifiers=["Shift"])
    saved = editor.saved()
    (mine,) = [each for each in saved["nodes"] if each["type"] == ANALYZE]
    assert mine["widgets_values"] == ["index", 1, 0.5, "error", "1, 2"]
    editor.load(saved)
    assert setting(editor, node) == ("index", 1, "1, 2")
    mine["widgets_values"] = ["largest", 0, 0.5, "error"]
    editor.load(saved)
    assert setting(editor, node) == ("largest", 0, "")


def test_a_file_with_values_of_another_kind(canvas_editor: Editor, photo: str) -> None:
    node = graph(canvas_editor, photo)
    saved = canvas_editor.saved()
    (mine,) = [each for each in saved["nodes"] if each["type"] == ANALYZE]
    mine["widgets_values"] = ["index", "first", 0.5, "error", {"a": 1}]
    canvas_editor.load(saved)
    assert setting(canvas_editor, node) == ("index", 0, "")
    expect(status(canvas_editor)).to_contain_text("an invalid value for index and numbers")
    assert canvas_editor.run()["kind"] == "execution_success"
    expect(faces(canvas_editor, pressed=True)).to_have_count(1)


def test_after_a_reload_the_faces_are_there_again(
    editor: Editor, photo: str, other_photo: str
) -> None:
    node = ran(editor, photo)
    faces(editor).nth(2).click()
    saved = editor.saved()
    editor.reload()
    editor.load(saved)
    editor.show(node)
    expect(faces(editor)).to_have_count(3)
    expect(status(editor)).to_contain_text("Face 3 chosen, 3 found.")
    (source,) = [each for each in saved["nodes"] if each["type"] == "LoadImage"]
    source["widgets_values"][0] = other_photo
    editor.load(saved)
    editor.show(node)
    editor.settle()
    expect(status(editor)).to_contain_text("run the workflow")
    expect(faces(editor)).to_have_count(0)


def test_faces_are_found_before_anything_else_runs(editor: Editor, photo: str) -> None:
    """The rest of the graph, which could not run, is left alone."""
    node = graph(editor, photo)
    sampler = editor.add("KSampler", 1000, 400)
    editor.set_value(node, "min_score", 0.47)
    picker(editor).get_by_role("button", name="Find faces").click()
    expect(faces(editor)).to_have_count(3, timeout=60_000)
    expect(status(editor)).to_contain_text("Face 2 chosen, 3 found.")
    faces(editor).nth(0).click()
    assert setting(editor, node) == ("index", 0, "")
    expect(status(editor)).to_contain_text("Face 1 chosen, 3 found.")
    assert editor.outputs(sampler) == {}
    editor.photograph("find_faces")


def test_apply_finds_faces_before_it_runs(editor: Editor, photo: str) -> None:
    node = editor.add("InstantIDApply", 450, 60)
    editor.press_button(node, "Find faces")
    dialog = editor.page.get_by_role("dialog", name="Find faces")
    expect(dialog).to_contain_text("Connect a photo to image")
    dialog.get_by_role("button", name="Done").click()
    loader, source = (
        editor.add("InstantIDLoadFaceAnalyzer", 40, 60),
        editor.add("LoadImage", 40, 220),
    )
    editor.set_value(loader, "provider", "cpu")
    editor.set_value(source, "image", photo)
    editor.connect(loader, "analyzer", node, "analyzer")
    editor.connect(source, "IMAGE", node, "image")
    editor.press_button(node, "Find faces")
    boxes = dialog.get_by_role("button", name=re.compile("^Face "))
    expect(boxes).to_have_count(3, timeout=60_000)
    expect(dialog.get_by_role("status")).to_contain_text("Face 2 chosen, 3 found.")
    boxes.nth(2).click()
    expect(dialog.get_by_role("status")).to_contain_text("Face 3 chosen, 3 found.")
    editor.photograph("apply_faces")
    dialog.get_by_role("button", name="Done").click()
    assert editor.value(node, "face") == 3
    (mine,) = [each for each in editor.saved()["nodes"] if each["type"] == "InstantIDApply"]
    face, reuse = mine["widgets_values"][-2:]
    assert (face, reuse) == (3, 1), "the button takes no place among the saved values"


def test_no_face_is_the_servers_sentence(canvas_editor: Editor, client: ComfyClient) -> None:
    nobody = client.upload("nobody.png", png(painter.canvas(320, 320)))
    graph(canvas_editor, nobody)
    picker(canvas_editor).get_by_role("button", name="Find faces").click()
    expect(status(canvas_editor)).to_contain_text("No face was found", timeout=60_000)
    expect(picker(canvas_editor).get_by_role("button", name="Find faces")).to_be_enabled()


def test_warnings_show_once_in_the_corner(canvas_editor: Editor, photo: str) -> None:
    node = graph(canvas_editor, photo)
    canvas_editor.set_value(node, "select", "index")
    canvas_editor.set_value(node, "numbers", "the left one")
    never_run_before(canvas_editor, node, 0.43)
    assert canvas_editor.run()["kind"] == "execution_success"
    toast = canvas_editor.page.locator(MESSAGE).filter(has_text="numbers should be face numbers")
    expect(toast).to_have_count(1)
    expect(toast).to_contain_text("InstantID Analyze Faces")
    canvas_editor.photograph("warning")


def test_at_double_size(reused_editor: Callable[..., Editor], photo: str) -> None:
    editor = reused_editor("vue", "zoomed")
    node = ran(editor, photo)
    faces(editor).nth(2).click()
    assert setting(editor, node) == ("index", 2, "")
    editor.photograph("face_picker_200_percent")


def test_pictures_are_those_of_the_run(canvas_editor: Editor, photo: str) -> None:
    ran(canvas_editor, photo)
    image = canvas_editor.page.locator(".iid-picture img")
    canvas_editor.page.wait_for_function(SHOWN)
    size = image.evaluate("(image) => [image.naturalWidth, image.naturalHeight]")
    assert np.array_equal(size, [768, 384])
