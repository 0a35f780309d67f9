"""The file of prompts: one JSON object per line.

It is read twice, so that its size does not matter: once to check every line before anything starts,
then line by line as workers become free. Standard library only.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from instantid_core.errors import is_file_name
from tools.comfyui.prompts import Prompt

from .files import Files, sha256_of_bytes
from .ledger import RESERVED
from .values import BatchError, Item, Upload

NAME = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_.-]{0,99}(?<![.])")
EXPECTED = (
    'Expected {"name": "...", "prompt": {...}} or a prompt alone, in the form that the editor '
    "saves as Export (API)"
)
BYTE_ORDER_MARK = b"\xef\xbb\xbf"


class PromptFile:
    """A file of prompts, and the folder with the files that they name."""

    def __init__(self, path: Path, files: Files) -> None:
        self.path = path
        self.files = files

    def items(self) -> list[Item]:
        """Every prompt of the file. Raises BatchError for the first invalid line."""
        items: dict[str, Item] = {}
        for number, offset, text in self._lines():
            try:
                item = self._item(number, offset, text)
            except (ValueError, RecursionError) as error:
                raise self._fault(number, str(error)) from error
            # Some file systems ignore case.
            earlier = items.setdefault(item.name.lower(), item)
            if earlier is not item:
                raise self._fault(
                    number,
                    f"The name '{item.name}' is taken by line {earlier.line}. Each prompt needs a "
                    "name of its own, because its results go into the folder of that name.",
                )
        if not items:
            raise BatchError(f"{self.path} holds no prompts. {EXPECTED}, one per line.")
        return list(items.values())

    def load(self, item: Item) -> tuple[Prompt, tuple[Upload, ...]]:
        """The prompt of an item as workers receive it, and the files to upload."""
        try:
            with self.path.open("rb") as file:
                file.seek(item.offset)
                prompt = read_line(file.readline(), item.line)[1]
        except (OSError, ValueError) as error:
            raise self._changed() from error
        sent, uploads = self.files.with_uploads(prompt)
        if digest_of(sent) != item.digest:
            raise self._changed()
        return sent, uploads

    def _changed(self) -> BatchError:
        return BatchError(
            f"{self.path} has changed while the batch ran. Finished results are kept; run "
            "the command again for the rest."
        )

    def _item(self, number: int, offset: int, text: bytes) -> Item:
        name, prompt = read_line(text, number)
        return Item(name, number, offset, digest_of(self.files.with_uploads(prompt)[0]))

    def _lines(self) -> Iterator[tuple[int, int, bytes]]:
        """Number, offset and text of every line that is not blank."""
        try:
            with self.path.open("rb") as file:
                offset = 0
                for number, text in enumerate(file, 1):
                    if text.strip(BYTE_ORDER_MARK).strip():
                        yield number, offset, text
                    offset += len(text)
        except OSError as error:
            raise BatchError(
                f"The file of prompts cannot be read: {error}. {EXPECTED}, one per line."
            ) from error

    def _fault(self, number: int, message: str) -> BatchError:
        return BatchError(f"{self.path}, line {number}: {message} Nothing was started.")


def digest_of(prompt: Prompt) -> str:
    """Hash of a prompt that does not depend on the order of its keys."""
    return sha256_of_bytes(json.dumps(prompt, sort_keys=True).encode())


def read_line(text: bytes, number: int) -> tuple[str, Prompt]:
    """Name and prompt of a line. Raises ValueError with a sentence."""
    try:
        # Decoded first: json.loads would take bytes with zeros between them for UTF-16.
        found = json.loads(text.removeprefix(BYTE_ORDER_MARK).decode("utf-8"))
    except ValueError as error:
        raise ValueError(f"{EXPECTED}, found no JSON: {error}.") from error
    # A node may also be called "prompt"; only a node has a class.
    if isinstance(found, dict) and "prompt" in found and not _is_node(found["prompt"]):
        return _named(found, number), _checked(found["prompt"])
    return f"{number:06}", _checked(found)


def _named(found: Mapping[str, Any], number: int) -> str:
    unknown = sorted(found.keys() - {"name", "prompt"})
    if unknown:
        raise ValueError(f"{EXPECTED}, found '{unknown[0]}' beside them. Remove it.")
    name = found.get("name", f"{number:06}")
    if not isinstance(name, str) or not is_folder_name(name):
        raise ValueError(
            "A name becomes a folder: expected up to 100 letters, digits and _ - . with neither of "
            "the last two at the beginning, no dot at the end, and not "
            f"{', '.join(RESERVED)} or a device of Windows; found {ascii(name)[:120]}."
        )
    return name


def is_folder_name(name: str) -> bool:
    """Whether a name can be a folder among the results, on every system."""
    return bool(NAME.fullmatch(name)) and is_file_name(name) and name.lower() not in RESERVED


def _checked(found: object) -> Prompt:
    if not isinstance(found, dict) or not found:
        raise ValueError(f"{EXPECTED}, found {_kind(found)}.")
    if isinstance(found.get("nodes"), list):
        raise ValueError(f"{EXPECTED}, found a saved workflow. Export it with Export (API).")
    for node_id, node in found.items():
        if not _is_node(node) or not isinstance(node.get("inputs"), dict):
            raise ValueError(
                f"{EXPECTED}, found the entry '{node_id}', which has no class_type or no inputs."
            )
    return found


def _is_node(found: object) -> bool:
    return isinstance(found, dict) and isinstance(found.get("class_type"), str)


def _kind(found: object) -> str:
    kinds = {dict: "an empty object", list: "a list", str: "a text", type(None): "null"}
    return kinds.get(type(found), "a number or truth value")
