"""The editor's help panel shows a node's page with its picture, in both languages."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from playwright.sync_api import expect

from tools.pictures.browser import Editor

NODE = "InstantIDAnalyzeFaces"
CUT_OFF = """(page) => {
    const right = page.getBoundingClientRect().right + 1;
    const parts = [...page.querySelectorAll("h1, h2, p, li, table")];
    return parts.filter((part) => part.getBoundingClientRect().right > right)
        .map((part) => part.textContent);
}"""
"""What lies to the right of the panel's edge."""
TITLES = {"en": "InstantID Analyze Faces", "zh": "InstantID \u5206\u6790\u4eba\u8138"}


@pytest.mark.parametrize("language", ["en", pytest.param("zh", marks=pytest.mark.thorough)])
def test_help_shows_the_node_in_use(open_editor: Callable[..., Editor], language: str) -> None:
    """In a page of its own, since the panel stays open."""
    editor = open_editor("canvas", {"Comfy.Locale": language})
    node = editor.add(NODE, 200, 200)
    editor.select(node)
    editor.page.get_by_test_id("info-button").first.click()
    page = editor.page.locator(".node-help-content").first
    expect(page.get_by_role("heading", name=TITLES[language])).to_be_visible()
    picture = page.get_by_role("img")
    expect(picture).to_have_count(1)
    editor.page.wait_for_function(
        "() => document.querySelector('.node-help-content img').naturalWidth > 0"
    )
    assert TITLES[language] in (picture.get_attribute("alt") or "")
    picture.scroll_into_view_if_needed()
    expect(picture).to_be_in_viewport()
    editor.photograph(f"help_{language}")
    assert page.evaluate(CUT_OFF) == []
