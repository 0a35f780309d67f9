"""Words that people type into the search for nodes, and what they find of the pack."""

from __future__ import annotations

import re

from playwright.sync_api import expect

from tools.pictures.browser import Editor

NODE = "InstantID"
"""The node that does everything, whose name is the beginning of all others."""
WORDS = {
    NODE: [
        *("head", "headshot", "character", "avatar", "person", "same person", "reference"),
        *("ipadapter", "pulid", "reactor", "photomaker", "identity", "portrait", "likeness"),
        *("face swap", "faceid"),
    ],
    "InstantID Pose": ["openpose", "pose"],
    "InstantID Draw Keypoints": ["openpose"],
}
OLDER = ("InstantID Photo Keypoints", "InstantID Apply Adapter from Photo")


def found(editor: Editor, word: str, node: str) -> list[str]:
    """Names of the nodes that a word finds, best first, once `node` is among them."""
    editor.page.get_by_role("combobox", name="Add a node").fill(word)
    options = editor.page.get_by_role("option")
    name = re.compile(rf"^{node}(?! [A-Z])")
    expect(options.filter(has_text=name).first).to_be_attached()
    return [text.splitlines()[0] for text in options.all_inner_texts()]


def test_people_find_the_pack_by_their_words(canvas_editor: Editor) -> None:
    page = canvas_editor.page
    page.mouse.dblclick(900, 600)
    for node, words in WORDS.items():
        for word in words:
            found(canvas_editor, word, node)
    assert found(canvas_editor, "instantid", NODE)[0] == NODE
    canvas_editor.photograph("search")
    field, options = page.get_by_role("combobox", name="Add a node"), page.get_by_role("option")
    for name in OLDER:
        field.fill(name)
        expect(options.filter(has_text=name)).to_have_count(0)
    page.keyboard.press("Escape")
