"""Layout of a shipped workflow's nodes in which every wire goes to the right.

Groups follow each other from left to right, or stand below each other. In a group a node's column
is the number of the group's nodes that come before it.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from tools.comfyui.widgets import inputs_of

from .values import Frame, Group, Node

PADDING, TITLE_BAR, HEAD = 20, 30, 50
"""Inside a frame: at its edges, above a node for its title, and above all for the frame's own."""
COLUMN_GAP, NODE_GAP, GROUP_GAP = 60, 60, 40
ROW, WIDGET_ROW, TEXT_BOX, IMAGE_BOX = 20, 24, 130, 260
NARROW, WIDTH, WIDE = 240, 320, 400
NOTE_WIDTH, NOTE_LETTERS, NOTE_LINE = 480, 56, 20
"""Of the note: letters in a line, and pixels from line to line."""
SHOW_PICTURES = (
    "LoadImage",
    "PreviewImage",
    "SaveImage",
    "InstantIDAnalyzeFaces",
    "InstantIDCompareIdentities",
    "InstantIDPose",
    "InstantIDScoreIdentity",
)
SHOW_TEXT = ("InstantIDCompareIdentities",)


def lay_out(groups: Sequence[Group]) -> None:
    """Gives every node its place and size, and every group its frame."""
    left = -PADDING
    for stack in stacks(groups):
        top = -TITLE_BAR - HEAD
        for group in stack:
            group.frame = place(group, left, top)
            top += group.frame[3] + GROUP_GAP
        left += max(group.frame[2] for group in stack) + GROUP_GAP


def stacks(groups: Sequence[Group]) -> Iterator[list[Group]]:
    """Groups that stand below each other, from left to right."""
    stack: list[Group] = []
    for group in groups:
        if stack and not group.below:
            yield stack
            stack = []
        stack.append(group)
    yield stack


def place(group: Group, left: int, top: int) -> Frame:
    """Sets the nodes of a group into a frame that begins at `left`, `top`."""
    x, bottom = left + PADDING, top
    for column in columns(group):
        y = top + HEAD
        for node in column:
            node.pos, node.size = (x, y + TITLE_BAR), size_of(node)
            y += TITLE_BAR + node.size[1] + NODE_GAP
        x += max(node.size[0] for node in column) + COLUMN_GAP
        bottom = max(bottom, y - NODE_GAP)
    return left, top, x - COLUMN_GAP + PADDING - left, bottom + PADDING - top


def columns(group: Group) -> list[list[Node]]:
    """The nodes of a group, each behind those of the group that feed it."""
    depths: dict[int, int] = {}
    for node in group.nodes:
        sources = (depths.get(getattr(source, "node", 0), -1) for source in node.given.values())
        depths[node.number] = 1 + max(sources, default=-1)
    found: list[list[Node]] = []
    for depth in range(1 + max(depths.values())):
        column = [node for node in group.nodes if depths[node.number] == depth]
        rows = group.rows or len(column)
        found += [column[start : start + rows] for start in range(0, len(column), rows)]
    return found


def note_frame(text: str) -> Frame:
    """Left of everything, and as high as its text."""
    lines = sum(1 + len(line) // NOTE_LETTERS for line in text.splitlines())
    left = -NOTE_WIDTH - GROUP_GAP - PADDING
    return left, 0, NOTE_WIDTH, TITLE_BAR + PADDING + lines * NOTE_LINE


def size_of(node: Node) -> tuple[int, int]:
    """Width and height that hold all slots and widgets, which the classic canvas always shows."""
    shown = [spec for spec in inputs_of(node.schema) if spec.is_widget]
    multiline = sum(bool(spec.options.get("multiline")) for spec in shown)
    texts = multiline + (node.schema["name"] in SHOW_TEXT)
    pictures = node.schema["name"] in SHOW_PICTURES
    rows = len(shown) - multiline + sum(spec.trailing for spec in shown)
    sockets = sum(not slot.is_widget for slot in node.slots)
    slots = max(sockets, len(node.schema["output"]))
    height = 10 + slots * ROW + rows * WIDGET_ROW + texts * TEXT_BOX + pictures * IMAGE_BOX
    width = WIDE if multiline else WIDTH if shown or pictures else NARROW
    return width, height + WIDGET_ROW
