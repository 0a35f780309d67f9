"""Keys and values of identity tokens at all sites, in one buffer.

One buffer moves to a device in one copy, and the rows of a UNet call are taken out of it for all
sites at once, or by a view where they follow one another.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import accumulate
from typing import overload
from weakref import WeakValueDictionary

import torch

from .rows import SamplingRows
from .run import Run


class KeysValues(Sequence["SiteKeysValues"]):
    """One entry per site. The buffer is never written to once this is made.

    It and its copies on other devices know each other: each is shared by all who hold it, and goes
    with the last of them.
    """

    def __init__(self, buffer: torch.Tensor, widths: tuple[int, ...], tokens: int) -> None:
        """buffer: [2 * N, sum of 2 * tokens * width], rows by `Polarity`, then by identity; in a
        row every site's keys [tokens, width] and then its values."""
        self.buffer = buffer
        self.widths = widths
        self.tokens = tokens
        self._starts = (0, *accumulate(2 * tokens * width for width in widths))
        self._copies: WeakValueDictionary[torch.device, KeysValues] = WeakValueDictionary()
        self._copies[buffer.device] = self

    @classmethod
    def empty(
        cls, identities: int, tokens: int, widths: Sequence[int], like: torch.Tensor
    ) -> KeysValues:
        """An empty buffer to `fill`, in the dtype and on the device of `like`."""
        buffer = like.new_empty(2 * identities, 2 * tokens * sum(widths))
        return cls(buffer, tuple(widths), tokens)

    @property
    def identities(self) -> int:
        """N."""
        return self.buffer.shape[0] // 2

    @property
    def nbytes(self) -> int:
        return self.buffer.nbytes

    def __len__(self) -> int:
        return len(self.widths)

    @overload
    def __getitem__(self, position: int) -> SiteKeysValues: ...
    @overload
    def __getitem__(self, position: slice) -> Sequence[SiteKeysValues]: ...
    def __getitem__(self, position: int | slice) -> SiteKeysValues | Sequence[SiteKeysValues]:
        chosen = range(len(self))[position]
        if isinstance(chosen, range):
            return [SiteKeysValues(self, number) for number in chosen]
        return SiteKeysValues(self, chosen)

    def fill(self, position: int, keys: torch.Tensor, values: torch.Tensor) -> None:
        """Write a site's [2, N, tokens, width] each; only while this is being made."""
        for target, made in zip(self.at(position, self.buffer), (keys, values), strict=True):
            target.copy_(made.detach().flatten(0, 1))

    def at(self, position: int, rows: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        """Keys and values [G, tokens, width] of a site, as views of rows [G, ...] of the buffer."""
        start, end = self._starts[position : position + 2]
        both = rows[:, start:end].unflatten(1, (2, self.tokens, self.widths[position]))
        return both[:, 0], both[:, 1]

    def gathered(self, entries: tuple[int, ...], run: Run) -> torch.Tensor:
        """[G, ...]: a copy of these rows of the buffer, in one launch."""
        device = self.buffer.device
        index = run.views.once((entries, device), lambda: torch.tensor(entries, device=device))
        return self.buffer.index_select(0, index)

    def to(self, device: torch.device, dtype: torch.dtype | None = None) -> KeysValues:
        """A copy on another device, shared by all callers while one of them holds it; itself where
        nothing changes, and on the way back what this is a copy of. A change of dtype makes a new
        copy."""
        dtype = dtype or self.buffer.dtype
        if self.buffer.device == device and self.buffer.dtype == dtype:
            return self
        if dtype != self.buffer.dtype:
            return KeysValues(self.buffer.to(device, dtype), self.widths, self.tokens)
        known = self._copies.get(device)
        if known is None:
            known = KeysValues(self.buffer.to(device), self.widths, self.tokens)
            self._copies[device] = known
            known._copies = self._copies
        return known


@dataclass(frozen=True, eq=False)
class SiteKeysValues:
    """Keys and values at one site."""

    all_sites: KeysValues
    position: int

    @classmethod
    def alone(cls, keys: torch.Tensor, values: torch.Tensor) -> SiteKeysValues:
        """Of a single site, from [2, N, T, width] each."""
        _, identities, tokens, width = keys.shape
        buffer = KeysValues.empty(identities, tokens, [width], keys)
        buffer.fill(0, keys, values)
        return buffer[0]

    @property
    def keys(self) -> torch.Tensor:
        """[2, N, T, width], indexed first by `Polarity`."""
        return self._whole[0]

    @property
    def values(self) -> torch.Tensor:
        """[2, N, T, width]."""
        return self._whole[1]

    @property
    def _whole(self) -> tuple[torch.Tensor, torch.Tensor]:
        keys, values = self.all_sites.at(self.position, self.all_sites.buffer)
        sides = (2, self.all_sites.identities)
        return keys.unflatten(0, sides), values.unflatten(0, sides)

    @property
    def identities(self) -> int:
        """N."""
        return self.all_sites.identities

    @property
    def nbytes(self) -> int:
        return self.keys.nbytes + self.values.nbytes

    def to(self, device: torch.device) -> SiteKeysValues:
        """On another device, together with all other sites; itself where nothing changes."""
        moved = self.all_sites.to(device)
        return self if moved is self.all_sites else moved[self.position]

    def of(self, entries: tuple[int, ...], rows: SamplingRows) -> tuple[torch.Tensor, torch.Tensor]:
        """Keys and values [G, T, width] of these entries of the flattened [2 * N, ...].

        Views for the length of a run where the entries follow one another; otherwise views of rows
        that are gathered once for all sites of a call.
        """
        source, first = self.all_sites, entries[0]
        if entries == tuple(range(first, first + len(entries))):
            return rows.run.views.once(
                (source, self.position, entries),
                lambda: source.at(self.position, source.buffer[first : first + len(entries)]),
            )
        gathered = rows.memory.once((source, entries), lambda: source.gathered(entries, rows.run))
        return source.at(self.position, gathered)
