"""Markdown of nodes, inputs and outputs, in the languages of the help pages."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from .schemas import WIDGETS, Input, Node, Output

PUNCTUATION = ".:;,\u3002\uff1a\uff1b\uff0c\uff08\uff09"
"""Before and after a choice that a tooltip explains; the last six are Chinese."""


@dataclass(frozen=True)
class Words:
    """The fixed words of the lists in one language."""

    entry: str
    labelled: str
    input_facts: str
    output_facts: str
    default: str
    required: str
    optional: str
    empty: str
    first_file: str
    up_to: str
    list_of: str


FILE = Path(__file__).parent / "words.json"
WORDS = {
    language: Words(**words)
    for language, words in json.loads(FILE.read_text(encoding="utf-8")).items()
}


def node_table(nodes: Iterable[Node]) -> str:
    """The README's table: each node with a link to its help page, and the first sentence of its
    description."""
    rows = [
        (f"[{node.display_name}](web/docs/{node.id}.md)", coded(first_sentence(node.description)))
        for node in nodes
    ]
    return _table(("Node", "What it does"), rows)


def input_list(node: Node, texts: Mapping[str, Any], language: str) -> str:
    """The inputs of a help page; `texts` is the node's entry in that language's locale.

    A list, since the editor's help panel is too narrow for a table.
    """
    words = WORDS[language]
    entries = []
    for item in node.inputs:
        explained = coded(texts["inputs"][item.name]["tooltip"], item.choices)
        name = _named(texts["inputs"][item.name]["name"], item.name, words)
        type_, default = _input_type(item, words), _default(item, words)
        facts = words.input_facts.format(type=type_, default=default)
        entries.append(words.entry.format(name=name, text=explained, facts=facts))
    return "\n".join(entries)


def output_list(node: Node, texts: Mapping[str, Any], language: str) -> str:
    """The outputs of a help page."""
    words = WORDS[language]
    entries = []
    for slot, item in enumerate(node.outputs):
        explained = coded(texts["outputs"][str(slot)]["tooltip"])
        facts = words.output_facts.format(type=_output_type(item, words))
        entries.append(words.entry.format(name=f"`{item.name}`", text=explained, facts=facts))
    return "\n".join(entries)


def first_sentence(text: str) -> str:
    """`text` up to its first full stop before a space."""
    return re.split(r"(?<=\.) ", text, maxsplit=1)[0]


def coded(text: str, choices: Sequence[str] = ()) -> str:
    """Plain text of a tooltip with code marks around the choices that it explains one by one
    (`average: ...`), settings such as `select = index`, and names with an underscore."""
    if choices:
        listed = "|".join(map(re.escape, sorted(choices, key=len, reverse=True)))
        explained = rf"(^|[{PUNCTUATION}]\s*)({listed})(?=[{PUNCTUATION}])"
        text = re.sub(explained, r"\1`\2`", text)
    names = r"(?<!`)\b(?:\w+ = \w+|[\w./-]*_[\w./-]*\w)\b(?!`)"
    return re.sub(names, lambda found: f"`{found[0]}`", text, flags=re.ASCII)


def _named(label: str, name: str, words: Words) -> str:
    """An input as the editor calls it, and the id that files and messages have."""
    return f"`{name}`" if label == name else words.labelled.format(label=label, name=name)


def _input_type(item: Input, words: Words) -> str:
    if item.largest > 1:
        return words.up_to.format(type=item.type, largest=item.largest)
    return item.type


def _output_type(item: Output, words: Words) -> str:
    return words.list_of.format(type=item.type) if item.is_list else item.type


def _default(item: Input, words: Words) -> str:
    if item.default is not None:
        value = f"`{item.default}`" if item.default != "" else words.empty
        return words.default.format(value=value)
    if item.type in WIDGETS:
        return words.default.format(value=words.first_file)
    return words.optional if item.optional else words.required


def _table(header: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    lines = [header, ["---"] * len(header), *rows]
    return "\n".join(f"| {' | '.join(cells)} |" for cells in lines)
