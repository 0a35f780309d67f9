"""The gallery of saved people on InstantID Load Identity."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Locator, expect

from tools.comfyui.client import ComfyClient
from tools.comfyui.server import HostServer
from tools.pictures.browser import Editor
from tools.small_world import painter
from tools.small_world.scenes import png

LOADER, SAVER = "InstantIDLoadIdentity", "InstantIDSaveIdentity"


@pytest.fixture(autouse=True)
def folder(server: HostServer) -> Iterator[Path]:
    """Where identities are saved, empty before a test and after it."""
    place = server.launch.log.parent / "output" / "identities"
    yield place
    for file in place.glob("**/*.safetensors"):
        file.unlink()


@pytest.fixture(scope="session")
def portrait(client: ComfyClient) -> str:
    picture = painter.canvas(480, 480)
    painter.paint_face(picture, (240, 240), 240, identity=8)
    return client.upload("bo.png", png(picture))


def save_somebody(editor: Editor, portrait: str, prefix: str, consent: str = "") -> None:
    """Runs a graph that saves the person of a photo, and takes it away again."""
    nodes = [
        editor.add(kind, 400 * (place % 2) - 900, 300 * place)
        for place, kind in enumerate(
            (
                "InstantIDLoadFaceAnalyzer",
                "LoadImage",
                "InstantIDAnalyzeFaces",
                "InstantIDEmbedIdentity",
                SAVER,
            )
        )
    ]
    models, photo, analyze, embed, saver = nodes
    editor.set_value(models, "provider", "cpu")
    editor.set_value(photo, "image", portrait)
    editor.set_value(saver, "filename_prefix", prefix)
    editor.set_value(saver, "consent", consent)
    editor.connect(models, "analyzer", analyze, "analyzer")
    editor.connect(photo, "IMAGE", analyze, "image")
    editor.connect(analyze, "faces", embed, "faces")
    editor.connect(embed, "identity", saver, "identity")
    assert editor.run()["kind"] == "execution_success"
    editor.page.evaluate(
        """(ids) => {
            const { graph } = window.app;
            for (const id of ids) graph.remove(graph.getNodeById(id));
        }""",
        nodes,
    )


def panel(editor: Editor) -> Locator:
    return editor.page.locator(".iid-person")


def opened(editor: Editor, node: int) -> Locator:
    """The gallery of a loader; the node is looked at again, for it grows with its panel."""
    editor.show(node)
    panel(editor).last.get_by_role("button", name="Choose").click()
    dialog = editor.page.get_by_role("dialog", name="People")
    expect(dialog).to_be_visible()
    return dialog


def person(dialog: Locator, name: str) -> Locator:
    return dialog.get_by_role("listitem").filter(has_text=name)


def test_nobody_yet_is_a_kind_sentence(editor: Editor) -> None:
    node = editor.add(LOADER)
    editor.show(node)
    expect(panel(editor)).to_contain_text("Nobody saved yet")
    assert editor.value(node, "identity_name") == "nobody saved yet - use InstantID Save Identity"
    dialog = opened(editor, node)
    expect(dialog).to_contain_text("Connect an identity to InstantID Save Identity and run it once")
    editor.photograph("people_nobody")


def test_who_is_saved_appears_in_old_and_new_nodes(editor: Editor, portrait: str) -> None:
    old = editor.add(LOADER)
    save_somebody(editor, portrait, "anna", "Anna signed in May")
    editor.show(old)
    expect(panel(editor)).to_contain_text("anna")
    expect(panel(editor)).to_contain_text("Anna signed in May")
    assert editor.value(old, "identity_name") == "anna_00001_.safetensors"
    new = editor.add(LOADER, 0, 300)
    assert editor.value(new, "identity_name") == "anna_00001_.safetensors"
    editor.show(new)
    expect(panel(editor)).to_have_count(2)
    image = panel(editor).last.get_by_role("presentation").or_(panel(editor).last.locator("img"))
    assert image.first.evaluate("(image) => image.decode().then(() => image.naturalWidth)") == 128
    editor.photograph("people_panel")


def test_search_choose_rename_delete(editor: Editor, portrait: str, folder: Path) -> None:
    for name in ("anna", "bo"):
        save_somebody(editor, portrait, name)
    node = editor.add(LOADER)
    dialog = opened(editor, node)
    expect(dialog.get_by_role("listitem")).to_have_count(2)
    editor.photograph("people_gallery")
    dialog.get_by_role("searchbox").fill("BO")
    expect(dialog.get_by_role("listitem")).to_have_count(1)
    dialog.get_by_role("searchbox").fill("zoe")
    expect(dialog).to_contain_text('Nobody here fits "zoe".')
    dialog.get_by_role("searchbox").fill("")
    dialog.get_by_role("button", name="Rename bo").click()
    field = dialog.get_by_role("textbox", name="New name of bo")
    field.fill("Bo <b>Lee</b>")
    field.press("Enter")
    expect(person(dialog, "Bo <b>Lee</b>")).to_be_visible()
    assert (folder / "bo_00001_.safetensors").exists(), "workflows still find the file"
    person(dialog, "Bo <b>Lee</b>").locator(".face").click()
    expect(dialog).to_be_hidden()
    assert editor.value(node, "identity_name") == "bo_00001_.safetensors"
    expect(panel(editor)).to_contain_text("Bo <b>Lee</b>")
    dialog = opened(editor, node)
    dialog.get_by_role("button", name="Delete anna").click()
    expect(dialog.get_by_role("alert")).to_have_text("Delete anna for good?")
    dialog.get_by_role("button", name="Keep").click()
    assert (folder / "anna_00001_.safetensors").exists()
    dialog.get_by_role("button", name="Delete anna").click()
    dialog.get_by_role("button", name="Delete", exact=True).click()
    expect(dialog.get_by_role("listitem")).to_have_count(1)
    assert not (folder / "anna_00001_.safetensors").exists()


def test_a_file_that_is_broken_or_gone_is_told(
    canvas_editor: Editor, portrait: str, folder: Path
) -> None:
    save_somebody(canvas_editor, portrait, "anna")
    (folder / "broken.safetensors").write_bytes(b"no identity")
    node = canvas_editor.add(LOADER)
    dialog = opened(canvas_editor, node)
    expect(person(dialog, "broken")).to_contain_text("cannot be read")
    expect(person(dialog, "broken").locator(".face")).to_be_disabled()
    (folder / "anna_00001_.safetensors").unlink()
    dialog.get_by_role("button", name="Rename anna").click()
    dialog.get_by_role("textbox", name="New name of anna").press("Enter")
    expect(dialog.get_by_role("status")).to_contain_text("Expected the identity file")
    canvas_editor.photograph("people_broken")
    # The browser itself notes answers of the server that refuse.
    assert {"409" in told for told in canvas_editor.complaints} == {True}
    canvas_editor.complaints.clear()
    dialog.get_by_role("button", name="Close").click()
    canvas_editor.set_value(node, "identity_name", "nobody.safetensors")
    expect(panel(canvas_editor)).to_contain_text("This person is not here")


def test_five_hundred_people_can_be_scrolled(editor: Editor, portrait: str, folder: Path) -> None:
    # A name of its own: the server would skip a run that it remembers.
    name = f"crowd{editor.engine}"
    save_somebody(editor, portrait, name)
    content = (folder / f"{name}_00001_.safetensors").read_bytes()
    for number in range(2, 501):
        (folder / f"{name}_{number:05}_.safetensors").write_bytes(content)
    node = editor.add(LOADER)
    dialog = opened(editor, node)
    expect(dialog.get_by_role("listitem")).to_have_count(500)
    # A click scrolls there, again if the list is drawn anew meanwhile.
    person(dialog, f"{name} 500").locator(".face").click()
    assert editor.value(node, "identity_name") == f"{name}_00500_.safetensors"
