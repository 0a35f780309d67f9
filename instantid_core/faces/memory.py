"""A cache of the latest values by key."""

from __future__ import annotations

import hashlib
from collections.abc import Hashable
from typing import Generic, TypeVar

import numpy as np

Key = TypeVar("Key", bound=Hashable)
Value = TypeVar("Value")


class Latest(Generic[Key, Value]):
    """A mapping of limited size; of too many entries the one used longest ago is dropped."""

    def __init__(self, limit: int) -> None:
        self._limit = limit
        self._entries: dict[Key, Value] = {}

    def __len__(self) -> int:
        return len(self._entries)

    def get(self, key: Key) -> Value | None:
        """The value of a key, which becomes the newest entry; None without one."""
        if key not in self._entries:
            return None
        self._entries[key] = self._entries.pop(key)
        return self._entries[key]

    def keep(self, key: Key, value: Value) -> Value:
        """Store a value as the newest, and return it."""
        self._entries.pop(key, None)
        self._entries[key] = value
        while len(self._entries) > self._limit:
            del self._entries[next(iter(self._entries))]
        return value


def digest_of(frame: np.ndarray) -> str:
    """A hash of shape and pixels."""
    digest = hashlib.blake2b(repr(frame.shape).encode())
    digest.update(np.ascontiguousarray(frame).data)
    return digest.hexdigest()
