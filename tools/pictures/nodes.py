"""Takes the pictures of the help pages: each node in use, between those it is connected to.

Run in the environment of the tests, with COMFYUI_PATH set; it needs the Chromium of the browser
tests:

    python tools/run.py tools.pictures.nodes [NODE ...]

The graph editor on the small models shows a graph of `node_scenes`; where something in it can run,
it has run. The pictures go to `web/docs/images`, which help pages in every language call `images/`.
"""

from __future__ import annotations

import io
import itertools
import sys
import tempfile
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

from PIL import Image
from playwright.sync_api import Browser, ViewportSize

from tools.comfyui import workspace
from tools.comfyui.client import ComfyClient
from tools.comfyui.prompts import ObjectInfo, Prompt
from tools.comfyui.server import HostServer
from tools.comfyui.workspace import REPOSITORY
from tools.small_world import painter
from tools.small_world.scenes import png

from .browser import Editor, apart, chromium
from .node_scenes import ANALYZE, EMBED, Node, Scene
from .words import note_for

PICTURES = REPOSITORY / "web" / "docs" / "images"
OWN_NODES = "InstantID"
"""Prefix of every node id of the pack."""
SUFFIX = ".webp"
WIDEST, QUALITY = 880, 76
MOST_BELOW = 4
"""Nodes of a column; more of them make two."""
QUIET_NODES = {"InstantIDDoctor", "InstantIDSaveIdentity", "InstantIDLearnDirection"}
"""Not run: they report on this machine, write a file, or need more photos than a scene has."""
VALUES: Mapping[str, Mapping[str, Any]] = {
    "CheckpointLoaderSimple": {"ckpt_name": "sd_xl_base_1.0.safetensors"},
    "ControlNetLoader": {"control_net_name": "instantid/diffusion_pytorch_model.safetensors"},
    "InstantIDLoadAdapter": {"adapter_name": "ip-adapter.bin"},
    "InstantIDLoadModels": {
        "adapter_name": "ip-adapter.bin",
        "control_net_name": "instantid/diffusion_pytorch_model.safetensors",
    },
    "InstantIDLoadIdentity": {"identity_name": "Anna_00001_.safetensors"},
    "InstantIDLoadDirection": {"direction_name": "glasses_00001.safetensors"},
    "KSampler": {"cfg": 4.5, "steps": 30, "seed": 7},
    "Prompt": {"text": "portrait photo of a person in a yellow raincoat"},
    "Negative prompt": {"text": "text, watermark, blurry"},
}
"""By class or title: what people with the published files would see."""
POSES = ("quarter_left", "quarter_right")
PEOPLE = ((2, 0), (7, 0), (2, 14))
"""Painted identity and turn of each photo: two people, and the first one again."""
SCORED = 2
"""The photo that is scored against the first one."""


def main(kinds: Sequence[str]) -> int:
    """Takes the pictures of the named nodes, or of all."""
    PICTURES.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(prefix="instantid-compose-") as scratch:
        launch = workspace.small_launch(workspace.current(), Path(scratch))
        with HostServer(launch) as server, chromium() as browser:
            client = ComfyClient(server.url)
            object_info = client.object_info()
            photos = [client.upload(f"photo_{n}.png", photo(n)) for n in range(len(PEOPLE))]
            apart(client.run, saved_person(photos[0]))
            editor = open_editor(browser, server.url)
            for kind in kinds or sorted(name for name in object_info if name.startswith(OWN_NODES)):
                path = PICTURES / f"{kind}{SUFFIX}"
                path.write_bytes(picture(editor, kind, object_info, photos))
                print(path, path.stat().st_size, flush=True)
    return 0


def photo(number: int) -> bytes:
    identity, yaw = PEOPLE[number]
    return png(painter.portrait(512, 512, identity=identity, yaw=yaw)[0])


