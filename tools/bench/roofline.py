"""The least time that work can take: its operations and its traffic at the device's own rates."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import NamedTuple

import torch

from .report import Row, Table
from .steps import clock_on

ROUNDS = 7
SIDE = {"cuda": 8192, "cpu": 1024}
"""Of the square matrices that are multiplied."""
TRAFFIC = {"cuda": 1 << 30, "cpu": 1 << 27}
"""Bytes that are copied: more than any cache holds."""


class Rates(NamedTuple):
    """What a device does per second."""

    operations: float
    """Multiplications and additions, in a large matrix product."""
    traffic: float
    """Bytes read and written, in a large copy."""

    def floor(self, operations: float, traffic: float) -> float:
        """Seconds that neither limit allows to undercut."""
        return max(operations / self.operations, traffic / self.traffic)


class Work(NamedTuple):
    """What some work cannot do without."""

    operations: float
    traffic: float
    """Bytes that are read and written at least."""

    def floor(self, rates: Rates) -> float:
        """Seconds that neither rate allows to undercut."""
        return rates.floor(*self)


def together(*parts: Work) -> Work:
    """The work of all parts, one after the other."""
    return Work(sum(part.operations for part in parts), sum(part.traffic for part in parts))


def bytes_in(network: torch.nn.Module) -> int:
    """Of all its weights."""
    return sum(weights.nbytes for weights in network.parameters())


def measure_rates(
    device: torch.device, dtype: torch.dtype, now: Callable[[], float] | None = None
) -> Rates:
    """Both rates, as the best of several rounds. now: a clock, by default that of `clock_on`, which
    on a CPU sees one thread alone."""
    side, size = SIDE[device.type], TRAFFIC[device.type] // dtype.itemsize
    one, other = (torch.randn(side, side, device=device).to(dtype) for _ in range(2))
    source, target = (torch.zeros(size, dtype=dtype, device=device) for _ in range(2))
    now = now or clock_on(device)
    product = min(_seconds(lambda: torch.mm(one, other), now, ROUNDS))
    copy = min(_seconds(lambda: target.copy_(source), now, ROUNDS))
    return Rates(2 * side**3 / product, 2 * source.nbytes / copy)


def _seconds(work: Callable[[], object], now: Callable[[], float], rounds: int) -> list[float]:
    """Seconds of each of several runs, after one that does not count."""
    seconds = []
    work()
    for _ in range(rounds):
        started = now()
        work()
        seconds.append(now() - started)
    return seconds


def wall_on(device: torch.device) -> Callable[[], float]:
    """The clock on the wall; on a GPU the queue is waited for."""
    return time.perf_counter if device.type == "cpu" else clock_on(device)


def rates_table(rates: dict[torch.dtype, Rates], device: torch.device) -> Table:
    """The rates by themselves."""
    rows = []
    for dtype, rate in rates.items():
        rows.append(Row(f"{name_of(dtype)}: matrix product", rate.operations / 1e9, "GFLOP/s"))
        rows.append(Row(f"{name_of(dtype)}: copy, read and written", rate.traffic / 1e9, "GB/s"))
    return Table(f"What the device does: {device.type}", tuple(rows))


def name_of(dtype: torch.dtype) -> str:
    """`float16` and the like."""
    return str(dtype).removeprefix("torch.")
