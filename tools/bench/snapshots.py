"""Snapshots of nested host structures, to detect changes."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import torch


def snapshot(value: Any) -> Any:
    """A comparable copy: containers and tensors by content, every other object by identity."""
    if isinstance(value, torch.Tensor):
        return ("tensor", tuple(value.shape), value.dtype, value.detach().clone())
    if isinstance(value, dict):
        return {key: snapshot(item) for key, item in value.items()}
    if isinstance(value, (list, tuple)):
        return [snapshot(item) for item in value]
    attributes = getattr(value, "__dict__", None)
    if attributes is None or isinstance(value, (type, torch.nn.Module)) or callable(value):
        return value
    return (value, {name: snapshot(item) for name, item in attributes.items()})


def same(one: Any, other: Any) -> bool:
    """Whether two snapshots are equal, bit for bit."""
    if isinstance(one, torch.Tensor):
        return isinstance(other, torch.Tensor) and torch.equal(one, other)
    if isinstance(one, dict):
        return one.keys() == other.keys() and all(same(one[key], other[key]) for key in one)
    if isinstance(one, (list, tuple)):
        return len(one) == len(other) and all(map(same, one, other))
    return one is other or one == other


def reachable_tensors(root: Any) -> list[torch.Tensor]:
    """Every tensor that can be reached through containers and attributes, modules included."""
    seen: set[int] = set()
    found: list[torch.Tensor] = []
    todo = [root]
    while todo:
        value = todo.pop()
        if id(value) in seen:
            continue
        seen.add(id(value))
        if isinstance(value, torch.Tensor):
            found.append(value)
        elif isinstance(value, dict):
            todo += [*value.keys(), *value.values()]
        elif isinstance(value, (list, tuple, set, frozenset)):
            todo += list(value)
        todo += _inside(value)
    return found


def bytes_of(tensors: Iterable[torch.Tensor]) -> int:
    """Bytes of the tensors' storages; shared storages count once."""
    storages = (tensor.untyped_storage() for tensor in tensors)
    return sum({storage.data_ptr(): storage.nbytes() for storage in storages}.values())


def _inside(value: Any) -> list[Any]:
    """Parts of an object: attributes, parts of a bound call, and closure variables."""
    if isinstance(value, (type, torch.Tensor)):
        return []
    parts = list(getattr(value, "__dict__", {}).values())
    for name in ("__self__", "func", "args", "keywords"):
        parts += [getattr(value, name)] if hasattr(value, name) else []
    closure = getattr(value, "__closure__", None) or ()
    return parts + [cell.cell_contents for cell in closure]
