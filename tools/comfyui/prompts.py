"""From a workflow as the editor saves it to a prompt as the server takes it, and edits to prompts.

Reads the 0.4 form (links as arrays) and the 1.0 form (links as objects), with subgraphs.
"""

import copy
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import PureWindowsPath
from typing import Any

from .subgraphs import SubgraphError, inlined
from .widgets import Schema, WidgetError, input_spec, widget_values

Prompt = dict[str, dict[str, Any]]
"""Node id to `{"class_type", "inputs", "_meta": {"title"}}`."""
ObjectInfo = Mapping[str, Schema]

MUTED, BYPASSED = 2, 4
NOTES = frozenset({"Note", "MarkdownNote"})
REROUTE = "Reroute"
PRIMITIVE = "PrimitiveNode"
VIRTUAL = NOTES | {REROUTE, PRIMITIVE}


class PromptError(ValueError):
    """A workflow cannot become a prompt; the message names the node and its input."""


@dataclass(frozen=True)
class Link:
    """A wire: which output of which node it comes from."""

    origin: str
    slot: int


@dataclass(frozen=True)
class Workflow:
    """A saved graph, both forms made one."""

    nodes: Mapping[str, Mapping[str, Any]]
    links: Mapping[int, Link]

    @classmethod
    def read(cls, saved: Mapping[str, Any]) -> "Workflow":
        nodes = {str(node["id"]): node for node in saved["nodes"]}
        return cls(nodes, dict(_read_link(link) for link in saved.get("links") or ()))


def _read_link(saved: Any) -> tuple[int, Link]:
    if isinstance(saved, Mapping):
        return saved["id"], Link(str(saved["origin_id"]), saved["origin_slot"])
    number, origin, slot = saved[:3]
    return number, Link(str(origin), slot)


def to_prompt(saved: Mapping[str, Any], object_info: ObjectInfo) -> Prompt:
    """The prompt that the editor would submit for the workflow `saved`."""
    if "nodes" not in saved:
        return _already_prompt(saved, object_info)
    try:
        workflow = Workflow.read(inlined(saved))
    except SubgraphError as error:
        raise PromptError(str(error)) from error
    return {
        node_id: {
            "class_type": node["type"],
            "inputs": _inputs(workflow, node, schema_of(node, object_info)),
            "_meta": {"title": title_of(node, object_info)},
        }
        for node_id, node in workflow.nodes.items()
        if _runs(node)
    }


def _already_prompt(saved: Mapping[str, Any], object_info: ObjectInfo) -> Prompt:
    if not saved or not all("class_type" in _as_mapping(node) for node in saved.values()):
        raise PromptError(
            "The file is neither a saved workflow, which has 'nodes', nor a prompt, whose every "
            "entry has a 'class_type'. Save the graph again from the editor."
        )
    prompt = copy.deepcopy(dict(saved))
    for node in prompt.values():
        title = (object_info.get(node["class_type"]) or {}).get("display_name")
        node.setdefault("_meta", {"title": title or node["class_type"]})
    return prompt


def _as_mapping(value: Any) -> Mapping[str, Any]:
    return value if isinstance(value, Mapping) else {}


def _runs(node: Mapping[str, Any]) -> bool:
    return node["type"] not in VIRTUAL and node.get("mode", 0) not in (MUTED, BYPASSED)


def schema_of(node: Mapping[str, Any], object_info: ObjectInfo) -> Schema:
    """The server's schema of the class of `node`."""
    schema = object_info.get(node["type"])
    if schema is None:
        raise PromptError(
            f"Node {node['id']} is of class '{node['type']}', which this ComfyUI does not have. "
            "It needs the pack that brings the class."
        )
    return schema


def title_of(node: Mapping[str, Any], object_info: ObjectInfo) -> str:
    """The title the user gave, else the class's own."""
    schema = object_info.get(node["type"]) or {}
    return node.get("title") or schema.get("display_name") or node["type"]


def _inputs(workflow: Workflow, node: Mapping[str, Any], schema: Schema) -> dict[str, Any]:
    try:
        values = widget_values(schema, node.get("widgets_values") or ())
    except WidgetError as error:
        raise PromptError(f"{_name(node)} cannot be read: {error}.") from error
    known = _declared_names(schema)
    for slot in node.get("inputs") or ():
        if slot.get("link") is None:
            continue
        if slot["name"].split(".")[0] not in known:
            raise PromptError(
                f"{_name(node)} has a link to its input '{slot['name']}', but the class has only "
                f"{', '.join(sorted(known)) or 'no inputs'}. The workflow was made for another "
                "version of the node."
            )
        values.update(_linked(workflow, node, slot))
    return values


def _declared_names(schema: Schema) -> set[str]:
    groups = (schema["input"].get(group) or {} for group in ("required", "optional"))
    return {name for group in groups for name in group}


