"""Nodes of a workflow or of a subgraph in readable form."""

from collections.abc import Mapping, Sequence
from typing import Any

from tools.comfyui.prompts import MUTED, ObjectInfo
from tools.comfyui.widgets import Schema, inputs_of

from .editor_format import flattened
from .layout import size_of
from .values import Group, Model, Node


class Nodes:
    """Collects nodes, group by group from left to right."""

    def __init__(self, first: int, object_info: ObjectInfo) -> None:
        self.first = first
        """Id that comes before those of the nodes."""
        self.object_info = object_info
        self.groups: list[Group] = []

    @property
    def nodes(self) -> list[Node]:
        return [node for group in self.groups for node in group.nodes]

    @property
    def last(self) -> int:
        """The highest id."""
        return self.first + len(self.nodes)

    def group(self, title: str, *, muted: bool = False, below: bool = False) -> None:
        """Opens a frame for the nodes that follow; a muted one waits to be switched on."""
        number = len(self.groups) + 1
        self.groups.append(Group(f"{number}. {title}", MUTED if muted else 0, below))

    def add(
        self, kind: str, title: str = "", models: Sequence[Model] = (), /, **given: Any
    ) -> Node:
        """Adds a node of class `kind`.

        given: widget values and outputs of other nodes; a growing input takes a list of outputs.
        """
        return self.add_schema(self.object_info[kind], title, models, given)

    def add_schema(
        self,
        schema: Schema,
        title: str,
        models: Sequence[Model],
        given: Mapping[str, Any],
    ) -> Node:
        """Adds a node of the class that a schema describes."""
        specs = {spec.name: spec for spec in inputs_of(schema)}
        unknown = given.keys() - specs.keys()
        if unknown:
            raise ValueError(f"{schema['name']} has no input {', '.join(sorted(unknown))}.")
        flat = dict(flattened(specs, given))
        group = self.groups[-1]
        node = Node(self.first + len(self.nodes) + 1, schema, title, flat, models, group.mode)
        node.size = size_of(node)
        group.nodes.append(node)
        return node
