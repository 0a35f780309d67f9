"""The keypoint editor as a person uses it: opened from the node, with mouse and keys."""

from __future__ import annotations

import json
from collections.abc import Callable

import numpy as np
import pytest
from playwright.sync_api import CDPSession, expect
from support.pose_editor import (
    FRONT_EYE,
    MOST_MISDRAWN,
    SIDE,
    PoseNode,
    misdrawn,
    server_drawing,
)

from tools.comfyui.client import ComfyClient
from tools.pictures.browser import MESSAGE, PICTURES, Editor, apart

TRACKER = "window.app.extensionManager.workflow.activeWorkflow.changeTracker"
PHONE = {"viewport": {"width": 390, "height": 844}, "device_scale_factor": 2, "has_touch": True}
FRONT = [[0.405, 0.34], [0.595, 0.34], [0.5, 0.431], [0.426, 0.534], [0.574, 0.534]]
REFUSALS = {
    "{": "cannot be read as JSON",
    "[]": "is an object with version, extent and faces",
    '{"version": 7}': "has version 7, expected 1",
    '{"version": 1, "extent": [0, 0], "faces": []}': "in whole pixels",
}


def kept(faces: list) -> str:
    return json.dumps({"version": 1, "extent": [SIDE, SIDE], "faces": faces})


def test_an_edited_pose_is_what_the_graph_makes(editor: Editor, client: ComfyClient) -> None:
    node = PoseNode(editor)
    before = node.shown(client)
    node.open()
    assert misdrawn(node.drawn(), before) <= MOST_MISDRAWN
    node.drag(FRONT_EYE, (0.3, 0.25))
    drawn = node.drawn()
    editor.photograph("pose_editor")
    node.apply()
    assert np.allclose(node.faces[0, 0], (0.3, 0.25), atol=0.01)
    after = node.shown(client)
    assert not np.array_equal(before, after)
    assert misdrawn(drawn, after) <= MOST_MISDRAWN
    assert misdrawn(drawn, before) > MOST_MISDRAWN
    headless = apart(client.run, editor.prompt()).outputs[str(node.preview)]["images"]
    assert len(headless) == 1


def test_mouse_moves_scales_and_turns_a_face(canvas_editor: Editor) -> None:
    node = PoseNode(canvas_editor)
    node.open()
    node.drag((0.5, 0.6), (0.6, 0.7))
    node.apply()
    moved = node.faces[0]
    assert np.allclose(moved - FRONT, 0.1, atol=0.01)
    node.open()
    node.page.mouse.move(*node.place(0.6, 0.7))
    for _ in range(5):
        node.page.mouse.wheel(0, -100)
        node.page.mouse.wheel(50, 0)
    node.press("Mirror face")
    node.apply()
    assert np.ptp(node.faces[0][:, 0]) == pytest.approx(np.ptp(moved[:, 0]) * 1.03**5, rel=0.02)


def test_everything_by_keyboard(editor: Editor) -> None:
    """No mouse after the dialog has opened."""
    node = PoseNode(editor)
    node.open()
    keys = node.page.keyboard
    for key in ("1", "Shift+ArrowLeft", "ArrowUp", "a", "Shift+ArrowDown", "]", "+", "m"):
        keys.press(key)
    for _ in range(3):
        keys.press("ControlOrMeta+z")
    keys.press("ControlOrMeta+Shift+z")
    keys.press("ControlOrMeta+Enter")
    node.dialog.wait_for(state="detached")
    first, second = node.faces
    assert np.allclose(first[0], np.array(FRONT[0]) - np.array([10, 1]) / SIDE, atol=2e-3)
    assert np.allclose(first[1:], FRONT[1:], atol=2e-3)
    turned = second[1] - second[0]
    assert np.degrees(np.arctan2(turned[1], turned[0])) == pytest.approx(1, abs=0.1)


