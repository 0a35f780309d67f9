"""A workflow in readable form, and its conversion to the editor's file format.

A saved workflow lists widget values in the order of the node schemas, which `/object_info` tells.
"""

import uuid
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from tools.comfyui import workspace
from tools.comfyui.prompts import MUTED, ObjectInfo
from tools.comfyui.widgets import InputSpec, inputs_of

from .layout import lay_out
from .values import AUTOGROW, Frame, Group, Model, Node, Output

FORMAT = 0.4
PACK_VERSION, HOST_VERSION = "0.1.0", "0.16.3"
CONTROL_VALUE = "randomize"
HOLLOW_CIRCLE = 7  # the editor's shape for a socket that may stay open
NAMESPACE = uuid.UUID("5b0d3a52-6b0e-4c6f-9d0a-6f1f3f1b7a10")  # any constant: ids stay the same

GROUP_COLOUR = "#3f789e"


class Graph:
    """Collects the nodes of one workflow, group by group from left to right."""

    def __init__(self, name: str, object_info: ObjectInfo, note: str) -> None:
        self.name = name
        self.object_info = object_info
        self.note = note
        self.groups: list[Group] = []

    @property
    def nodes(self) -> list[Node]:
        return [node for group in self.groups for node in group.nodes]

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
        schema = self.object_info[kind]
        specs = {spec.name: spec for spec in inputs_of(schema)}
        unknown = given.keys() - specs.keys()
        if unknown:
            raise ValueError(f"{kind} has no input {', '.join(sorted(unknown))}.")
        flat = dict(flattened(specs, given))
        group = self.groups[-1]
        node = Node(len(self.nodes) + 2, schema, title, flat, models, group.mode)
        group.nodes.append(node)
        return node

    def saved(self) -> dict[str, Any]:
        """The workflow as the editor saves it."""
        note = lay_out(self.groups, self.note)
        links = self._links()
        return {
            "id": str(uuid.uuid5(NAMESPACE, self.name)),
            "revision": 0,
            "last_node_id": len(self.nodes) + 1,
            "last_link_id": len(links),
            "nodes": [self._note(note), *(saved_node(node, links) for node in self.nodes)],
            "links": [link.saved for link in links],
            "groups": [saved_group(n, group) for n, group in enumerate(self.groups, start=1)],
            "config": {},
            "extra": {"ds": {"scale": 0.6, "offset": [100, 120]}},
            "version": FORMAT,
        }

    def _links(self) -> list["Link"]:
        ends = [
            (source, node, number, slot.name)
            for node in self.nodes
            for number, slot in enumerate(node.slots)
            if isinstance(source := node.given.get(slot.name), Output)
        ]
        return [Link(number, *end) for number, end in enumerate(ends, start=1)]

    def _note(self, frame: Frame) -> dict[str, Any]:
        left, top, width, height = frame
        return {
            "id": 1,
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
class Link:
    """A wire between two nodes."""

    number: int
    source: Output
    target: Node
    slot: int
    input: str

    @property
    def saved(self) -> list[Any]:
        source = self.source
        return [
            self.number,
            source.node,
            source.slot,
            self.target.number,
            self.slot,
            source.kind,
        ]


def flattened(
    specs: Mapping[str, InputSpec], given: Mapping[str, Any]
) -> Iterator[tuple[str, Any]]:
    """Every given value by the name of its slot; those of a growing input have one each."""
    for name, value in given.items():
        if specs[name].kind == AUTOGROW:
            prefix = specs[name].options["template"]["prefix"]
            yield from ((f"{name}.{prefix}{number}", one) for number, one in enumerate(value))
        else:
            yield name, value


def saved_node(node: Node, links: Sequence[Link]) -> dict[str, Any]:
    """One entry of `nodes`."""
    title = {"title": node.title} if node.title else {}
    return {
        "id": node.number,
        "type": node.schema["name"],
        "pos": list(node.pos),
        "size": list(node.size),
        "flags": {},
        "order": node.number - 1,
        "mode": node.mode,
        "inputs": list(saved_inputs(node, links)),
        "outputs": list(saved_outputs(node, links)),
        **title,
        "properties": saved_properties(node),
        "widgets_values": list(saved_values(node)),
    }


def saved_inputs(node: Node, links: Sequence[Link]) -> Iterator[dict[str, Any]]:
    """Slots of sockets and of widgets, with the links that end there."""
    fed = {link.input: link.number for link in links if link.target is node}
    for slot in node.slots:
        yield {
            **({"label": slot.label} if slot.label else {}),
            "name": slot.name,
            "type": slot.kind,
            **({"shape": HOLLOW_CIRCLE} if slot.optional else {}),
            **({"widget": {"name": slot.name}} if slot.is_widget else {}),
            "link": fed.get(slot.name),
        }


def saved_outputs(node: Node, links: Sequence[Link]) -> Iterator[dict[str, Any]]:
    """Output slots, with the links that start there."""
    for slot, (name, kind) in enumerate(
        zip(node.schema["output_name"], node.schema["output"], strict=True)
    ):
        start = Output(node.number, slot, kind)
        numbers = [link.number for link in links if link.source == start]
        yield {"name": name, "type": kind, "slot_index": slot, "links": numbers or None}


def saved_properties(node: Node) -> dict[str, Any]:
    """Pack of the class, and files that the host may download for this node."""
    own = str(node.schema["python_module"]).startswith("custom_nodes.")
    properties: dict[str, Any] = {
        "cnr_id": workspace.PACK if own else "comfy-core",
        "ver": PACK_VERSION if own else HOST_VERSION,
        "Node name for S&R": node.schema["name"],
    }
    if node.models:
        properties["models"] = [vars(model) for model in node.models]
    return properties


def saved_values(node: Node) -> Iterator[Any]:
    """Widget values in schema order, those of the editor's own widgets among them."""
    for spec in inputs_of(node.schema):
        if not spec.is_widget:
            continue
        value = node.given.get(spec.name, spec.default)
        yield spec.default if isinstance(value, Output) else value
        yield from [CONTROL_VALUE, ""][: spec.trailing]
        if spec.options.get("image_upload"):
            yield "image"


def saved_group(number: int, group: Group) -> dict[str, Any]:
    """A frame around its nodes."""
    return {
        "id": number,
        "title": group.title,
        "bounding": list(group.frame),
        "color": GROUP_COLOUR,
        "font_size": 24,
        "flags": {},
    }
