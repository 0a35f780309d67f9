"""What is saved while the page is open can be chosen at once, in old nodes and in new ones."""

from __future__ import annotations

import io
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from playwright.sync_api import expect

from tools.comfyui.client import ComfyClient
from tools.comfyui.server import HostServer
from tools.pictures.browser import ENGINES, Editor
from tools.small_world import painter

FOLDERS = ("identities", "directions")
LOADERS = {
    "identity_name": "InstantIDLoadIdentity",
    "direction_name": "InstantIDLoadDirection",
}
FILE = "one_00001_.safetensors"


@pytest.fixture(autouse=True)
def nothing_saved(server: HostServer) -> Iterator[None]:
    yield
    for name in FOLDERS:
        place: Path = server.launch.log.parent / "output" / name
        for file in place.glob("**/*.safetensors"):
            file.unlink()


def album(people: range) -> bytes:
    """Photos of several people, which Load Image takes for a batch."""
    frames = []
    for identity in people:
        picture = painter.canvas(480, 480)
        painter.paint_face(picture, (240, 240), 240, identity=identity)
        frames.append(Image.fromarray(np.asarray(picture)))
    file = io.BytesIO()
    frames[0].save(file, "PNG", save_all=True, append_images=frames[1:])
    return file.getvalue()


@pytest.fixture(scope="session")
def albums(client: ComfyClient) -> list[str]:
    return [client.upload(f"album{n}.png", album(range(4 * n, 4 * n + 4))) for n in range(2)]


def analysed(editor: Editor, photo: str) -> int:
    """The node of the faces of a photo."""
    models, loader, analyze = (
        editor.add(kind, -900 + 400 * place, -900)
        for place, kind in enumerate(
            ("InstantIDLoadFaceAnalyzer", "LoadImage", "InstantIDAnalyzeFaces")
        )
    )
    editor.set_value(models, "provider", "cpu")
    editor.set_value(loader, "image", photo)
    editor.connect(models, "analyzer", analyze, "analyzer")
    editor.connect(loader, "IMAGE", analyze, "image")
    return analyze


def save_identity(editor: Editor, albums: list[str]) -> None:
    embed, saver = editor.add("InstantIDEmbedIdentity"), editor.add("InstantIDSaveIdentity")
    editor.connect(analysed(editor, albums[0]), "faces", embed, "faces")
    editor.connect(embed, "identity", saver, "identity")
    editor.set_value(saver, "filename_prefix", "one")


def save_direction(editor: Editor, albums: list[str]) -> None:
    learn = editor.add("InstantIDLearnDirection")
    for photos, side in zip(albums, ("with_faces", "without_faces"), strict=True):
        editor.connect(analysed(editor, photos), "faces", learn, side)
    editor.set_value(learn, "paired", True)
    editor.set_value(learn, "filename_prefix", "one")


@pytest.mark.parametrize(
    ("choice", "save"), [("identity_name", save_identity), ("direction_name", save_direction)]
)
def test_what_is_saved_can_be_chosen(
    editor: Editor, albums: list[str], choice: str, save: Callable[[Editor, list[str]], None]
) -> None:
    kind = LOADERS[choice]
    # By key R: tests before have taken files away, which no page is told of.
    editor.page.evaluate("() => window.app.refreshComboInNodes()")
    old = editor.add(kind, 600, 0)
    assert " saved yet - use InstantID " in editor.value(old, choice)
    save(editor, albums)
    assert editor.run()["kind"] == "execution_success"
    editor.page.wait_for_function(
        """([id, choice]) => !window.app.graph.getNodeById(id)
            .widgets.find(({ name }) => name === choice).value.includes("saved yet")""",
        arg=[old, choice],
    )
    new = editor.add(kind, 600, 400)
    assert [editor.value(node, choice) for node in (old, new)] == [FILE, FILE]
    if ENGINES[editor.engine]:
        for node in (new, old):
            editor.show(node)
            editor.vue_node(node).get_by_role("combobox").first.click()
            expect(editor.page.get_by_role("option", name=FILE)).to_be_visible()
            editor.page.keyboard.press("Escape")