def test_every_control_has_a_name_and_is_reached_by_tab(canvas_editor: Editor) -> None:
    node = PoseNode(canvas_editor)
    node.open()
    page = node.page
    focused = "() => document.activeElement.shadowRoot?.activeElement?."
    names, wanted = set(), set()
    for control in node.dialog.locator(
        "button:enabled:visible, input:enabled:visible, summary:visible, [tabindex='0']"
    ).all():
        control.evaluate("(element) => element.dataset.seen = ''")
        wanted.add(control.evaluate("(element) => element.outerHTML.slice(0, 200)"))
    for _ in range(60):
        page.keyboard.press("Tab")
        names.add(page.evaluate(f"{focused}outerHTML.slice(0, 200)"))
    # The canvas had the focus first; what is focused is what tab reaches.
    assert wanted <= names
    tree = node.dialog.aria_snapshot()
    for name in ("Yaw", "Pitch", "Roll", "Face height", "Face 1", "Quarter left", "Add face"):
        assert name in tree


def test_the_views_turn_the_chosen_face(canvas_editor: Editor) -> None:
    node = PoseNode(canvas_editor)
    node.open()
    node.press("Quarter right")
    slider = node.dialog.get_by_role("slider", name="Yaw")
    assert float(slider.input_value()) == pytest.approx(40, abs=1)
    slider.focus()
    for _ in range(5):
        node.page.keyboard.press("ArrowLeft")
    assert float(slider.input_value()) == pytest.approx(35, abs=1)
    node.apply()
    eyes = node.faces[0, :2]
    assert eyes[:, 1] == pytest.approx(0.34, abs=1e-3)


def test_undo_of_the_editor_leaves_the_graph_alone(editor: Editor) -> None:
    node = PoseNode(editor)
    editor.set_value(node.id, "center_x", 0.4)
    node.open()
    node.press("Add face")
    for _ in range(4):
        node.page.keyboard.press("ControlOrMeta+z")
    editor.settle()
    node.press("Cancel")
    assert editor.value(node.id, "center_x") == 0.4
    assert node.text == ""


def test_edits_of_the_node_go_into_the_pose(canvas_editor: Editor, client: ComfyClient) -> None:
    node = PoseNode(canvas_editor)
    for name, value in (("scale", 0.7), ("rotate", 20.0), ("mirror", True), ("preset", "up")):
        canvas_editor.set_value(node.id, name, value)
    before = node.shown(client)
    node.open()
    node.apply()
    values = [canvas_editor.value(node.id, name) for name in ("scale", "rotate", "mirror")]
    assert values == [1, 0, False]
    after = server_drawing(node.text, SIDE, SIDE)
    assert (before != after).any(-1).mean() < 0.001
    node.open()
    node.press("Clear saved pose")
    node.dialog.wait_for(state="detached")
    assert node.text == ""


@pytest.mark.parametrize("text", REFUSALS)
def test_text_that_is_no_pose(canvas_editor: Editor, text: str) -> None:
    """The editor says so and starts from the preset; the server says so in its own sentence. In a
    file it is cleared, with a warning; the graph's undo brings it back."""
    node = PoseNode(canvas_editor)
    canvas_editor.set_value(node.id, "pose_json", text)
    end = canvas_editor.run()
    assert end["kind"] == "execution_error"
    assert REFUSALS[text] in end["exception_message"]
    canvas_editor.page.keyboard.press("Escape")
    node.open()
    assert (
        "The editor starts from the node's preset" in node.dialog.get_by_role("alert").inner_text()
    )
    node.press("Cancel")
    canvas_editor.load(canvas_editor.saved())
    warned(canvas_editor, "pose_json was cleared")
    assert node.text == ""
    assert canvas_editor.run()["kind"] == "execution_success"
    node.open()
    node.apply()
    assert np.allclose(node.faces[0], FRONT, atol=2e-3)
    assert canvas_editor.run()["kind"] == "execution_success"


def warned(editor: Editor, words: str) -> None:
    toast = editor.page.locator(MESSAGE).filter(has_text=words)
    expect(toast.first).to_contain_text("InstantID Pose")


def test_undo_brings_a_text_back_that_was_taken_out(canvas_editor: Editor) -> None:
    node = PoseNode(canvas_editor)
    canvas_editor.set_value(node.id, "pose_json", "{")
    canvas_editor.load(canvas_editor.saved())
    warned(canvas_editor, "pose_json was cleared")
    assert node.text == ""
    canvas_editor.page.evaluate(f"() => {TRACKER}.undo()")
    canvas_editor.settle()
    assert node.text == "{"


