"""A cache with a bound."""

from __future__ import annotations

from collections.abc import Callable, Hashable
from typing import Any, TypeVar

T = TypeVar("T")


class Memory:
    """Values by key. The least recently used go first; the latest stays whatever its size.

    Lives as long as whoever holds it: an adapter, a run, or a call. Threads may share one; a value
    may then be made twice, and either is right.
    """

    def __init__(self, most: int, size: Callable[[Any], int] | None = None) -> None:
        """most: limit of the sum of the values' sizes; of their number without `size`."""
        self.most = most
        self._size = size
        self._values: dict[Hashable, Any] = {}

    def once(self, key: Hashable, make: Callable[[], T]) -> T:
        """The value of this key, made on first use."""
        # No lock, which other packs could not deep-copy: each step by itself leaves things right.
        if (found := self._values.pop(key, None)) is None:
            found = make()
        self._values[key] = found
        self._forget()
        return found

    def __len__(self) -> int:
        return len(self._values)

    def _forget(self) -> None:
        if self._size is None and len(self._values) <= self.most:
            return
        entries = list(self._values.items())
        sizes = [1 if self._size is None else self._size(value) for _, value in entries]
        excess = sum(sizes) - self.most
        for (key, _), size in zip(entries[:-1], sizes, strict=False):
            if excess <= 0:
                return
            self._values.pop(key, None)
            excess -= size
