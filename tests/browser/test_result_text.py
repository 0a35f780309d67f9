"""Nodes whose result is a text show it in the graph."""

from __future__ import annotations

import re

from playwright.sync_api import Locator, expect

from tools.comfyui.client import ComfyClient
from tools.pictures.browser import Editor
from tools.small_world import painter
from tools.small_world.scenes import png


def shown(editor: Editor) -> Locator:
    return editor.page.locator(".iid-result").get_by_role("region", name="Result")


def identities(editor: Editor, client: ComfyClient) -> list[int]:
    """Two different people."""
    loader = editor.add("InstantIDLoadFaceAnalyzer", 40, 60)
    editor.set_value(loader, "provider", "cpu")
    found = []
    for place, number in enumerate((2, 11)):
        source = editor.add("LoadImage", 40, 220 + 340 * place)
        photo = png(painter.portrait(320, 320, identity=number)[0])
        editor.set_value(source, "image", client.upload(f"text{number}.png", photo))
        analyze = editor.add("InstantIDAnalyzeFaces", 380, 60 + 500 * place)
        editor.connect(loader, "analyzer", analyze, "analyzer")
        editor.connect(source, "IMAGE", analyze, "image")
        found.append(editor.add("InstantIDEmbedIdentity", 760, 60 + 500 * place))
        editor.connect(analyze, "faces", found[-1], "faces")
    return found


def test_compare_says_how_much_they_are_alike(editor: Editor, client: ComfyClient) -> None:
    compare = editor.add("InstantIDCompareIdentities", 1140, 60)
    for slot, node in enumerate(identities(editor, client)):
        editor.connect(node, "identity", compare, f"identities.identity{slot}")
    editor.show(compare)
    expect(editor.page.locator(".iid-result")).to_contain_text("Run the workflow")
    assert editor.run()["kind"] == "execution_success"
    editor.show(compare)
    expect(shown(editor)).to_contain_text(
        re.compile(r"least alike: \S+ and \S+, -?0\.\d\d: another person")
    )
    assert shown(editor).inner_text() == editor.outputs(compare)["text"][0]
    assert len(editor.outputs(compare)["images"]) == 1
    editor.photograph("compare_identities")
    assert shown(editor).evaluate("(it) => it.clientHeight > 40")
    sentence = shown(editor).locator(".iid-line").last
    assert sentence.evaluate("(it) => it.scrollWidth <= it.clientWidth"), "the last line is not cut"


def test_the_doctor_says_what_it_found(editor: Editor) -> None:
    doctor = editor.add("InstantIDDoctor", 100, 60)
    assert editor.run()["kind"] == "execution_success"
    editor.show(doctor)
    expect(shown(editor)).to_contain_text("python: ")
    shown(editor).focus()
    expect(shown(editor)).to_be_focused()
    assert shown(editor).evaluate("(it) => it.scrollHeight > it.clientHeight")
    assert shown(editor).evaluate("(it) => it.scrollWidth <= it.clientWidth"), "no line is cut"
    editor.photograph("doctor")
