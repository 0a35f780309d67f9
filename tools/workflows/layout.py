"""Layout of a shipped workflow, so that the editor opens it at a size that can be read.

Groups follow each other from left to right or stand below each other, in as many rows, and with
their nodes in as high columns, as let the whole be shown largest. The note stands above the first
group or beside it. Wires lead to the right, or down.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from tools.comfyui.widgets import inputs_of

from .values import Frame, Group, Node

PADDING, TITLE_BAR, HEAD = 20, 30, 50
"""Inside a frame: at its edges, above a node for its title, and above all for the frame's own."""
COLUMN_GAP, NODE_GAP, GROUP_GAP = 44, 40, 24
SLACK = 30
"""Below the last node of a column, which Nodes 2.0 draws higher, most of all with an error."""
ROW, WIDGET_ROW, TEXT_BOX, IMAGE_BOX = 20, 24, 120, 240
ERROR_ROW = 28
"""Below a node whose file is missing."""
NARROW, WIDTH, WIDE = 240, 320, 400
NOTE_WIDTH, NOTE_LETTERS, NOTE_LINE = 480, 56, 17
"""Of the note: letters in a line, and pixels from line to line."""
ROW_GAP = 50
COLUMN_HEIGHTS = range(500, 2001, 25)
"""Heights of a column of nodes that are tried."""
VIEW = (1080, 646)
"""Pixels that the editor fills with a template on a screen of 1440 x 900: three quarters of its
canvas either way."""
SHOW_PICTURES = (
    "ImageCompare",
    "LoadImage",
    "PreviewImage",
    "SaveImage",
    "InstantIDAnalyzeFaces",
    "InstantIDCompareIdentities",
    "InstantIDKeepBest",
    "InstantIDPose",
    "InstantIDPoseSheet",
    "InstantIDScoreIdentity",
)
SHOW_TEXT = ("InstantIDCompareIdentities", "InstantIDKeepBest")
ARE_WIDE = ("ImageCompare",)
"""Beside nodes with a text to write."""


def lay_out(groups: Sequence[Group], note: str) -> Frame:
    """Gives every node its place, and every group its frame; returns the note's."""
    choose_heights(groups, note)
    top = 0
    for row in best_rows(groups, note):
        left = 0
        for block in row:
            block.move(left, top)
            left += block.width + GROUP_GAP
        top += _height(row) + ROW_GAP
    return 0, 0, *note_size(note)


def choose_heights(groups: Sequence[Group], note: str) -> None:
    """Sets the height of all groups' columns to the one that lets the graph be shown largest, and
    then that of each group, as long as that helps."""
    each = [[group] for group in groups]
    for some in (groups, *each, *each):

        def scale(height: int, some: Sequence[Group] = some) -> float:
            for group in some:
                group.column_height = height
            return shown_scale(best_rows(groups, note))

        before = some[0].column_height
        # The one that was chosen last wins where others are as good.
        best = max((before, *COLUMN_HEIGHTS), key=scale)
        for group in some:
            group.column_height = best


def best_rows(groups: Sequence[Group], note: str) -> list[list[Block]]:
    """Blocks in as many rows as let them be shown as large as possible."""
    blocks = [Block(stack) for stack in stacks(groups)]
    head = note_size(note)
    beside = [Block((), head), *blocks]
    above = [Block(blocks[0].groups, head), *blocks[1:]]
    return max((*_ways(beside), *_ways(above)), key=shown_scale)


class Block:
    """Groups below each other, and the note if it stands above them."""

    def __init__(self, groups: Sequence[Group], head: tuple[int, int] = (0, 0)) -> None:
        self.groups = groups
        self._above = head[1] + (GROUP_GAP if groups and head[1] else 0)
        frames = [place(group, 0, 0) for group in groups]
        self.width = max(head[0], *(frame[2] for frame in frames), 0)
        gaps = max(len(frames) - 1, 0) * GROUP_GAP
        self.height = self._above + sum(frame[3] for frame in frames) + gaps

    def move(self, left: int, top: int) -> None:
        """Places its groups, the first one below the note."""
        top += self._above
        for group in self.groups:
            group.frame = place(group, left, top)
            top += group.frame[3] + GROUP_GAP


def _ways(blocks: Sequence[Block]) -> Iterator[list[list[Block]]]:
    """Rows that are at most as wide as the first so many blocks."""
    for count in range(len(blocks), 0, -1):
        widest = _width(blocks[:count])
        rows: list[list[Block]] = [[]]
        for block in blocks:
            if rows[-1] and _width([*rows[-1], block]) > widest:
                rows.append([])
            rows[-1].append(block)
        yield rows


def shown_scale(rows: Sequence[Sequence[Block]]) -> float:
    """Scale at which a graph of these rows fits the canvas of a laptop's screen; at most 1."""
    height = sum(map(_height, rows)) + ROW_GAP * (len(rows) - 1)
    return min(1.0, VIEW[0] / max(map(_width, rows)), VIEW[1] / height)


def _width(row: Sequence[Block]) -> int:
    return sum(block.width for block in row) + GROUP_GAP * (len(row) - 1)


def _height(row: Sequence[Block]) -> int:
    return max(block.height for block in row)


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
            node.pos = x, y + TITLE_BAR
            y += TITLE_BAR + node.size[1] + NODE_GAP
        x += max(node.size[0] for node in column) + COLUMN_GAP
        bottom = max(bottom, y - NODE_GAP + SLACK)
    return left, top, x - COLUMN_GAP + PADDING - left, bottom + PADDING - top


def columns(group: Group) -> list[list[Node]]:
    """The nodes of a group in their order, in columns of about this height: each is below or to the
    right of those that feed it."""
    found: list[list[Node]] = [[]]
    height = 0
    for node in group.nodes:
        more = TITLE_BAR + node.size[1] + NODE_GAP
        if found[-1] and height + more > group.column_height:
            found.append([])
            height = 0
        found[-1].append(node)
        height += more
    return found


def note_size(text: str) -> tuple[int, int]:
    """Width and height of the note."""
    lines = sum(1 + len(line) // NOTE_LETTERS for line in text.splitlines())
    return NOTE_WIDTH, TITLE_BAR + PADDING + lines * NOTE_LINE


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
    is_wide = multiline or node.schema["name"] in ARE_WIDE
    width = WIDE if is_wide else WIDTH if shown or pictures else NARROW
    return width, height + WIDGET_ROW + (ERROR_ROW if node.models else 0)
