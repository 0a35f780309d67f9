"""What the pack's scripts add to its nodes in Nodes 2.0, where each element costs loading time.

An editor without the scripts shows the same nodes as the front end alone would.
"""

from __future__ import annotations

import json

from playwright.sync_api import Browser, Route

from tools.comfyui.environment import REPOSITORY
from tools.comfyui.server import HostServer
from tools.pictures.browser import STILL, Editor

CONTRACT = json.loads((REPOSITORY / "tests/data/node_contract.json").read_text(encoding="utf-8"))
MOST = 10
"""Elements of a button with its row, or of an empty panel."""
SCRIPTS = "**/extensions/instantid-compose/**"
ELEMENTS = """async () => {
    const { graph } = window.app
    const frame = () => new Promise((resolve) => requestAnimationFrame(resolve))
    const still = async (count) => {
        for (let same = 0, last = -1; same < 4; ) {
            await frame()
            const found = count()
            same = found === last ? same + 1 : 0
            last = found
        }
        return count()
    }
    const all = () => document.querySelectorAll('[data-node-id] *').length
    const found = {}
    for (const kind of Object.keys(LiteGraph.registered_node_types)) {
        if (!kind.startsWith('InstantID')) continue
        graph.clear()
        await still(all)
        graph.add(LiteGraph.createNode(kind))
        await still(() => all() || Math.random())
        found[kind] = all()
    }
    return found
}"""
"""Elements on the screen for a node of each of the pack's classes."""


def test_scripts_add_a_button_and_a_panel_at_most(browser: Browser, server: HostServer) -> None:
    with_them, without = (elements(browser, server, blocked) for blocked in (False, True))
    assert with_them.keys() == without.keys() == CONTRACT.keys()
    added = {kind: with_them[kind] - without[kind] for kind in with_them}
    assert {kind: count for kind, count in added.items() if not 0 <= count <= MOST} == {}
    assert added["InstantIDAnalyzeFaces"] > 0, "the second editor has the scripts, too"


def elements(browser: Browser, server: HostServer, blocked: bool) -> dict[str, int]:
    page = browser.new_context(**STILL).new_page()
    if blocked:
        page.route(SCRIPTS, abort)
    try:
        return Editor(page, server.url, "vue").open().page.evaluate(ELEMENTS)
    finally:
        page.context.close()


def abort(route: Route) -> None:
    route.abort()