def saved_person(name: str) -> Prompt:
    """Saves who is on a photo, so that there is somebody for InstantID Load Identity to show."""
    prompt: Prompt = {
        "1": {"class_type": "LoadImage", "inputs": {"image": name}},
        "2": {
            "class_type": "InstantIDLoadFaceAnalyzer",
            "inputs": {"model_pack": "antelopev2", "provider": "cpu"},
        },
        "3": {
            "class_type": ANALYZE,
            "inputs": {
                "analyzer": ["2", 0],
                "image": ["1", 0],
                "select": "largest",
                "index": 0,
                "min_score": 0.5,
                "on_no_face": "error",
            },
        },
        "4": {"class_type": EMBED, "inputs": {"faces": ["3", 0], "combine": "average"}},
        "5": {
            "class_type": "InstantIDSaveIdentity",
            "inputs": {"identity": ["4", 0], "filename_prefix": "Anna"},
        },
    }
    for node in prompt.values():
        node["_meta"] = {"title": node["class_type"]}
    return prompt


def open_editor(browser: Browser, url: str) -> Editor:
    """The classic canvas, drawn twice as fine as it will be shown."""
    view: ViewportSize = {"width": 1600, "height": 1100}
    page = browser.new_context(viewport=view, device_scale_factor=2).new_page()
    return Editor(page, url, "canvas").open(**{"Comfy.Sidebar.Size": "small"})


def picture(editor: Editor, kind: str, object_info: ObjectInfo, photos: Sequence[str]) -> bytes:
    """One node between its neighbours, as a WebP file."""
    scene = Scene(kind, object_info)
    ids = build(editor, scene, photos)
    arrange(editor, scene, ids)
    if kind not in QUIET_NODES and can_run(scene, object_info):
        end = editor.run()
        if end["kind"] != "execution_success":
            raise RuntimeError(f"The scene of {kind} did not run to its end: {end}")
        editor.page.wait_for_timeout(1000)
        editor.page.evaluate(WITHOUT_MESSAGES)
        arrange(editor, scene, ids)
    clip = editor.page.evaluate(FRAME, [ids[number] for number in scene.shown])
    editor.page.wait_for_timeout(700)
    shot = Image.open(io.BytesIO(editor.page.screenshot(clip=clip))).convert("RGB")
    width = min(WIDEST, shot.width)
    small = shot.resize((width, round(shot.height * width / shot.width)), Image.Resampling.LANCZOS)
    buffer = io.BytesIO()
    small.save(buffer, format="WEBP", quality=QUALITY, method=6, exif=note_for(kind))
    return buffer.getvalue()


def build(editor: Editor, scene: Scene, photos: Sequence[str]) -> list[int]:
    """Puts a scene on an empty canvas; the ids of its nodes there."""
    editor.page.evaluate(EMPTY)
    ids = [editor.add(node.kind) for node in scene.nodes]
    choose = chooser(scene, photos)
    for node, number in zip(scene.nodes, ids, strict=True):
        for name, value in choose(node).items():
            editor.set_value(number, name, value)
        if node.title:
            editor.page.evaluate(RENAME, [number, node.title])
    for node, number in zip(scene.nodes, ids, strict=True):
        for name, (source, output) in node.wires.items():
            editor.connect(ids[source], output, number, name)
    return ids


def chooser(scene: Scene, photos: Sequence[str]) -> Callable[[Node], dict[str, Any]]:
    """Gives the widget values of a scene's nodes, one after the other."""
    people = itertools.cycle(photos[:1] if is_about_one(scene) else photos[:SCORED])
    poses = itertools.cycle(POSES)

    def choose(node: Node) -> dict[str, Any]:
        values = {**VALUES.get(node.kind, {}), **VALUES.get(node.title, {})}
        if node.kind == "LoadImage":
            scored = node.title == "Picture to score"
            values["image"] = photos[SCORED] if scored else next(people)
        elif node.kind == "InstantIDPose":
            values["preset"] = next(poses)
        return values

    return choose


