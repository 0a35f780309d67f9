"""The form in which ComfyUI's editor saves nodes, links and frames."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from tools.comfyui import workspace
from tools.comfyui.subgraphs import PROXIES
from tools.comfyui.widgets import InputSpec, inputs_of

from .values import AUTOGROW, Group, Node, Output

PACK_VERSION, HOST_VERSION = "0.1.0", "0.16.3"
CONTROL_VALUE = "randomize"
HOLLOW_CIRCLE = 7  # the editor's shape for a socket that may stay open
GROUP_COLOUR = "#3f789e"


@dataclass(frozen=True)
class Link:
    """A wire between two nodes."""

    number: int
    source: Output
    target: int
    slot: int
    input: str

    @property
    def saved(self) -> list[Any]:
        """As a workflow lists it; a subgraph names the values (`named`)."""
        source = self.source
        return [
            self.number,
            source.node,
            source.slot,
            self.target,
            self.slot,
            source.kind,
        ]

    @property
    def named(self) -> dict[str, Any]:
        names = ("id", "origin_id", "origin_slot", "target_id", "target_slot", "type")
        return dict(zip(names, self.saved, strict=True))


def links_between(
    nodes: Sequence[Node], ends: Sequence[tuple[Output, int, int, str]] = ()
) -> list[Link]:
    """The wires between nodes, numbered from 1.

    ends: more of them, as output, id and slot of the target, and name of its input.
    """
    wires = [
        (source, node.number, number, slot.name)
        for node in nodes
        for number, slot in enumerate(node.slots)
        if isinstance(source := node.given.get(slot.name), Output)
    ]
    return [Link(number, *wire) for number, wire in enumerate((*wires, *ends), start=1)]


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


def saved_node(node: Node, order: int, links: Sequence[Link]) -> dict[str, Any]:
    """One entry of `nodes`."""
    title = {"title": node.title} if node.title else {}
    return {
        "id": node.number,
        "type": node.schema["name"],
        "pos": list(node.pos),
        "size": list(node.size),
        "flags": {},
        "order": order,
        "mode": node.mode,
        "inputs": list(saved_inputs(node, links)),
        "outputs": list(saved_outputs(node, links)),
        **title,
        "properties": saved_properties(node),
        "widgets_values": list(saved_values(node)),
    }


def saved_inputs(node: Node, links: Sequence[Link]) -> Iterator[dict[str, Any]]:
    """Slots of sockets and of widgets, with the links that end there."""
    fed = {link.input: link.number for link in links if link.target == node.number}
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
    """Pack of the class, and files that the host may download for this node; of a subgraph, the
    widgets that it shows."""
    if node.is_subgraph:
        return {PROXIES: node.schema[PROXIES]}
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
        if not spec.is_saved:
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
