"""Values are immutable and modules have no state: what is remembered lies in named memories."""

from __future__ import annotations

import ast
import dataclasses
import inspect
from collections.abc import Iterator
from pathlib import Path

import pytest

from instantid_core import types

REPOSITORY = Path(__file__).resolve().parents[2]
MEMORIES = {"SamplingRows.memory", "LoadedAdapter.projections"}
"""Fields of frozen types that remember: of a call, and of an adapter. A run's is no frozen type."""
MUTABLE = {"dict", "list", "set", "bytearray", "Memory", "defaultdict", "deque", "Counter"}
STATEFUL = MUTABLE | {"WeakKeyDictionary", "WeakValueDictionary", "WeakSet", "Lock", "Event"}
MUTATORS = {"add", "append", "clear", "extend", "insert", "pop", "popitem", "remove", "setdefault"}
MUTATORS |= {"discard", "update"}
CACHES = {"cache", "lru_cache"}


def modules() -> list[Path]:
    folders = (REPOSITORY / "instantid_core", REPOSITORY / "nodes")
    return sorted(path for folder in folders for path in folder.glob("**/*.py"))


def tree_of(path: Path) -> ast.Module:
    return ast.parse(path.read_text(encoding="utf-8"))


def called(node: ast.expr | None) -> str:
    """Last part of the name that an expression calls, or that a decorator names."""
    target = node.func if isinstance(node, ast.Call) else node
    return getattr(target, "attr", getattr(target, "id", ""))


# --- values ---------------------------------------------------------------------------------------


def own_classes() -> list[type]:
    return [
        one
        for _, one in inspect.getmembers(types, inspect.isclass)
        if one.__module__ == types.__name__
    ]


def test_every_type_that_travels_is_frozen() -> None:
    kinds = own_classes()
    assert types.Faces in kinds
    loose = [
        kind.__name__
        for kind in kinds
        if not issubclass(kind, (tuple, types.Enum))
        and not (dataclasses.is_dataclass(kind) and kind.__dataclass_params__.frozen)  # type: ignore[attr-defined]
    ]
    assert loose == []


def test_no_type_that_travels_has_a_mutable_field() -> None:
    found = [
        f"{kind.__name__}.{field.name}"
        for kind in own_classes()
        if dataclasses.is_dataclass(kind)
        for field in dataclasses.fields(kind)
        if field.default_factory is not dataclasses.MISSING
        or MUTABLE & set(str(field.type).replace("[", " ").replace("|", " ").split())
    ]
    assert found == []


def test_only_the_named_memories_lie_in_frozen_types() -> None:
    found = {name for path in modules() for name in mutable_fields(tree_of(path))}
    assert found == MEMORIES


def mutable_fields(tree: ast.Module) -> Iterator[str]:
    """Fields of frozen dataclasses that remember: neither signals nor read-only mappings."""
    for kind in (node for node in ast.walk(tree) if isinstance(node, ast.ClassDef)):
        if not any("frozen=True" in ast.unparse(each) for each in kind.decorator_list):
            continue
        for field in (node for node in kind.body if isinstance(node, ast.AnnAssign)):
            is_made = field.value is not None and "default_factory" in ast.unparse(field.value)
            written = ast.unparse(field.annotation)
            if is_made and not written.startswith(("Mapping[", "threading.Event")):
                yield f"{kind.name}.{ast.unparse(field.target)}"


# --- modules --------------------------------------------------------------------------------------


def state_of(tree: ast.Module) -> Iterator[str]:
    """What a module would remember between calls."""
    names: set[str] = set()
    for node in tree.body:
        if isinstance(node, (ast.Assign, ast.AnnAssign)):
            targets = node.targets if isinstance(node, ast.Assign) else [node.target]
            names |= {each.id for each in targets if isinstance(each, ast.Name)}
            if is_empty(node.value) or called(node.value) in STATEFUL | own_loose(tree):
                yield f"line {node.lineno}: {ast.unparse(node)}"
    for node in ast.walk(tree):
        if isinstance(node, ast.Global):
            yield f"line {node.lineno}: global"
        elif isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef)):
            if CACHES & {called(each) for each in node.decorator_list}:
                yield f"line {node.lineno}: {node.name} is cached"
            yield from (f"line {each.lineno}: {ast.unparse(each)}" for each in writes(node, names))


def is_empty(value: ast.expr | None) -> bool:
    return isinstance(value, (ast.List, ast.Dict)) and not (
        value.elts if isinstance(value, ast.List) else value.keys
    )


def own_loose(tree: ast.Module) -> set[str]:
    """Classes of the module whose objects can change."""
    return {
        node.name
        for node in tree.body
        if isinstance(node, ast.ClassDef)
        and not any("frozen=True" in ast.unparse(each) for each in node.decorator_list)
        and not {"NamedTuple", "Enum", "IntEnum"} & {called(each) for each in node.bases}
    }


def writes(function: ast.AST, names: set[str]) -> Iterator[ast.expr]:
    """Where a function changes what a module's name holds, unless the name is its own."""
    own = {each.arg for each in ast.walk(function) if isinstance(each, ast.arg)}
    own |= {
        each.id
        for each in ast.walk(function)
        if isinstance(each, ast.Name) and isinstance(each.ctx, ast.Store)
    }
    for node in ast.walk(function):
        holder = None
        if isinstance(node, ast.Subscript) and isinstance(node.ctx, (ast.Store, ast.Del)):
            holder = node.value
        elif isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute):
            holder = node.func.value if node.func.attr in MUTATORS else None
        if isinstance(holder, ast.Name) and holder.id in names - own:
            yield node  # type: ignore[misc]


def test_no_module_has_state() -> None:
    found = [
        f"{path.relative_to(REPOSITORY).as_posix()}, {state}"
        for path in modules()
        for state in state_of(tree_of(path))
    ]
    assert found == []


@pytest.mark.parametrize(
    "source",
    [
        "known = {}",
        "known: dict[str, int] = dict()",
        "known = WeakKeyDictionary()",
        "class Teller:\n    pass\nTELLER = Teller()",
        "NAMES = {'a': 1}\ndef note():\n    NAMES['b'] = 2",
        "NAMES = ['a']\ndef note():\n    NAMES.append('b')",
        "from functools import lru_cache\n@lru_cache(maxsize=None)\ndef f(x):\n    return x",
        "COUNT = 0\ndef f():\n    global COUNT\n    COUNT += 1",
    ],
)
def test_state_is_seen(source: str) -> None:
    assert list(state_of(ast.parse(source)))


@pytest.mark.parametrize(
    "source",
    [
        "NAMES = {'a': 1}",
        "NAMES = ('a',)\ndef f(NAMES):\n    NAMES.append(1)",
        "class Size(NamedTuple):\n    width: int\nUSUAL = Size(3)",
    ],
)
def test_constants_are_no_state(source: str) -> None:
    assert not list(state_of(ast.parse(source)))