def test_points_outside_come_back(canvas_editor: Editor) -> None:
    node = PoseNode(canvas_editor)
    far = np.add(FRONT, [0.6, -3]).tolist()
    canvas_editor.set_value(node.id, "pose_json", kept([far, FRONT]))
    node.open()
    assert node.dialog.get_by_text("5 points are outside the frame.").is_visible()
    node.press("Move into the frame")
    node.apply()
    assert node.faces.min() > 0
    assert node.faces.max() < 1
    assert np.allclose(node.faces[1], FRONT, atol=1e-5)


def test_a_frame_without_pixels_and_a_node_without_the_value(canvas_editor: Editor) -> None:
    node = PoseNode(canvas_editor)
    saved = canvas_editor.saved()
    for one in saved["nodes"]:
        if one["id"] == node.id:
            one["widgets_values"] = one["widgets_values"][:11]
            one["widgets_values"][1:3] = [0, None]
    canvas_editor.load(saved)
    for side in ("width", "height"):
        warned(canvas_editor, f"The {side} of the frame is")
        assert canvas_editor.value(node.id, side) == 1016
    assert canvas_editor.run()["kind"] == "execution_success"
    canvas_editor.set_value(node.id, "width", 0)
    node.open()
    assert "is used instead" in node.dialog.get_by_role("alert").inner_text()
    node.press("Add face")
    node.apply()
    assert len(node.faces) == 2
    canvas_editor.load(canvas_editor.saved())
    assert canvas_editor.run()["kind"] == "execution_success"


def test_at_twice_the_zoom_all_is_reached(reused_editor: Callable[..., Editor]) -> None:
    node = PoseNode(reused_editor("vue", "zoomed"))
    dialog = node.open()
    seen_together(node, 450)
    dialog.get_by_role("button", name="Mirror face").click()
    node.editor.photograph("pose_editor_zoomed")
    assert dialog.evaluate("(element) => element.scrollWidth <= element.clientWidth")
    node.apply()


def test_on_a_phone_the_face_is_seen_while_it_is_turned(
    open_editor: Callable[..., Editor],
) -> None:
    node = PoseNode(open_editor("canvas", **PHONE))
    node.page.evaluate(
        # Its promise is kept when the dialog closes, and not waited for.
        """(id) => void window.app.graph.getNodeById(id)
            .widgets.find((widget) => widget.name === "edit_pose").callback()""",
        node.id,
    )
    node.dialog.wait_for()
    node.settle()
    seen_together(node, 844)
    node.editor.photograph("pose_editor_phone")
    assert node.dialog.evaluate("(element) => element.scrollWidth <= element.clientWidth")


def seen_together(node: PoseNode, height: int) -> None:
    """Each slider can be brought into view, and the frame is seen with it."""
    for name in ("Yaw", "Roll", "Face height"):
        slider = node.dialog.get_by_role("slider", name=name)
        slider.scroll_into_view_if_needed()
        boxes = [each.bounding_box() for each in (slider, node.dialog.locator(".paper"))]
        for box in boxes:
            assert box is not None
            assert box["y"] >= 0
            assert box["y"] + box["height"] <= height, name
        knob, paper = boxes
        assert knob is not None
        assert paper is not None
        assert paper["height"] > height / 5
        below = paper["y"] + paper["height"] <= knob["y"]
        assert below or paper["x"] + paper["width"] <= knob["x"], "one does not cover the other"


def test_leaving_with_changes_asks(editor: Editor) -> None:
    node = PoseNode(editor)
    node.open()
    node.press("Add face")
    question = node.dialog.get_by_role("alertdialog")
    keys = node.page.keyboard
    keys.press("Escape")
    expect(question).to_be_visible()
    editor.photograph("pose_editor_question")
    for _ in range(3):
        keys.press("Escape")
    expect(question).to_be_hidden()
    node.press("Cancel")
    node.press("Discard changes")
    node.dialog.wait_for(state="detached")
    assert node.text == ""
    node.open()
    node.press("Add face")
    keys.press("Escape")
    node.press("Apply changes")
    node.dialog.wait_for(state="detached")
    assert len(node.faces) == 2
    node.open()
    keys.press("Escape")
    node.dialog.wait_for(state="detached")


