"""Photos that are dropped or pasted on a node, in both engines."""

from __future__ import annotations

import base64

from playwright.sync_api import expect

from tools.pictures.browser import MESSAGE, Editor
from tools.small_world import painter
from tools.small_world.scenes import png

PHOTO = base64.b64encode(png(painter.portrait(96, 96, identity=1)[0])).decode()
FILES = """([content, name, type]) => {
    const bytes = Uint8Array.from(atob(content), (letter) => letter.charCodeAt(0));
    const data = new DataTransfer();
    data.items.add(new File([bytes], name, { type }));
    return data;
}"""
DROP = """([data, id]) => {
    const { app } = window, { pos } = app.graph.getNodeById(id);
    const [x, y] = app.canvas.convertOffsetToCanvas([pos[0] + 60, pos[1] + 20]);
    const frame = app.canvas.canvas.getBoundingClientRect();
    const at = { clientX: frame.left + x, clientY: frame.top + y };
    const node = document.querySelector(`[data-node-id="${id}"]`);
    const target = node ?? app.canvas.canvas;
    for (const kind of ["dragenter", "dragover", "drop"]) target.dispatchEvent(
        new DragEvent(kind, { dataTransfer: data, bubbles: true, cancelable: true, ...at }));
}"""
PASTE = """(data) => document.body.dispatchEvent(
    new ClipboardEvent("paste", { clipboardData: data, bubbles: true, cancelable: true }))"""
TRACKER = "window.app.extensionManager.workflow.activeWorkflow.changeTracker"
CAPTURE = f"() => {{ const t = {TRACKER}; (t.captureCanvasState ?? t.checkState).call(t); }}"


def drop(editor: Editor, node: int, name: str, kind: str = "image/png") -> None:
    data = editor.page.evaluate_handle(FILES, [PHOTO, name, kind])
    editor.page.evaluate(DROP, [data, node])


def source(editor: Editor, node: int, name: str) -> dict[str, object] | None:
    """The Load Image that an input of a node is connected to, and its photo."""
    return editor.page.evaluate(
        """([id, name]) => {
            const node = window.app.graph.getNodeById(id);
            const loader = node.getInputNode(node.findInputSlot(name));
            const photo = loader?.widgets.find((widget) => widget.name === "image").value;
            return loader && { type: loader.type, id: loader.id, photo };
        }""",
        [node, name],
    )


def connected(editor: Editor, node: int) -> dict[str, object]:
    editor.page.wait_for_function(
        """(id) => {
            const node = window.app.graph.getNodeById(id);
            return node.getInputNode(node.findInputSlot("image"));
        }""",
        arg=node,
    )
    found = source(editor, node, "image")
    assert found is not None
    return found


def test_a_dropped_photo_is_connected_in_one_step(editor: Editor) -> None:
    node = editor.add("InstantIDApply", 500, 60)
    editor.show(node)
    editor.page.evaluate(CAPTURE)
    drop(editor, node, "anna.png")
    first = connected(editor, node)
    assert first["type"] == "LoadImage"
    assert str(first["photo"]).startswith("anna")
    editor.settle()
    editor.photograph("photo_dropped")
    drop(editor, node, "bella.png")
    editor.page.wait_for_function(
        """(id) => String(window.app.graph.getNodeById(id).widgets[0].value).startsWith("bella")""",
        arg=first["id"],
    )
    assert len(editor.saved()["nodes"]) == 2, "the same Load Image"
    editor.page.evaluate(f"() => {TRACKER}.undo()")
    editor.page.wait_for_function(
        """(id) => String(window.app.graph.getNodeById(id)?.widgets[0].value).startsWith("anna")""",
        arg=first["id"],
    )
    editor.page.evaluate(f"() => {TRACKER}.undo()")
    editor.page.wait_for_function("() => window.app.graph.nodes.length === 1")


def test_a_pasted_photo_goes_to_the_selected_node(editor: Editor) -> None:
    node = editor.add("InstantIDAnalyzeFaces", 500, 60)
    editor.select(node)
    data = editor.page.evaluate_handle(FILES, [PHOTO, "pasted.png", "image/png"])
    editor.page.evaluate(PASTE, data)
    assert connected(editor, node)["type"] == "LoadImage"
    assert len(editor.saved()["nodes"]) == 2


def test_a_file_that_is_no_picture_gets_a_sentence(editor: Editor) -> None:
    node = editor.add("InstantIDApply", 500, 60)
    editor.show(node)
    drop(editor, node, "letter.pdf", "application/pdf")
    said = editor.page.locator(MESSAGE)
    expect(said).to_contain_text("Expected a photo, found letter.pdf.")
    assert source(editor, node, "image") is None


def test_a_load_image_becomes_the_photo_of_a_chain(canvas_editor: Editor) -> None:
    editor = canvas_editor
    photo = editor.add("LoadImage", 60, 60)
    sampler = editor.add("KSampler", 1200, 60)
    checkpoint = editor.add("CheckpointLoaderSimple", 700, 60)
    editor.connect(checkpoint, "MODEL", sampler, "model")
    editor.select(photo)
    editor.page.evaluate(
        """(id) => {
            const node = window.app.graph.getNodeById(id);
            const { extensions } = window.app;
            const items = extensions.flatMap((one) => one.getNodeMenuItems?.(node) ?? []);
            items.find(({ content }) => content === "Use as InstantID photo").callback();
        }""",
        photo,
    )
    prompt = {node["type"]: node for node in editor.saved()["nodes"]}
    assert {"InstantIDApply", "InstantIDLoadModels"} <= prompt.keys()
    apply = prompt["InstantIDApply"]
    linked = {each["name"] for each in apply["inputs"] if each.get("link") is not None}
    assert {"image", "model", "adapter", "control_net", "analyzer"} <= linked
    outputs = {each["name"]: each["links"] for each in apply["outputs"]}
    assert all(outputs[name] for name in ("model", "positive", "negative"))
