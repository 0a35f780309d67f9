"""The files with generated parts, and what they should say.

A generated part stands between two comments, which neither GitHub nor ComfyUI's help panel shows:

    <!-- generated: inputs -->
    ...
    <!-- end -->
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from .schemas import REPOSITORY, Input, Node
from .tables import input_list, node_table, output_list

README = REPOSITORY / "README.md"
HELP = REPOSITORY / "web" / "docs"
LOCALES = REPOSITORY / "locales"
LANGUAGES = ("en", "zh")
"""English is generated from the code; the other translations are written by hand."""
Texts = Mapping[str, Any]
LABELS: dict[str, dict[str, str]] = json.loads(
    (Path(__file__).parent / "labels.json").read_text(encoding="utf-8")
)
"""English labels of inputs whose ids are not the words that people use."""


class PageError(Exception):
    """A page without the marks of a generated part, or a translation without a text for it."""


def stale(nodes: Mapping[str, Node]) -> dict[Path, str]:
    """Contents due in the files that are out of date."""
    return {path: text for path, text in fresh(nodes) if _read(path) != text}


def fresh(nodes: Mapping[str, Node]) -> Iterator[tuple[Path, str]]:
    """Every file with generated parts, and its text with these brought up to date."""
    english = english_texts(nodes)
    yield locale_file("en"), json.dumps(english, indent=2, ensure_ascii=False) + "\n"
    yield README, filled(README, "nodes", node_table(nodes.values()))
    for language in LANGUAGES:
        texts = english if language == "en" else complete(translations(language), english)
        for node in nodes.values():
            yield _help_page(node, texts[node.id], language)


def english_texts(nodes: Mapping[str, Node]) -> dict[str, Any]:
    """The nodes' own texts in the form of a translation."""
    return {
        node.id: {
            "display_name": node.display_name,
            "description": node.description,
            "inputs": {
                item.name: {"name": label(node, item), "tooltip": item.tooltip}
                for item in node.inputs
            },
            "outputs": {
                str(slot): {"name": item.name, "tooltip": item.tooltip}
                for slot, item in enumerate(node.outputs)
            },
        }
        for node in nodes.values()
    }


def label(node: Node, item: Input) -> str:
    """The label of an input in the editor: its own, or else its id with spaces."""
    known = LABELS["every node"] | LABELS.get(node.id, {})
    return known.get(item.name, item.name.replace("_", " "))


def locale_file(language: str) -> Path:
    return LOCALES / language / "nodeDefs.json"


def translations(language: str) -> dict[str, Any]:
    """The node texts of one language, by node id."""
    return json.loads(_read(locale_file(language)))


def complete(texts: dict[str, Any], english: Texts) -> dict[str, Any]:
    """A translation that has every text of the English one; PageError names those it lacks."""
    missing = sorted(leaves(english).keys() - leaves(texts).keys())
    if missing:
        raise PageError(f"The translation lacks {', '.join(missing)}. Add them by hand.")
    return texts


def leaves(value: Any, path: str = "") -> dict[str, str]:
    """Every text of a translation by its path, such as `/InstantIDApply/description`."""
    if isinstance(value, str):
        return {path: value}
    return {k: v for name in value for k, v in leaves(value[name], f"{path}/{name}").items()}


def help_file(node_id: str, language: str) -> Path:
    """Path at which ComfyUI looks for a node's help page."""
    return HELP / (f"{node_id}.md" if language == "en" else f"{node_id}/{language}.md")


def filled(path: Path, part: str, content: str, text: str | None = None) -> str:
    """The text of a page (that of the file if none is given) with new content in one part."""
    text = _read(path) if text is None else text
    begin, end = f"<!-- generated: {part} -->", "<!-- end -->"
    pattern = rf"{re.escape(begin)}\n.*?{re.escape(end)}"
    if len(re.findall(pattern, text, re.DOTALL)) != 1:
        raise PageError(f"{path} should have one part between '{begin}' and '{end}'. Add the two.")
    return re.sub(pattern, lambda _: f"{begin}\n\n{content}\n\n{end}", text, flags=re.DOTALL)


def _help_page(node: Node, texts: Texts, language: str) -> tuple[Path, str]:
    path = help_file(node.id, language)
    text = filled(path, "inputs", input_list(node, texts, language))
    if node.outputs:
        text = filled(path, "outputs", output_list(node, texts, language), text)
    title = f"# {texts['display_name']}\n"
    return path, title + text.split("\n", 1)[1]


def _read(path: Path) -> str:
    return path.read_text(encoding="utf-8")