def _linked(
    workflow: Workflow, node: Mapping[str, Any], slot: Mapping[str, Any]
) -> Mapping[str, Any]:
    """The input of `slot` as a link or literal; empty where the wire leads to nothing that runs."""
    source = resolve(workflow, slot["link"], slot.get("type", "*"), _where(node, slot))
    if source is None:
        return {}
    origin = workflow.nodes[source.origin]
    if origin["type"] == PRIMITIVE:
        return {slot["name"]: origin["widgets_values"][0]}
    return {slot["name"]: [source.origin, source.slot]}


def resolve(workflow: Workflow, number: int, kind: str, where: str) -> Link | None:
    """The running node that feeds link `number`, past reroutes and bypassed nodes.

    None where the wire ends at a muted node or at a bypassed one with no input of that kind.
    """
    seen: set[int] = set()
    current: int | None = number
    while current is not None:
        if current in seen or current not in workflow.links:
            fault = "runs in a circle" if current in seen else "is missing from the file"
            raise PromptError(f"Link {current}, which feeds {where}, {fault}.")
        seen.add(current)
        link = workflow.links[current]
        origin = workflow.nodes.get(link.origin)
        if origin is None:
            raise PromptError(
                f"{where} is linked to node {link.origin}, which is missing from the file."
            )
        if not _is_passed_through(origin):
            return None if origin.get("mode", 0) == MUTED else link
        current = _upstream(origin, link.slot, kind)
    return None


def _is_passed_through(node: Mapping[str, Any]) -> bool:
    mode = node.get("mode", 0)
    return mode != MUTED and (mode == BYPASSED or node["type"] == REROUTE)


def _upstream(node: Mapping[str, Any], slot: int, kind: str) -> int | None:
    """The link into a reroute, or the one a bypassed node puts through for its output `slot`."""
    inputs = node.get("inputs") or ()
    if node["type"] == REROUTE or kind == "*":
        chosen = inputs[slot : slot + 1] or inputs[:1]
    else:
        same_place = [entry for entry in inputs[slot : slot + 1] if entry.get("type") == kind]
        chosen = same_place or [entry for entry in inputs if entry.get("type") == kind]
    return chosen[0].get("link") if chosen else None


def _name(node: Mapping[str, Any]) -> str:
    title = node.get("title")
    return f"Node {node['id']} ({node['type']}{f', {title!r}' if title else ''})"


def _where(node: Mapping[str, Any], slot: Mapping[str, Any]) -> str:
    return f"input '{slot['name']}' of {_name(node)}"


# Edits. Each leaves the prompt that it was given alone.


def substitute(prompt: Prompt, classes: Mapping[str, tuple[str, Mapping[str, Any]]]) -> Prompt:
    """Puts other classes in the place of some, with new inputs; outputs must be in like order."""
    edited = copy.deepcopy(prompt)
    for node in edited.values():
        if node["class_type"] in classes:
            node["class_type"], inputs = classes[node["class_type"]]
            node["inputs"] = dict(inputs)
    return edited


def override(prompt: Prompt, values: Mapping[str, Mapping[str, Any]]) -> Prompt:
    """Sets inputs of every node whose class or title is a key of `values`."""
    edited = copy.deepcopy(prompt)
    for node in edited.values():
        for key in (node["class_type"], node["_meta"]["title"]):
            node["inputs"].update(values.get(key, {}))
    return edited


def nodes_of(prompt: Prompt, class_type: str) -> list[str]:
    """Ids of the nodes of one class, in the prompt's order."""
    return [node_id for node_id, node in prompt.items() if node["class_type"] == class_type]


def upstream(prompt: Prompt, name: str, class_type: str) -> list[str]:
    """Nodes of one class that are reached by walking up links called `name`, whoever has them."""
    starts = [node["inputs"].get(name) for node in prompt.values()]
    reached = {node_id for link in starts for node_id in _walk(prompt, link, name)}
    return [node_id for node_id in nodes_of(prompt, class_type) if node_id in reached]


def _walk(prompt: Prompt, link: Any, name: str) -> Iterator[str]:
    while isinstance(link, list):
        yield link[0]
        link = prompt[link[0]]["inputs"].get(name)


def fit_choices(prompt: Prompt, object_info: ObjectInfo) -> Prompt:
    """Spells file names as this server lists them.

    The same file may lie in another subfolder here, and Windows writes `\\` between folders.
    A name that stays unknown is left for the server to refuse, which lists what it has.
    """
    edited = copy.deepcopy(prompt)
    for node in edited.values():
        declared = (object_info.get(node["class_type"]) or {"input": {}})["input"]
        for group in ("required", "optional"):
            for name, spec in (declared.get(group) or {}).items():
                if name in node["inputs"]:
                    choices = input_spec(name, spec).choices
                    node["inputs"][name] = _fitting(node["inputs"][name], choices)
    return edited


def _fitting(value: Any, choices: tuple[Any, ...]) -> Any:
    if not isinstance(value, str) or not choices or value in choices:
        return value
    same = [choice for choice in choices if _base_name(choice) == _base_name(value)]
    return same[0] if len(same) == 1 else value


def _base_name(path: Any) -> str:
    return PureWindowsPath(str(path)).name  # takes both kinds of slash
