"""The pack's nodes in the graph editor: taken from the library, run, saved, copied and loaded."""

from __future__ import annotations

import io
import json
from typing import Any

from PIL import Image
from support.pose_editor import MOST_MISDRAWN, PoseNode, in_module, misdrawn, server_drawing

from tools.comfyui.client import ComfyClient
from tools.pictures.browser import RUNNING, Editor
from tools.small_world import painter


def kept_pose(editor: Editor, *keys: str) -> PoseNode:
    """A pose node in which something was edited."""
    node = PoseNode(editor)
    node.open()
    for key in keys or ("2", "Shift+ArrowUp", "a"):
        node.page.keyboard.press(key)
    node.apply()
    return node


def pose_nodes(editor: Editor) -> list[int]:
    found = editor.page.evaluate(
        "() => window.app.graph.nodes.filter((n) => n.type === 'InstantIDPose').map((n) => n.id)"
    )
    return sorted(found)


def test_nodes_are_dragged_from_the_library(editor: Editor) -> None:
    page = editor.page
    page.keyboard.press("n")
    # A page that was used before may have a closed dialog with a search of its own.
    search = page.get_by_placeholder("Search").filter(visible=True).last
    search.wait_for()
    search.fill("InstantID Pose")
    entry = page.locator("[class*=tree], [role=tree], [role=treeitem]").get_by_text(
        "InstantID Pose", exact=True
    )
    entry.first.wait_for()
    entry.first.drag_to(page.locator("#graph-canvas"), target_position={"x": 900, "y": 300})
    page.wait_for_function("() => window.app.graph.nodes.length === 1")
    assert len(pose_nodes(editor)) == 1


def test_a_pose_survives_save_and_reload(editor: Editor, client: ComfyClient) -> None:
    node = kept_pose(editor)
    text = node.text
    name = f"kept_{editor.engine}"
    editor.save_as(name)
    saved = json.loads(client.get(f"/userdata/workflows%2F{name}.json"))
    assert text in next(n for n in saved["nodes"] if n["id"] == node.id)["widgets_values"]
    editor.reload()
    editor.page.wait_for_function("() => window.app.graph.nodes.length === 2")
    assert node.text == text
    node.open()
    assert misdrawn(node.drawn(), server_drawing(text, 512, 512)) <= MOST_MISDRAWN
    node.press("Cancel")


def test_a_pose_is_copied_and_pasted(editor: Editor) -> None:
    node = kept_pose(editor)
    page = editor.page
    page.evaluate("(id) => window.app.canvas.selectNode(window.app.graph.getNodeById(id))", node.id)
    page.evaluate("() => { const c = window.app.canvas; c.copyToClipboard(); }")
    page.evaluate("() => { const c = window.app.canvas; c.pasteFromClipboard(); }")
    first, second = pose_nodes(editor)
    assert editor.value(first, "pose_json") == editor.value(second, "pose_json") == node.text


TRACKER = "window.app.extensionManager.workflow.activeWorkflow.changeTracker"


def travel(editor: Editor, way: str, node: PoseNode, faces: int) -> None:
    """Undoes or redoes a change of the graph, and waits until the node keeps that many faces."""
    editor.page.evaluate(f"() => {TRACKER}.{way}()")
    editor.page.wait_for_function(
        """([id, faces]) => {
            const node = window.app.graph.getNodeById(id);
            const text = node?.widgets.find((widget) => widget.name === "pose_json").value;
            return text !== undefined && (text ? JSON.parse(text).faces.length : 0) === faces;
        }""",
        arg=[node.id, faces],
    )


def test_the_graphs_undo_takes_an_edit_back(editor: Editor) -> None:
    node = PoseNode(editor)
    editor.page.evaluate(
        f"() => {{ const t = {TRACKER}; (t.captureCanvasState ?? t.checkState).call(t); }}"
    )
    node.open()
    node.page.keyboard.press("a")
    node.apply()
    assert len(node.faces) == 2
    travel(editor, "undo", node, 0)
    travel(editor, "redo", node, 2)


def test_a_pose_goes_into_a_subgraph(editor: Editor) -> None:
    node = kept_pose(editor)
    text = node.text
    inner = editor.page.evaluate(
        """(id) => {
            const { graph, canvas } = window.app, node = graph.getNodeById(id);
            const { subgraph } = graph.convertToSubgraph(new Set([node]));
            return subgraph.nodes.map((n) => n.widgets.find((w) => w.name === "pose_json").value);
        }""",
        node.id,
    )
    assert inner == [text]
    sent = [one for one in editor.prompt().values() if one["class_type"] == "InstantIDPose"]
    assert [one["inputs"]["pose_json"] for one in sent] == [text]
    editor.load(editor.saved())
    assert editor.run()["kind"] == "execution_success"


