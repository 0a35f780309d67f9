"""Inlining of a saved workflow's subgraphs, which the server does not know.

A node inside gets the id `OUTER:INNER`. Widgets that a subgraph shows on its outside become
primitive nodes, whose value is that of the outside.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

Saved = Mapping[str, Any]
INPUT_SIDE, OUTPUT_SIDE = -10, -20
"""Ids that stand for the outside in the links of a subgraph."""
MUTED, BYPASSED = 2, 4
PROXIES = "proxyWidgets"
OUTSIDE = "-1"
"""In `proxyWidgets`: a widget that an input of the subgraph feeds."""


def subgraphs_of(saved: Saved) -> dict[str, Saved]:
    """The subgraphs that a workflow brings, by the type of the nodes that stand for them."""
    return {each["id"]: each for each in (saved.get("definitions") or {}).get("subgraphs") or ()}


def inlined(saved: Saved) -> Saved:
    """The workflow without subgraphs, in the 0.4 form; itself where it has none."""
    definitions = subgraphs_of(saved)
    if not definitions:
        return saved
    flat = _Flat(definitions)
    _Level(flat, saved).take()
    return {"nodes": flat.nodes, "links": flat.links}


def inner_nodes(saved: Saved) -> Iterator[tuple[str, Any]]:
    """Id in the prompt and saved node, for every node at any depth; a subgraph that is placed
    twice is met twice."""
    yield from _inner(saved["nodes"], subgraphs_of(saved), "")


def _inner(
    nodes: Sequence[Any], definitions: Mapping[str, Saved], prefix: str
) -> Iterator[tuple[str, Any]]:
    for node in nodes:
        number = f"{prefix}{node['id']}"
        if node["type"] in definitions:
            yield from _inner(definitions[node["type"]]["nodes"], definitions, f"{number}:")
        else:
            yield number, node


class SubgraphError(ValueError):
    """A subgraph that contains itself."""


Origin = tuple[str, int] | None
"""Node id in the prompt and output slot; None where nothing is connected."""


class _Flat:
    """Collects the nodes and links of all levels."""

    def __init__(self, definitions: Mapping[str, Saved]) -> None:
        self.definitions = definitions
        self.nodes: list[dict[str, Any]] = []
        self.links: list[list[Any]] = []

    def add(self, node: Any, number: str, origins: Sequence[Origin], mode: int) -> None:
        """Adds a node of a level whose own mode is `mode`."""
        inputs = []
        for slot, (given, origin) in enumerate(zip(node.get("inputs") or (), origins, strict=True)):
            link = None if origin is None else len(self.links) + 1
            if origin is not None:
                self.links.append([link, *origin, number, slot, given.get("type", "*")])
            inputs.append({**given, "link": link})
        silenced = mode if mode in (MUTED, BYPASSED) else node.get("mode", 0)
        self.nodes.append({**node, "id": number, "inputs": inputs, "mode": silenced})

    def primitive(self, number: str, value: Any) -> Origin:
        """Adds a node that holds a value."""
        self.nodes.append({"id": number, "type": "PrimitiveNode", "widgets_values": [value]})
        return number, 0


class _Level:
    """The workflow itself, or a subgraph where it stands."""

    def __init__(
        self,
        flat: _Flat,
        saved: Saved,
        prefix: str = "",
        outside: Sequence[Origin] = (),
        mode: int = 0,
        around: Sequence[str] = (),
    ) -> None:
        """outside: origins of its inputs. mode: of the node that stands for it. around: types of
        the subgraphs that it lies in."""
        self._flat, self._prefix, self._outside = flat, prefix, outside
        self._mode, self._around = mode, around
        self._nodes = {node["id"]: node for node in saved["nodes"]}
        self._links = [_as_tuple(link) for link in saved.get("links") or ()]
        self._origins = {number: (origin, slot) for number, origin, slot, *_ in self._links}
        self._inside: dict[int, dict[int, Origin]] = {}

    def take(self) -> dict[int, Origin]:
        """Adds its nodes; returns the origins of its outputs, by slot."""
        for number, node in self._nodes.items():
            if node["type"] in self._flat.definitions:
                self._enter(number)
            else:
                self._flat.add(node, f"{self._prefix}{number}", self._feeding(node), self._mode)
        ends = {slot: number for number, _, _, at, slot in self._links if at == OUTPUT_SIDE}
        return {slot: self._origin_of(number) for slot, number in ends.items()}

    def _feeding(self, node: Any) -> list[Origin]:
        return [self._origin_of(given.get("link")) for given in node.get("inputs") or ()]

    def _origin_of(self, link: int | None) -> Origin:
        """The output that a wire of this level starts from."""
        if link is None or link not in self._origins:
            return None
        number, slot = self._origins[link]
        if number == INPUT_SIDE:
            return self._outside[slot]
        if number in self._nodes and self._nodes[number]["type"] in self._flat.definitions:
            return self._enter(number).get(slot)
        return f"{self._prefix}{number}", slot

    def _enter(self, number: int) -> dict[int, Origin]:
        """Takes the subgraph that a node stands for, once."""
        if number not in self._inside:
            node = self._nodes[number]
            if node["type"] in self._around:
                raise SubgraphError(
                    f"The subgraph of node {self._prefix}{number} contains itself, so it has no "
                    "end. Take that node out of the subgraph in the editor."
                )
            self._inside[number] = self._level_of(node).take()
        return self._inside[number]

    def _level_of(self, node: Any) -> _Level:
        number, values = f"{self._prefix}{node['id']}", _shown_values(node)
        outside = self._feeding(node)
        for slot, given in enumerate(node.get("inputs") or ()):
            if outside[slot] is None and given["name"] in values:
                name = given["name"]
                outside[slot] = self._flat.primitive(f"{number}:{name}", values[name])
        saved, mode = self._flat.definitions[node["type"]], node.get("mode") or self._mode
        return _Level(self._flat, saved, f"{number}:", outside, mode, (*self._around, node["type"]))


def _as_tuple(link: Any) -> tuple[Any, ...]:
    """Number, origin, its slot, target, its slot."""
    if isinstance(link, Mapping):
        names = ("id", "origin_id", "origin_slot", "target_id", "target_slot")
        return tuple(link[name] for name in names)
    return tuple(link[:5])


def _shown_values(node: Any) -> dict[str, Any]:
    """Values of the widgets on the outside of a subgraph that its inputs feed."""
    proxies: Sequence[Sequence[str]] = (node.get("properties") or {}).get(PROXIES) or ()
    pairs = zip(proxies, node.get("widgets_values") or (), strict=False)
    return {proxy[1]: value for proxy, value in pairs if proxy[0] == OUTSIDE}
