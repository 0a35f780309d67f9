"""Reads the node schemas from `nodes/` without a ComfyUI.

The nodes run `define_schema` against stand-ins for the host's modules, so the schemas are the ones
that a server would report, except for lists of files on disk.
"""

from __future__ import annotations

import importlib
import re
import sys
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from types import ModuleType, SimpleNamespace
from typing import Any
from unittest.mock import MagicMock, patch

REPOSITORY = Path(__file__).resolve().parents[2]
PACK = "documented_pack"
"""Name under which the nodes are imported, beside any other import of them."""
WIDGETS = ("INT", "FLOAT", "COMBO", "BOOLEAN", "STRING")


@dataclass(frozen=True)
class Input:
    """One input of a node."""

    name: str
    type: str
    settings: Mapping[str, Any] = field(repr=False)
    largest: int = 1
    """Sockets that it grows to."""

    @property
    def optional(self) -> bool:
        return bool(self.settings.get("optional"))

    @property
    def tooltip(self) -> str:
        return self.settings["tooltip"]

    @property
    def choices(self) -> tuple[str, ...]:
        """The words of a choice; empty for a list of files, which depends on the machine."""
        options = self.settings.get("options")
        return tuple(options) if isinstance(options, list) else ()

    @property
    def default(self) -> str | None:
        """The widget's value in a new node as text; None for a socket and for a list of files."""
        value = self.settings.get("default")
        if value is None:
            return None
        return f"{value:g}" if isinstance(value, float) else str(value)


@dataclass(frozen=True)
class Output:
    """One output of a node."""

    name: str
    type: str
    tooltip: str
    is_list: bool


@dataclass(frozen=True)
class Node:
    """A node as its schema describes it."""

    id: str
    display_name: str
    description: str
    inputs: tuple[Input, ...]
    outputs: tuple[Output, ...]


class SocketType:
    """Stands in for one socket type of the host, such as `io.Image`."""

    def __init__(self, name: str) -> None:
        self.name = self.io_type = name

    def Input(self, name: str, **settings: Any) -> Input:  # noqa: N802  the host's name
        template = settings.get("template")
        if isinstance(template, Template):
            return Input(name, template.repeated.type, settings, template.largest)
        return Input(name, self.name, settings)

    def Output(  # noqa: N802  the host's name
        self, display_name: str, tooltip: str = "", is_output_list: bool = False
    ) -> Output:
        return Output(display_name, self.name, tooltip, is_output_list)

    def TemplatePrefix(  # noqa: N802  the host's name
        self, repeated: Input, *, prefix: str, min: int, max: int
    ) -> Template:
        return Template(repeated, max)


@dataclass(frozen=True)
class Template:
    """The input that a growing one repeats, and how often at most."""

    repeated: Input
    largest: int


class StandInIO:
    """Stands in for `comfy_api.latest.io`."""

    ComfyNode = type("ComfyNode", (), {})
    Schema = SimpleNamespace
    Custom = SocketType

    def __getattr__(self, name: str) -> SocketType:
        return SocketType(re.sub(r"(?<=[a-z])(?=[A-Z])", "_", name).upper())


def read_nodes() -> dict[str, Node]:
    """Every node of the pack by id, in the order of the node library."""
    with patch.dict(sys.modules, _stand_ins()):
        nodes = importlib.import_module(f"{PACK}.nodes").NODES
        schemas = [node.define_schema() for node in nodes]
    return {schema.node_id: _node(schema) for schema in schemas}


def _node(schema: SimpleNamespace) -> Node:
    return Node(
        schema.node_id,
        schema.display_name,
        schema.description,
        tuple(schema.inputs),
        tuple(schema.outputs),
    )


def _stand_ins() -> dict[str, Any]:
    """Modules for everything that `nodes` imports and that only a running host has."""
    pack = ModuleType(PACK)
    pack.__path__ = [str(REPOSITORY)]
    latest: Any = ModuleType("comfy_api.latest")
    latest.io, latest.ui, latest.ComfyAPI = StandInIO(), MagicMock(), MagicMock()
    latest.ComfyExtension = type("ComfyExtension", (), {})
    host = MagicMock()
    return {
        PACK: pack,
        f"{PACK}.nodes.host": host,
        "comfy_api": ModuleType("comfy_api"),
        "comfy_api.latest": latest,
        **{f"{PACK}.nodes.host.{name}": getattr(host, name) for name in _host_modules()},
    }


def _host_modules() -> Iterator[str]:
    for path in (REPOSITORY / "nodes" / "host").glob("*.py"):
        if path.stem != "__init__":
            yield path.stem
