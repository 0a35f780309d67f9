"""The host's template browser in a real editor, and where the nodes of an opened workflow stand."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from playwright.sync_api import Locator

from tools.comfyui.workspace import PACK
from tools.pictures.browser import LOADING, Editor

BROWSE = "Comfy.BrowseTemplates"
CARD = "template-workflow-"
SHARP = {"LiteGraph.Canvas.MinFontSizeForLOD": 0}
"""Setting with which texts are drawn however far the view is zoomed out."""


@dataclass(frozen=True)
class Area:
    """A rectangle in the editor's pixels, with its label."""

    name: str
    left: float
    top: float
    width: float
    height: float

    @property
    def right(self) -> float:
        return self.left + self.width

    @property
    def bottom(self) -> float:
        return self.top + self.height

    def overlaps(self, other: Area) -> bool:
        return (
            self.left < other.right
            and other.left < self.right
            and self.top < other.bottom
            and other.top < self.bottom
        )

    def holds(self, other: Area) -> bool:
        return (
            self.left <= other.left
            and self.top <= other.top
            and other.right <= self.right
            and other.bottom <= self.bottom
        )


@dataclass(frozen=True)
class Sheet:
    """An opened workflow on the canvas."""

    nodes: dict[int, Area]
    """With their title bars."""
    notes: tuple[int, ...]
    groups: tuple[Area, ...]
    links: tuple[tuple[int, int], ...]
    """Node to node."""
    unknown: tuple[str, ...]
    """Classes that the editor does not have."""

    def backward(self) -> Iterator[str]:
        """Links that lead neither to the right nor down."""
        for source, target in self.links:
            one, other = self.nodes[source], self.nodes[target]
            if one.right > other.left and one.bottom > other.top:
                yield f"{self.nodes[source].name} -> {self.nodes[target].name}"

    def crowded(self) -> Iterator[str]:
        """Nodes that lie on each other."""
        areas = list(self.nodes.values())
        for number, one in enumerate(areas):
            for other in areas[number + 1 :]:
                if one.overlaps(other):
                    yield f"{one.name} lies on {other.name}"

    def astray(self) -> Iterator[str]:
        """Nodes outside every group or overlapping another one, and groups that overlap."""
        for number, node in self.nodes.items():
            touched = [group.name for group in self.groups if group.overlaps(node)]
            held = [group.name for group in self.groups if group.holds(node)]
            if touched != held or len(held) != (number not in self.notes):
                yield f"{node.name} is in {held} and touches {touched}"
        for number, one in enumerate(self.groups):
            for other in self.groups[number + 1 :]:
                if one.overlaps(other):
                    yield f"{one.name} lies on {other.name}"


def browse(editor: Editor) -> Locator:
    """Opens the template browser on the pack's templates; returns their cards."""
    editor.page.evaluate("(id) => window.app.extensionManager.command.execute(id)", BROWSE)
    dialog = editor.page.get_by_role("dialog")
    dialog.get_by_role("button", name=PACK, exact=True).click(timeout=LOADING)
    return dialog.locator(f'[data-testid^="{CARD}"]').filter(has_text="instantid")


def open_template(editor: Editor, name: str) -> None:
    """Clicks a template of the pack and waits until its nodes are there."""
    browse(editor)
    editor.page.get_by_test_id(CARD + name).click(timeout=LOADING)
    editor.page.wait_for_function(
        """(name) => window.app.graph.nodes.length > 1 &&
            window.app.extensionManager.workflow.activeWorkflow.path.includes(name)""",
        arg=name,
        timeout=LOADING,
    )
    editor.page.get_by_role("dialog").wait_for(state="detached")


def sheet(editor: Editor) -> Sheet:
    """Positions of everything in the open workflow, as the rendering engine computes them."""
    found: dict[str, Any] = editor.page.evaluate(MEASURE)
    return Sheet(
        {number: Area(*rest) for number, *rest in found["nodes"]},
        tuple(found["notes"]),
        tuple(Area(*group) for group in found["groups"]),
        tuple((source, target) for source, target in found["links"]),
        tuple(found["unknown"]),
    )


def missing_nodes(editor: Editor) -> Locator:
    """The missing classes that the editor reports, in the panel that its message opens."""
    details = editor.page.get_by_test_id("error-overlay-see-errors")
    if details.count():
        details.click()
    editor.settle()
    return editor.page.get_by_test_id("missing-node-card")


def show_all(editor: Editor) -> None:
    """Fits the whole workflow into the view."""
    editor.page.evaluate(FIT)
    editor.settle()


MEASURE = """() => {
    const { graph, canvas } = window.app;
    const head = window.LiteGraph.NODE_TITLE_HEIGHT;
    const shown = (node) => {
        const element = document.querySelector(`[data-node-id="${node.id}"]`);
        if (!element) return [node.pos[0], node.pos[1] - head, node.size[0], node.size[1] + head];
        const box = element.getBoundingClientRect();
        const frame = canvas.canvas.getBoundingClientRect();
        const [x, y] = canvas.convertCanvasToOffset([box.left - frame.left, box.top - frame.top]);
        return [x, y, box.width / canvas.ds.scale, box.height / canvas.ds.scale];
    };
    const notes = graph.nodes.filter(({ type }) => type === "MarkdownNote");
    const links = [...graph.links.values?.() ?? Object.values(graph.links)];
    return {
        nodes: graph.nodes.map((node) => [Number(node.id), node.title, ...shown(node)]),
        notes: notes.map(({ id }) => Number(id)),
        groups: graph.groups.map(({ title, pos, size }) => [title, ...pos, ...size]),
        links: links.map((link) => [Number(link.origin_id), Number(link.target_id)]),
        unknown: graph.nodes.map((node) => node.type).filter((type) =>
            !(type in window.LiteGraph.registered_node_types)),
    };
}"""
FIT = """() => {
    const { graph, canvas } = window.app;
    const areas = [...graph.nodes, ...graph.groups].map(({ pos, size }) =>
        [pos[0], pos[1] - 40, pos[0] + size[0], pos[1] + size[1]]);
    const low = [0, 1].map((i) => Math.min(...areas.map((area) => area[i])) - 40);
    const high = [2, 3].map((i) => Math.max(...areas.map((area) => area[i])) + 40);
    const room = canvas.canvas.getBoundingClientRect();
    const scale = Math.min((room.width - 80) / (high[0] - low[0]),
        (room.height - 130) / (high[1] - low[1]), 1);
    canvas.ds.scale = scale;
    canvas.ds.offset[0] = 70 / scale - low[0];
    canvas.ds.offset[1] = 110 / scale - low[1];
    canvas.setDirty(true, true);
}"""
