"""Words that people type into the search for nodes, and what they find of the pack."""

from __future__ import annotations

from playwright.sync_api import Locator, expect

from tools.pictures.browser import Editor

WORDS = {
    "InstantID Apply": [
        *("head", "headshot", "character", "avatar", "person", "same person", "reference"),
        *("ipadapter", "pulid", "reactor", "photomaker", "identity", "portrait", "likeness"),
        *("face swap", "faceid"),
    ],
    "InstantID Pose": ["openpose", "pose"],
    "InstantID Draw Keypoints": ["openpose"],
}
OLDER = ("InstantID Photo Keypoints", "InstantID Apply Adapter from Photo")


def found(editor: Editor, word: str) -> Locator:
    editor.page.get_by_role("combobox", name="Add a node").fill(word)
    return editor.page.get_by_role("option")


def test_people_find_the_pack_by_their_words(canvas_editor: Editor) -> None:
    page = canvas_editor.page
    page.mouse.dblclick(900, 600)
    for node, words in WORDS.items():
        for word in words:
            expect(found(canvas_editor, word).filter(has_text=node).first).to_be_attached()
    options = found(canvas_editor, "instantid")
    # The front end puts the shorter of two names first, and ids are for good: Pose is one letter
    # shorter.
    expect(options.filter(has_text="InstantID Apply").first).to_be_attached()
    first = [text.splitlines()[0] for text in options.all_inner_texts()[:2]]
    assert first == ["InstantID Pose", "InstantID Apply"]
    canvas_editor.photograph("search")
    for name in OLDER:
        expect(found(canvas_editor, name).filter(has_text=name)).to_have_count(0)
    page.keyboard.press("Escape")
