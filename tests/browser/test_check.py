"""Check InstantID: the Doctor's findings in a dialog."""

from __future__ import annotations

from playwright.sync_api import Locator, expect

from tools.pictures.browser import RUNNING, Editor

COMMAND = "InstantIDCompose.Check"
ORDER = ["problem", "note", "ok"]


def opened(editor: Editor) -> Locator:
    editor.page.evaluate("(id) => window.app.extensionManager.command.execute(id)", COMMAND)
    dialog = editor.page.get_by_role("dialog", name="Check InstantID")
    expect(dialog.get_by_role("listitem").first).to_be_visible(timeout=RUNNING)
    return dialog


def test_problems_come_first_and_no_line_is_cut(editor: Editor) -> None:
    dialog = opened(editor)
    editor.photograph("check_instantid")
    items = dialog.get_by_role("listitem")
    states = items.evaluate_all("(all) => all.map((item) => item.dataset.state)")
    assert states == sorted(states, key=ORDER.index)
    assert items.evaluate_all("(all) => all.every((item) => item.scrollWidth <= item.clientWidth)")
    expect(dialog.get_by_role("status")).to_contain_text(f"{len(states)} checks.")
    editor.page.keyboard.press("Escape")
    expect(dialog).to_be_hidden()


def test_the_menu_leads_to_it_and_findings_are_copied(editor: Editor) -> None:
    page = editor.page
    page.context.grant_permissions(["clipboard-read", "clipboard-write"])
    page.get_by_label("ComfyUI menu").or_(page.locator(".comfyui-logo")).first.click()
    page.get_by_text("Extensions", exact=True).first.hover()
    page.get_by_text("Check InstantID").first.click()
    dialog = page.get_by_role("dialog", name="Check InstantID")
    dialog.get_by_role("button", name="Copy for a bug report").click(timeout=RUNNING)
    expect(dialog.get_by_role("button", name="Copied")).to_be_visible()
    text = page.evaluate("() => navigator.clipboard.readText()")
    assert "python: " in text
    assert text.endswith("checks")
