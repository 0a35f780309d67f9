"""Markdown tables of nodes, inputs and outputs, in the languages of the help pages."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from .schemas import WIDGETS, Input, Node, Output

PUNCTUATION = ".:;,。：；，"  # noqa: RUF001


@dataclass(frozen=True)
class Words:
    """The fixed words of the tables in one language."""

    inputs: tuple[str, str, str, str]
    outputs: tuple[str, str, str]
    required: str
    optional: str
    empty: str
    first_file: str
    up_to: str
    list_of: str


ENGLISH = Words(
    inputs=("Input", "Type", "Default", "What it does"),
    outputs=("Output", "Type", "What it is"),
    required="required",
    optional="optional",
    empty="empty",
    first_file="first file found",
    up_to="{type}, up to {largest}",
    list_of="{type} list",
)
CHINESE = Words(
    inputs=("输入", "类型", "默认值", "作用"),
    outputs=("输出", "类型", "说明"),
    required="必需",
    optional="可选",
    empty="空",
    first_file="找到的第一个文件",
    up_to="{type}，最多 {largest} 个",  # noqa: RUF001
    list_of="{type} 列表",
)
WORDS = {"en": ENGLISH, "zh": CHINESE}


def node_table(nodes: Iterable[Node]) -> str:
    """The README's table: each node with a link to its help page, and the first sentence of its
    description."""
    rows = [
        (f"[{node.display_name}](web/docs/{node.id}.md)", coded(first_sentence(node.description)))
        for node in nodes
    ]
    return _table(("Node", "What it does"), rows)


def input_table(node: Node, texts: Mapping[str, Any], language: str) -> str:
    """The inputs of a help page; `texts` is the node's entry in that language's locale."""
    words = WORDS[language]
    rows = [
        (
            f"`{item.name}`",
            _input_type(item, words),
            _default(item, words),
            coded(texts["inputs"][item.name]["tooltip"], item.choices),
        )
        for item in node.inputs
    ]
    return _table(words.inputs, rows)


def output_table(node: Node, texts: Mapping[str, Any], language: str) -> str:
    """The outputs of a help page."""
    words = WORDS[language]
    rows = [
        (
            f"`{item.name}`",
            _output_type(item, words),
            coded(texts["outputs"][str(slot)]["tooltip"]),
        )
        for slot, item in enumerate(node.outputs)
    ]
    return _table(words.outputs, rows)


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


def _input_type(item: Input, words: Words) -> str:
    if item.largest > 1:
        return words.up_to.format(type=item.type, largest=item.largest)
    return item.type


def _output_type(item: Output, words: Words) -> str:
    return words.list_of.format(type=item.type) if item.is_list else item.type


def _default(item: Input, words: Words) -> str:
    if item.default == "":
        return words.empty
    if item.default is not None:
        return f"`{item.default}`"
    if item.type in WIDGETS:
        return words.first_file
    return words.optional if item.optional else words.required


def _table(header: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    lines = [header, ["---"] * len(header), *rows]
    return "\n".join(f"| {' | '.join(cells)} |" for cells in lines)
