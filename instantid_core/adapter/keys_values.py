"""Keys and values of identity tokens at all sites, in one buffer.

One buffer moves to a device in one copy, and the rows of a UNet call are taken out of it for all
sites at once, or by a view where they follow one another.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from itertools import accumulate
from typing import overload
from weakref import WeakValueDictionary

import torch

Buffers = dict[int, torch.Tensor]
"""Rows that were gathered in one UNet call, by the buffer they come from."""


class KeysValues(Sequence["SiteKeysValues"]):
    """One entry per site. The buffer is never written to once this is made."""

    def __init__(self, buffer: torch.Tensor, widths: tuple[int, ...], tokens: int) -> None:
        """buffer: [2 * N, sum of 2 * tokens * width], rows by `Polarity`, then by identity; in a
        row every site's keys [tokens, width] and then its values."""
        self.buffer = buffer
        self.widths = widths
        self.tokens = tokens
        self._starts = (0, *accumulate(2 * tokens * width for width in widths))
        self._elsewhere: WeakValueDictionary[torch.device, KeysValues] = WeakValueDictionary()
        self._indices: dict[tuple[int, ...], torch.Tensor] = {}

    @classmethod
    def empty(
        cls, identities: int, tokens: int, widths: Sequence[int], like: torch.Tensor
    ) -> KeysValues:
        """Room to `fill`, in the dtype and on the device of `like`."""
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

    def neighbours(self, entries: tuple[int, ...]) -> torch.Tensor | None:
        """[G, ...]: these rows of the buffer as a view; None unless each follows the one before."""
        first, end = entries[0], entries[0] + len(entries)
        return self.buffer[first:end] if entries == tuple(range(first, end)) else None

    def gathered(self, entries: tuple[int, ...]) -> torch.Tensor:
        """[G, ...]: a copy of these rows of the buffer, in one launch."""
        if entries not in self._indices:
            self._indices[entries] = torch.tensor(entries, device=self.buffer.device)
        return self.buffer.index_select(0, self._indices[entries])

    def to(self, device: torch.device, dtype: torch.dtype | None = None) -> KeysValues:
        """On another device, the same object for all who ask while one of them holds it; itself
        where nothing changes. A change of dtype makes a new one."""
        dtype = dtype or self.buffer.dtype
        if self.buffer.device == device and self.buffer.dtype == dtype:
            return self
        known = self._elsewhere.get(device) if dtype == self.buffer.dtype else None
        if known is None:
            known = KeysValues(self.buffer.to(device, dtype), self.widths, self.tokens)
            if dtype == self.buffer.dtype:
                self._elsewhere[device] = known
        return known


@dataclass(frozen=True, eq=False)
class SiteKeysValues:
    """Keys and values at one site."""

    all_sites: KeysValues
    position: int
    _views: dict[tuple[int, ...], tuple[torch.Tensor, torch.Tensor]] = field(
        init=False, repr=False, default_factory=dict
    )

    @classmethod
    def alone(cls, keys: torch.Tensor, values: torch.Tensor) -> SiteKeysValues:
        """Of a single site, from [2, N, T, width] each."""
        _, identities, tokens, width = keys.shape
        room = KeysValues.empty(identities, tokens, [width], keys)
        room.fill(0, keys, values)
        return room[0]

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

    def of(self, entries: tuple[int, ...], gathered: Buffers) -> tuple[torch.Tensor, torch.Tensor]:
        """Keys and values [G, T, width] of these entries of the flattened [2 * N, ...].

        gathered: belongs to one UNet call, in which all sites ask for the same entries.
        """
        source = self.all_sites
        if entries not in self._views and (rows := source.neighbours(entries)) is not None:
            self._views[entries] = source.at(self.position, rows)
        if entries in self._views:
            return self._views[entries]
        if id(source) not in gathered:
            gathered[id(source)] = source.gathered(entries)
        return source.at(self.position, gathered[id(source)])
