"""A workflow in readable form, and its conversion to the editor's file format.

A saved workflow lists widget values in the order of the node schemas, which `/object_info` tells.
"""

import uuid
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from tools.comfyui.prompts import ObjectInfo

from .editor_format import links_between, saved_group, saved_node
from .layout import lay_out
from .names import FILES
from .nodes import Nodes
from .subgraphs import Subgraph
from .values import Frame, Node, Output

FORMAT = 0.4
NAMESPACE = uuid.UUID("5b0d3a52-6b0e-4c6f-9d0a-6f1f3f1b7a10")  # any constant: ids stay the same
NUMBERS_OF_A_WORKFLOW = 100
"""Each workflow has its own node ids: the editor shows what a run made on the nodes of these ids,
whichever workflow is open by then."""
NUMBERS_OUTSIDE, NUMBERS_OF_A_SUBGRAPH = 40, 20
"""Of these: how many are for nodes that no subgraph holds, and how many for each subgraph."""


class Graph(Nodes):
    """A workflow."""

    def __init__(self, name: str, object_info: ObjectInfo, note: str) -> None:
        # The first id is that of the note.
        super().__init__(1 + NUMBERS_OF_A_WORKFLOW * list(FILES).index(name), object_info)
        self.name = name
        """Of `names.FILES`."""
        self.note = note
        self._app: App | None = None
        self._subgraphs: list[Subgraph] = []

    def subgraph(self, name: str, description: str = "") -> Subgraph:
        """Begins nodes that `place` shows as one."""
        first = self.first + NUMBERS_OUTSIDE + NUMBERS_OF_A_SUBGRAPH * len(self._subgraphs)
        begun = Subgraph(name, description, first, self.object_info)
        self._subgraphs.append(begun)
        return begun

    def place(self, inner: Subgraph, title: str, /, **given: Any) -> Node:
        """Adds the node that stands for a finished subgraph; it may stand in several places."""
        return self.add_schema(inner.schema, title, (), given)

    def show_as_app(self, widgets: Sequence[tuple[Output, str]], result: Output) -> None:
        """Opens in the editor's app mode, where it has one, with some widgets and one result.

        widgets: an output of the node and the name of the input. result: what the saving node
        takes; that node is shown.
        """
        saving = [node for node in self.nodes if result in node.given.values()]
        inputs = [[output.node, name] for output, name in widgets]
        self._app = App(inputs, [node.number for node in saving])

    def saved(self) -> dict[str, Any]:
        """The workflow as the editor saves it."""
        note = lay_out(self.groups, self.note)
        links = links_between(self.nodes)
        return {
            "id": str(uuid.uuid5(NAMESPACE, self.name)),
            "revision": 0,
            "last_node_id": max(each.last for each in (self, *self._subgraphs)),
            "last_link_id": len(links),
            "nodes": [
                self._note(note),
                *(saved_node(node, order, links) for order, node in enumerate(self.nodes, start=1)),
            ],
            "links": [link.saved for link in links],
            "groups": [saved_group(n, group) for n, group in enumerate(self.groups, start=1)],
            "config": {},
            "extra": {
                "ds": {"scale": 0.6, "offset": [100, 120]},
                **(self._app.saved if self._app else {}),
            },
            "version": FORMAT,
            **self._definitions(),
        }

    def _definitions(self) -> dict[str, Any]:
        if not self._subgraphs:
            return {}
        return {"definitions": {"subgraphs": [each.saved() for each in self._subgraphs]}}

    def _note(self, frame: Frame) -> dict[str, Any]:
        left, top, width, height = frame
        return {
            "id": self.first,
            "type": "MarkdownNote",
            "pos": [left, top],
            "size": [width, height],
            "flags": {},
            "order": 0,
            "mode": 0,
            "inputs": [],
            "outputs": [],
            "title": "Read me",
            "properties": {},
            "widgets_values": [self.note],
            "color": "#432",
            "bgcolor": "#000",
        }


@dataclass(frozen=True)
class App:
    """The workflow's part in the editor's app mode; editors without one ignore it."""

    inputs: Sequence[Sequence[Any]]
    """Node id and widget, from top to bottom."""
    outputs: Sequence[int]
    """Ids of nodes that show a result."""

    @property
    def saved(self) -> dict[str, Any]:
        return {
            "linearMode": True,
            "linearData": {"inputs": list(self.inputs), "outputs": list(self.outputs)},
        }