def take_photo(editor: Editor, photo: str, node: int, faces: str = "faces") -> tuple[int, int]:
    """Lets a node take the faces of a photo; the nodes that analyse and load it."""
    kinds = ("InstantIDAnalyzeFaces", "LoadImage", "InstantIDLoadFaceAnalyzer")
    analyze, load, analyzer = (editor.add(kind, -400 * i) for i, kind in enumerate(kinds, 1))
    editor.set_value(load, "image", photo)
    editor.connect(load, "IMAGE", analyze, "image")
    editor.connect(analyzer, 0, analyze, "analyzer")
    editor.connect(analyze, "faces", node, faces)
    return analyze, load


def test_points_of_the_last_run_are_those_of_its_photo(
    canvas_editor: Editor, client: ComfyClient
) -> None:
    """Once something on the way to the faces is another one, they are as unknown as before."""
    editor, node = canvas_editor, PoseNode(canvas_editor)
    photos = [client.upload(f"{name}.png", painted_photo()) for name in ("first", "second")]
    analyze, load = take_photo(editor, photos[0], node.id)

    def is_known() -> bool:
        dialog = node.open()
        notice = dialog.get_by_text("takes its faces from a photo").is_visible()
        node.press("Cancel")
        node.dialog.wait_for(state="detached")
        return not notice

    assert not is_known()
    node.shown(client)
    assert is_known()
    for target, widget, other, usual in (
        (load, "image", photos[1], photos[0]),
        (analyze, "select", "center", "largest"),
        (analyze, "index", 1, 0),
        (analyze, "numbers", "1", ""),
    ):
        editor.set_value(target, widget, other)
        assert not is_known(), widget
        editor.set_value(target, widget, usual)
        assert is_known(), widget
    take_photo(editor, photos[0], node.id)
    assert not is_known(), "another link"


def test_points_come_from_the_subgraph_that_is_open(
    canvas_editor: Editor, client: ComfyClient
) -> None:
    """One pose node in a subgraph that is used twice, each time with a photo of its own."""
    editor, node = canvas_editor, PoseNode(canvas_editor)
    photos = [client.upload(f"{name}.png", painted_photo()) for name in ("first", "second")]
    take_photo(editor, photos[0], node.id)
    hosts = editor.page.evaluate(
        """(ids) => {
            const { graph } = window.app;
            const { node } = graph.convertToSubgraph(
                new Set(ids.map((id) => graph.getNodeById(id))));
            const other = window.LiteGraph.createNode(node.type);
            graph.add(other);
            return [node.id, other.id];
        }""",
        [node.id, node.preview],
    )
    take_photo(editor, photos[1], hosts[1])
    first_asked = asked_photos(editor, hosts[0], None)
    assert "used several times" in first_asked["error"]
    for host, photo in zip(hosts, photos, strict=True):
        assert asked_photos(editor, hosts[0], host)["photos"] == [photo]


def asked_photos(editor: Editor, host: int, through: int | None) -> dict[str, Any]:
    """Photos that the server would look at for the pose node inside, opened through a node."""
    return in_module(
        editor.page,
        "photo_points",
        """const { app } = window, { graph, canvas } = app;
        const root = app.rootGraph, { subgraph } = root.getNodeById(given[0]);
        const inner = subgraph.nodes.find((node) => node.type === "InstantIDPose");
        if (given[1] !== null) canvas.openSubgraph(subgraph, root.getNodeById(given[1]));
        let prompt = {};
        const fetchApi = async (path, { body }) => {
            ({ prompt } = JSON.parse(body));
            return { ok: false, json: async () => ({}) };
        };
        const asking = { graphToPrompt: () => app.graphToPrompt(), api: { fetchApi } };
        const error = await m.findPhotoPose(asking, inner, () => true).catch((e) => e.message);
        const loads = Object.values(prompt).filter((node) => node.class_type === "LoadImage");
        canvas.setGraph(root);
        return { error, photos: loads.map((node) => node.inputs.image) };""",
        [host, through],
    )


def test_a_photos_points_are_a_start(editor: Editor, client: ComfyClient) -> None:
    node = PoseNode(editor)
    take_photo(editor, client.upload("traced.png", painted_photo()), node.id)
    dialog = node.open()
    assert "takes its faces from a photo" in dialog.get_by_role("alert").inner_text()
    node.press("Connected photo")
    node.press("Start from photo points")
    dialog.get_by_text("Started from 1 face in the photo.").wait_for(timeout=RUNNING)
    editor.photograph("pose_editor_photo")
    node.apply()
    kept = node.shown(client)
    editor.set_value(node.id, "pose_json", "")
    assert (kept != node.shown(client)).any(-1).mean() < 0.001
    assert kept.any()


def painted_photo() -> bytes:
    picture = painter.canvas(640, 480)
    painter.paint_face(picture, (320, 240), 220, identity=3)
    buffer = io.BytesIO()
    Image.fromarray(picture).save(buffer, format="PNG")
    return buffer.getvalue()
