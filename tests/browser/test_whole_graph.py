"""A whole graph in the editor: wired, run, its pose edited, saved, and run again after a reload."""

from __future__ import annotations

import io
from typing import Any

import numpy as np
from PIL import Image
from support.pose_editor import PoseNode

from tools.comfyui.client import ComfyClient
from tools.pictures.browser import Editor
from tools.small_world import painter
from tools.small_world.random_files import ADAPTER_FILE, CONTROLNET_FILE
from tools.small_world.scenes import png

SIDE = 128
NODES: dict[str, tuple[str, dict[str, Any]]] = {
    "base": ("SmallSDXLCheckpoint", {}),
    "text": ("CLIPTextEncode", {"text": "portrait of a person"}),
    "adapter": ("InstantIDLoadAdapter", {"adapter_name": ADAPTER_FILE}),
    "analyzer": ("InstantIDLoadFaceAnalyzer", {}),
    "net": ("ControlNetLoader", {"control_net_name": CONTROLNET_FILE}),
    "photo": ("LoadImage", {"image": "whole_graph.png"}),
    "faces": ("InstantIDAnalyzeFaces", {}),
    "identity": ("InstantIDEmbedIdentity", {}),
    "apply": ("InstantIDApplyAdapter", {}),
    "latent": ("EmptyLatentImage", {"width": SIDE, "height": SIDE}),
    "sampler": ("KSampler", {"seed": 7, "control_after_generate": "fixed", "steps": 2}),
    "decode": ("VAEDecode", {}),
    "save": ("SaveImage", {}),
}
WIRES = (
    ("base", 1, "text", "clip"),
    ("analyzer", 0, "faces", "analyzer"),
    ("photo", 0, "faces", "image"),
    ("faces", 0, "identity", "faces"),
    ("base", 0, "apply", "model"),
    ("adapter", 0, "apply", "adapter"),
    ("identity", 0, "apply", "identity"),
    ("text", 0, "placed", "positive"),
    ("text", 0, "placed", "negative"),
    ("net", 0, "placed", "control_net"),
    ("adapter", 0, "placed", "adapter"),
    ("identity", 0, "placed", "identity"),
    ("apply", 0, "sampler", "model"),
    ("placed", 0, "sampler", "positive"),
    ("placed", 1, "sampler", "negative"),
    ("latent", 0, "sampler", "latent_image"),
    ("sampler", 0, "decode", "samples"),
    ("base", 2, "decode", "vae"),
    ("decode", 0, "save", "images"),
)
SLOTS = """([from, to, name]) => {
    const { graph, canvas } = window.app;
    canvas.ds.scale = 0.7;
    canvas.ds.offset = [150, 150];
    canvas.setDirty(true, true);
    const output = graph.getNodeById(from), input = graph.getNodeById(to);
    const frame = canvas.canvas.getBoundingClientRect();
    return [output.getConnectionPos(false, 0),
            input.getConnectionPos(true, input.findInputSlot(name))]
        .map(([x, y]) => canvas.convertOffsetToCanvas([x, y]))
        .map(([x, y]) => [frame.left + x, frame.top + y]);
}"""
"""Where the first output of one node and an input of another are on the screen."""


def wire_by_mouse(editor: Editor, source: int, target: int, name: str) -> None:
    page, places = editor.page, [source, target, name]
    page.evaluate(SLOTS, places)
    editor.settle()
    start, end = page.evaluate(SLOTS, places)
    page.mouse.move(*start)
    page.mouse.down()
    page.mouse.move(*end, steps=8)
    page.mouse.up()
    page.wait_for_function(
        """([id, name]) => {
            const node = window.app.graph.getNodeById(id);
            return node.inputs[node.findInputSlot(name)].link != null;
        }""",
        arg=[target, name],
    )


def result(editor: Editor, client: ComfyClient, node: int) -> np.ndarray:
    """Runs the graph; what a node has saved, uint8 [H, W, 3]."""
    assert editor.run()["kind"] == "execution_success"
    (image,) = editor.outputs(node)["images"]
    return np.asarray(Image.open(io.BytesIO(client.image(image))).convert("RGB"))


def test_an_edited_pose_gives_another_picture_and_keeps_it(
    editor: Editor, client: ComfyClient
) -> None:
    photo = png(painter.portrait(256, 256, identity=4)[0])
    client.upload("whole_graph.png", photo, overwrite="true")
    pose = PoseNode(editor, SIDE, SIDE)
    nodes = {"placed": editor.add("InstantIDApplyIdentityNet", 560, 100)}
    for place, (key, (kind, values)) in enumerate(NODES.items()):
        nodes[key] = editor.add(kind, 350 * (place % 7), 900 + 500 * (place // 7))
        for widget, value in values.items():
            editor.set_value(nodes[key], widget, value)
    for source, slot, target, name in WIRES:
        editor.connect(nodes[source], slot, nodes[target], name)
    wire_by_mouse(editor, pose.id, nodes["placed"], "faces")
    first = result(editor, client, nodes["save"])
    pose.open()
    for key in ("2", "Shift+ArrowUp", "a"):
        pose.page.keyboard.press(key)
    pose.apply()
    text, edited = pose.text, result(editor, client, nodes["save"])
    # In models with random weights a pose changes little.
    assert not np.array_equal(edited, first)
    editor.save_as(f"whole_{editor.engine}")
    editor.reload()
    pose.page.wait_for_function(
        "(count) => window.app.graph.nodes.length === count", arg=len(nodes) + 2
    )
    assert pose.text == text
    # With another seed in between, so that the picture is made anew and not remembered.
    editor.set_value(nodes["sampler"], "seed", 8)
    assert not np.array_equal(result(editor, client, nodes["save"]), edited)
    editor.set_value(nodes["sampler"], "seed", 7)
    assert np.array_equal(result(editor, client, nodes["save"]), edited)
