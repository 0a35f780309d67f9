"""Subgraphs of a workflow: several nodes that the editor shows as one."""

from __future__ import annotations

import uuid
from collections.abc import Mapping, Sequence
from typing import Any

from tools.comfyui.prompts import ObjectInfo
from tools.comfyui.subgraphs import INPUT_SIDE, OUTPUT_SIDE, PROXIES

from .editor_format import Link, links_between, saved_node
from .layout import place
from .nodes import Nodes
from .values import Group, Output

SIDE_WIDTH, SIDE_ROW, SIDE_GAP = 140, 20, 120
COLUMN_HEIGHT = 900
VERSION = 1
CATEGORY = "InstantID"
NAMESPACE = uuid.NAMESPACE_URL


class Subgraph(Nodes):
    """Nodes with what leads in and out, and the widgets that are shown on the outside."""

    def __init__(self, name: str, description: str, first: int, object_info: ObjectInfo) -> None:
        super().__init__(first, object_info)
        self.name = name
        self.description = description
        self.id = str(uuid.uuid5(NAMESPACE, f"instantid-compose/{first}/{name}"))
        self.groups = [Group("")]
        self._inputs: dict[str, str] = {}
        self._outputs: dict[str, Output] = {}
        self._widgets: list[tuple[str, str]] = []

    def group(self, title: str, *, muted: bool = False, below: bool = False) -> None:
        """Inside, all nodes lie together."""

    def takes(self, name: str, kind: str) -> Output:
        """Adds an input."""
        self._inputs[name] = kind
        return Output(INPUT_SIDE, len(self._inputs) - 1, kind)

    def gives(self, **sources: Output) -> None:
        """Adds outputs."""
        self._outputs |= sources

    def shows(self, inside: Output, *widgets: str) -> None:
        """Shows widgets of the node with this output on the outside."""
        self._widgets += [(str(inside.node), name) for name in widgets]

    @property
    def schema(self) -> Mapping[str, Any]:
        """As if it were a class of node."""
        return {
            "name": self.id,
            "display_name": self.name,
            "python_module": "",
            "input": {"required": {n: [k, {"forceInput": True}] for n, k in self._inputs.items()}},
            "output": [source.kind for source in self._outputs.values()],
            "output_name": list(self._outputs),
            PROXIES: [list(widget) for widget in self._widgets],
        }

    def saved(self) -> dict[str, Any]:
        """The entry of `definitions`."""
        (group,) = self.groups
        group.column_height = COLUMN_HEIGHT
        _, _, width, _ = place(group, 0, 0)
        links = self._links()
        nodes = enumerate(self.nodes)
        return {
            "id": self.id,
            "version": VERSION,
            "state": self._state(len(links)),
            "revision": 0,
            "config": {},
            "name": self.name,
            "description": self.description,
            "category": CATEGORY,
            "inputNode": _side(INPUT_SIDE, -SIDE_WIDTH - SIDE_GAP, len(self._inputs)),
            "outputNode": _side(OUTPUT_SIDE, width + SIDE_GAP, len(self._outputs)),
            "inputs": self._saved_inputs(links),
            "outputs": self._saved_outputs(links),
            "widgets": [],
            "nodes": [saved_node(node, order, links) for order, node in nodes],
            "groups": [],
            "links": [link.named for link in links],
            "extra": {},
        }

    def _state(self, links: int) -> dict[str, int]:
        last = {"lastNodeId": self.last, "lastLinkId": links}
        return {"lastGroupId": 0, **last, "lastRerouteId": 0}

    def _links(self) -> list[Link]:
        ways_out = enumerate(self._outputs.items())
        ends = [(source, OUTPUT_SIDE, slot, name) for slot, (name, source) in ways_out]
        return links_between(self.nodes, ends)

    def _saved_inputs(self, links: Sequence[Link]) -> list[dict[str, Any]]:
        return [
            self._way(name, kind, [n.number for n in links if n.source == ours])
            for slot, (name, kind) in enumerate(self._inputs.items())
            if (ours := Output(INPUT_SIDE, slot, kind))
        ]

    def _saved_outputs(self, links: Sequence[Link]) -> list[dict[str, Any]]:
        return [
            self._way(
                name,
                source.kind,
                [n.number for n in links if (n.target, n.slot) == (OUTPUT_SIDE, slot)],
            )
            for slot, (name, source) in enumerate(self._outputs.items())
        ]

    def _way(self, name: str, kind: str, links: Sequence[int]) -> dict[str, Any]:
        number = str(uuid.uuid5(NAMESPACE, f"{self.id}/{name}/{kind}"))
        return {"id": number, "name": name, "type": kind, "linkIds": links}


def _side(number: int, left: float, slots: int) -> dict[str, Any]:
    return {"id": number, "bounding": [left, 0, SIDE_WIDTH, 40 + SIDE_ROW * slots]}
