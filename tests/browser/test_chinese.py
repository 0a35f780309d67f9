"""The editor in Simplified Chinese: panels and dialogs follow its language."""

from __future__ import annotations

import re
from collections.abc import Callable

import pytest
from playwright.sync_api import Locator, expect
from support.engines import EACH_ENGINE
from support.pose_editor import PoseNode

from tools.comfyui.client import ComfyClient
from tools.pictures.browser import Editor
from tools.small_world import painter
from tools.small_world.scenes import png

FOREIGN = {"Ctrl", "Shift", "Alt", "Escape", "Delete", "pose_json", "InstantID"}
"""Words that stay as they are: keys, inputs, names."""
SAID = """(dialog) => {
    const parts = [];
    for (const one of [dialog, ...dialog.querySelectorAll("*")]) {
        for (const name of ["aria-label", "title", "placeholder", "aria-roledescription"])
            parts.push(one.getAttribute(name) ?? "");
        for (const node of one.childNodes) if (node.nodeType === 3) parts.push(node.data);
    }
    return parts.join("\\n");
}"""


def english_in(element: Locator) -> set[str]:
    """Words of everything an element shows or tells screen readers, but for those that stay."""
    return set(re.findall(r"[A-Za-z_]{3,}", element.evaluate(SAID))) - FOREIGN


@pytest.fixture(params=EACH_ENGINE)
def chinese(request: pytest.FixtureRequest, reused_editor: Callable[..., Editor]) -> Editor:
    """An empty graph in Chinese, in each engine; a quick run takes one of them."""
    return reused_editor(request.param, "chinese")


def test_the_pose_editor_is_chinese(chinese: Editor) -> None:
    node = PoseNode(chinese)
    chinese.set_value(node.id, "pose_json", "{")
    chinese.set_value(node.id, "width", 0)
    chinese.press_button(node.id, "\u7f16\u8f91\u59ff\u6001")
    dialog = chinese.page.get_by_role("dialog", name="\u7f16\u8f91\u59ff\u6001")
    dialog.wait_for()
    expect(dialog.get_by_role("alert")).to_contain_text(
        "\u59ff\u6001\u4e0d\u662f\u6709\u6548\u7684 JSON"
    )
    dialog.get_by_role("button", name="\u6dfb\u52a0\u4eba\u8138").click()
    chinese.page.keyboard.press("3")
    assert english_in(dialog) <= {"JSON", "width", "faces"}
    chinese.photograph("pose_editor_chinese")
    dialog.get_by_role("button", name="\u5e94\u7528", exact=True).click()
    dialog.wait_for(state="detached")
    assert len(node.faces) == 2


def test_panels_are_chinese(chinese: Editor, client: ComfyClient) -> None:
    photo = client.upload("panels.png", png(painter.portrait(480, 480, identity=4)[0]))
    kinds = ("LoadImage", "InstantIDLoadFaceAnalyzer", "InstantIDAnalyzeFaces")
    load, analyzer, analyze = (chinese.add(kind, 380 * i, 60) for i, kind in enumerate(kinds))
    embed = chinese.add("InstantIDEmbedIdentity", 760, 700)
    score = chinese.add("InstantIDScoreIdentity", 1160, 60)
    chinese.set_value(load, "image", photo)
    chinese.set_value(analyzer, "provider", "cpu")
    for target in (analyze, score):
        chinese.connect(analyzer, "analyzer", target, "analyzer")
        chinese.connect(load, "IMAGE", target, "image")
    chinese.connect(analyze, "faces", embed, "faces")
    chinese.connect(embed, "identity", score, "identity")
    picker, likeness = (chinese.page.locator(f".iid-{name}") for name in ("picker", "likeness"))
    chinese.show(analyze)
    expect(picker.get_by_role("status")).to_contain_text("\u5bfb\u627e\u4eba\u8138")
    assert chinese.run()["kind"] == "execution_success"
    chinese.show(analyze)
    expect(picker.get_by_role("status")).to_contain_text("\u5df2\u9009\u4eba\u8138 1")
    assert english_in(picker) == set()
    chinese.show(score)
    expect(likeness.get_by_role("status")).to_contain_text(
        "\u76f8\u4f3c\u5ea6 1.00\uff0c\u8fd1\u4e4e\u590d\u5236"
    )
    assert english_in(likeness) == set()
    chinese.photograph("panels_chinese")


def test_the_models_dialog_is_chinese(chinese: Editor) -> None:
    command = "() => window.app.extensionManager.command.execute('InstantIDCompose.GetModels')"
    chinese.page.evaluate(command)
    dialog = chinese.page.get_by_role("dialog", name="InstantID \u6a21\u578b")
    expect(dialog.get_by_role("row").nth(3)).to_be_visible()
    expect(dialog.get_by_role("button", name="\u5173\u95ed")).to_be_visible()
    assert "Close" not in english_in(dialog)
