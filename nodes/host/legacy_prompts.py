"""API prompts that were made for other packs, translated as they arrive.

ComfyUI can exchange nodes of a prompt by its table of replacements, but fails with an internal
error where an optional input is not connected or a node has no `_meta`, as prompts from scripts
often are (`app/node_replace_manager.py` in 0.16.3 to 0.30.0). This comes before it.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import nodes as host_nodes

from .server import running_server

Node = dict[str, Any]
Translate = Callable[[Node], Node]
Rewrite = Callable[[dict[str, Any], frozenset[str]], dict[str, Any]]
"""(prompt, classes that nobody has registered) -> prompt."""


def replace_on_arrival(translations: Mapping[str, Translate]) -> None:
    """Translate nodes of classes that nobody has registered, by class name."""
    server = running_server()
    if server is not None:
        server.add_on_prompt_handler(lambda data: translated(data, translations))


def rewrite_on_arrival(kinds: frozenset[str], rewrite: Rewrite) -> None:
    """Rewrite prompts while some of these classes are registered by nobody."""
    server = running_server()
    if server is not None:
        server.add_on_prompt_handler(lambda data: rewritten(data, kinds, rewrite))


def rewritten(data: dict[str, Any], kinds: frozenset[str], rewrite: Rewrite) -> dict[str, Any]:
    """A submitted prompt, rewritten; the given one is not changed."""
    prompt, absent = data.get("prompt"), kinds - host_nodes.NODE_CLASS_MAPPINGS.keys()
    if not isinstance(prompt, dict) or not absent:
        return data
    return {**data, "prompt": rewrite(prompt, absent)}


def translated(data: dict[str, Any], translations: Mapping[str, Translate]) -> dict[str, Any]:
    """A submitted prompt with its older nodes replaced; the given one is not changed."""
    prompt = data.get("prompt")
    if not isinstance(prompt, dict):
        return data
    replaced = {key: _replaced(node, translations) for key, node in prompt.items()}
    return {**data, "prompt": replaced}


def _replaced(node: Any, translations: Mapping[str, Translate]) -> Any:
    kind = node.get("class_type") if isinstance(node, dict) else None
    if not isinstance(kind, str) or kind in host_nodes.NODE_CLASS_MAPPINGS:
        return node
    translate = translations.get(kind)
    return node if translate is None else translate(node)
