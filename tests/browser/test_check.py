"""Check InstantID: the Doctor's findings in a dialog."""

from __future__ import annotations

from playwright.sync_api import expect

from tools.pictures.browser import RUNNING, Editor

ORDER = ["problem", "note", "ok"]


def test_the_menu_leads_to_findings_with_problems_first(editor: Editor) -> None:
    page = editor.page
    page.get_by_label("ComfyUI menu").or_(page.locator(".comfyui-logo")).first.click()
    page.get_by_text("Extensions", exact=True).first.hover()
    page.get_by_text("Check InstantID").first.click()
    dialog = page.get_by_role("dialog", name="Check InstantID")
    items = dialog.get_by_role("listitem")
    expect(items.first).to_be_visible(timeout=RUNNING)
    editor.photograph("check_instantid")
    states = items.evaluate_all("(all) => all.map((item) => item.dataset.state)")
    assert states == sorted(states, key=ORDER.index)
    assert items.evaluate_all("(all) => all.every((item) => item.scrollWidth <= item.clientWidth)")
    expect(dialog.get_by_role("status")).to_contain_text(f"{len(states)} checks.")
    page.context.grant_permissions(["clipboard-read", "clipboard-write"])
    dialog.get_by_role("button", name="Copy for a bug report").click()
    expect(dialog.get_by_role("button", name="Copied")).to_be_visible()
    text = page.evaluate("() => navigator.clipboard.readText()")
    assert "python: " in text
    assert text.endswith("checks")
    page.keyboard.press("Escape")
    expect(dialog).to_be_hidden()
