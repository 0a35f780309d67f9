"""Advice that nobody can follow: it names inputs which the node at hand does not have."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from typing import Any

TOLD_TO = r"(?:[Ss]et|[Ll]ower|[Rr]aise|[Cc]hange|[Cc]onnect|[Cc]hoose)"


def inputs_of(node: Any) -> set[str]:
    """Ids of a node's inputs."""
    return {each.id for each in node.define_schema().inputs}


def foreign_inputs(sentence: str, node: Any, nodes: Iterable[Any]) -> list[str]:
    """Inputs that a sentence of `node` names, and that neither it has nor a node that is named.

    A word with an underscore is the name of an input wherever it stands; another one where a value
    is given to it, as in `combine = average` and `lower weight`.
    """
    nodes = list(nodes)
    named = {each.define_schema().display_name: inputs_of(each) for each in nodes}
    own = inputs_of(node).union(*(ids for name, ids in named.items() if _says(name, sentence)))
    every = set[str]().union(*named.values())
    return sorted(each for each in every - own if _is_named(each, sentence))


def _says(name: str, sentence: str) -> bool:
    """Whether a node is named, and not one whose name only begins alike."""
    return bool(re.search(rf"\b{re.escape(name)}\b(?! (?:Adapter|IdentityNet|Group)\b)", sentence))


def _is_named(name: str, sentence: str) -> bool:
    if "_" in name:
        return bool(re.search(rf"(?<![\w./-]){name}(?![\w/-]|\.\w)", sentence))
    given = rf"(?<![\w./-]){name} = |{TOLD_TO} {name}\b(?! [a-z]*(?:s|er)\b)"
    return bool(re.search(given, sentence))


def require_own_inputs(sentence: str, kind: str, nodes: Mapping[str, Any]) -> None:
    """Fail for a sentence of the node class `kind` that names inputs of other nodes."""
    pack = [node for name, node in nodes.items() if name.startswith("InstantID")]
    foreign = foreign_inputs(sentence, nodes[kind], pack)
    assert not foreign, f"{kind} says '{sentence}', but has no {', '.join(foreign)}."