def test_the_frame_is_enlarged_and_moved(canvas_editor: Editor) -> None:
    node = PoseNode(canvas_editor)
    node.open()
    paper, mouse = node.dialog.locator(".paper"), node.page.mouse
    whole = paper.bounding_box()
    eye = node.place(*FRONT_EYE)
    mouse.move(*eye)
    node.page.keyboard.down("Control")
    for _ in range(8):
        mouse.wheel(0, -100)
    node.page.keyboard.up("Control")
    node.settle()
    large = paper.bounding_box()
    assert whole is not None
    assert large is not None
    assert large["width"] / whole["width"] == pytest.approx(1.15**8, rel=0.01)
    assert node.place(*FRONT_EYE) == pytest.approx(eye, abs=1), "what is pointed at stays"
    canvas_editor.photograph("pose_editor_enlarged")
    node.drag(FRONT_EYE, (0.42, 0.36))
    mouse.move(*eye)
    mouse.down(button="middle")
    mouse.move(eye[0] + 40, eye[1] - 30, steps=3)
    mouse.up(button="middle")
    node.settle()
    moved = paper.bounding_box()
    assert moved is not None
    assert (moved["x"] - large["x"], moved["y"] - large["y"]) == pytest.approx((40, -30), abs=1)
    node.press("Fit")
    node.settle()
    assert paper.bounding_box() == pytest.approx(whole)
    node.apply()
    assert np.allclose(node.faces[0, 0], (0.42, 0.36), atol=0.003)


@pytest.mark.thorough
def test_one_of_ten_faces_is_dragged_at_a_rate_that_is_told(canvas_editor: Editor) -> None:
    node = PoseNode(canvas_editor, 1016, 1016)
    faces = [
        (np.array(FRONT) * 0.3 + [0.18 * (i % 5), 0.1 + 0.4 * (i // 5)]).tolist() for i in range(10)
    ]
    canvas_editor.set_value(node.id, "pose_json", kept(faces))
    node.open()
    x, y = node.place(*np.mean(faces[7], axis=0))
    session = node.page.context.new_cdp_session(node.page)
    session.send("Performance.enable", {"timeDomain": "threadTicks"})
    before = busy_seconds(session)
    rates = [node.stage.evaluate(FRAMES_WHILE_DRAGGING, [x, y]) for _ in range(3)]
    cost = (busy_seconds(session) - before) / sum(rates) / SECONDS
    told = (
        f"{max(rates):.1f} frames per second while dragging one of 10 faces, best of "
        f"{[round(rate, 1) for rate in rates]}; a frame takes {1000 * cost:.1f} ms of the processor"
    )
    PICTURES.mkdir(parents=True, exist_ok=True)
    (PICTURES / "pose_editor_rate.txt").write_text(told + "\n", encoding="utf-8")
    node.apply()
    assert not np.allclose(node.faces[7], faces[7], atol=1e-3)


SECONDS = 2


def busy_seconds(session: CDPSession) -> float:
    """Processor time of the page's main thread so far; waiting for a turn does not count."""
    metrics = session.send("Performance.getMetrics")["metrics"]
    return next(entry["value"] for entry in metrics if entry["name"] == "TaskDuration")


FRAMES_WHILE_DRAGGING = """async (canvas, [x, y]) => {
    const send = (kind, dx) => canvas.dispatchEvent(new PointerEvent(kind, {
        pointerId: 1, button: 0, clientX: x + dx, clientY: y + 2 * dx, bubbles: true }));
    canvas.setPointerCapture = () => {};
    const frame = () => new Promise(requestAnimationFrame);
    send("pointerdown", 0);
    for (let i = 0; i < 10; i++) { send("pointermove", i); await frame(); }
    const start = performance.now();
    let frames = 0;
    for (; performance.now() - start < 2000; frames++) {
        send("pointermove", 20 * Math.sin(frames / 9));
        await frame();
    }
    const seconds = (performance.now() - start) / 1000;
    send("pointermove", 5);
    send("pointerup", 5);
    return frames / seconds;
}"""