def arrange(editor: Editor, scene: Scene, ids: Sequence[int]) -> None:
    """Columns from left to right, at the sizes that the nodes have now."""
    feeding = [number for number, node in enumerate(scene.nodes) if node.column == -1]
    far = feeding[: len(feeding) // 2] if len(feeding) > MOST_BELOW else []
    columns = [
        [ids[number], -1.5 if number in far else node.column]
        for number, node in enumerate(scene.nodes)
    ]
    editor.page.evaluate(ARRANGE, columns)


def is_about_one(scene: Scene) -> bool:
    """Whether no two identities meet in a scene."""
    return sum(node.kind == EMBED for node in scene.nodes) < 2


def can_run(scene: Scene, object_info: ObjectInfo) -> bool:
    """Whether a run would end at a shown node, with no need of files that only users have."""
    kinds = {node.kind for node in scene.nodes if node.column <= 0}
    ends = [node.kind for node in scene.nodes if node.column >= 0]
    return not kinds & VALUES.keys() and any(object_info[kind]["output_node"] for kind in ends)


# The editor remembers what nodes have shown by their numbers, so numbers are not used again.
EMPTY = """() => {
    const { graph } = window.app, last = graph.state.lastNodeId;
    graph.clear();
    graph.state.lastNodeId = last + 100;
}"""
# A warning, such as that of a machine without a GPU, would lie over the picture.
WITHOUT_MESSAGES = f"""async () => {{
    const messages = await import("/extensions/{workspace.PACK}/js/messages/messages.js");
    messages.beginRun("");
}}"""
RENAME = "([id, title]) => { window.app.graph.getNodeById(id).title = title; }"
ARRANGE = """(columns) => {
    const { graph, canvas } = window.app;
    const least = { LoadImage: [270, 330], PreviewImage: [270, 300], MaskPreview: [270, 300],
        PreviewAny: [270, 200],
        InstantIDPose: [300, 560], InstantIDCompareIdentities: [300, 360] };
    let left = 0;
    for (const place of [...new Set(columns.map(([, column]) => column))].sort((a, b) => a - b)) {
        let top = 0, width = 0;
        for (const [id] of columns.filter(([, column]) => column === place)) {
            const node = graph.getNodeById(id), wanted = node.computeSize();
            const [wide, high] = least[node.type] ?? [0, 0];
            node.setSize([Math.max(wanted[0], wide, 290), Math.max(wanted[1], high)]);
            node.pos = [left, top];
            top += node.size[1] + 50;
            width = Math.max(width, node.size[0]);
        }
        left += width + 70;
    }
    canvas.setDirty(true, true);
}"""
FRAME = """(ids) => {
    const { graph, canvas } = window.app, edge = 24, head = 34;
    const areas = ids.map((id) => graph.getNodeById(id)).map(({ pos, size }) =>
        [pos[0] - edge, pos[1] - head - edge, pos[0] + size[0] + edge, pos[1] + size[1] + edge]);
    const [x0, y0] = [0, 1].map((i) => Math.min(...areas.map((area) => area[i])));
    const [x1, y1] = [2, 3].map((i) => Math.max(...areas.map((area) => area[i])));
    const room = { left: 90, top: 100, width: innerWidth - 110, height: innerHeight - 200 };
    const scale = Math.min(1, room.width / (x1 - x0), room.height / (y1 - y0));
    const frame = canvas.canvas.getBoundingClientRect();
    canvas.ds.scale = scale;
    canvas.ds.offset[0] = (room.left - frame.left) / scale - x0;
    canvas.ds.offset[1] = (room.top - frame.top) / scale - y0;
    canvas.deselectAll?.();
    // No frames of error: the names are those of published files, which the small models lack.
    for (const node of graph.nodes) node.strokeStyles = {};
    canvas.setDirty(true, true);
    return { x: room.left, y: room.top, width: (x1 - x0) * scale, height: (y1 - y0) * scale };
}"""


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
