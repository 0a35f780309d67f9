"""What the pose editor leaves behind when it is closed."""

from __future__ import annotations

from playwright.sync_api import CDPSession
from support.pose_editor import PoseNode

from tools.pictures.browser import Editor

FIRST, OPENINGS = 5, 20
"""The front end adds listeners of its own while something is done for the first time."""


def test_no_listener_is_left_per_opening(editor: Editor) -> None:
    node = PoseNode(editor)
    session = editor.page.context.new_cdp_session(editor.page)
    session.send("Performance.enable")
    open_and_close(node, FIRST)
    before = listeners(session)
    open_and_close(node, OPENINGS)
    assert listeners(session) - before < OPENINGS
    session.detach()


def open_and_close(node: PoseNode, times: int) -> None:
    for _ in range(times):
        node.open()
        node.press("Cancel")
        node.dialog.wait_for(state="detached")


def listeners(session: CDPSession) -> int:
    """All that the page has, those of elements without a place in it included."""
    for _ in range(2):
        session.send("HeapProfiler.collectGarbage")
    metrics = session.send("Performance.getMetrics")["metrics"]
    return next(each["value"] for each in metrics if each["name"] == "JSEventListeners")
