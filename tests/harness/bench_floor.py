"""The least time that work can take: its operations and its traffic at the device's own rates."""

from __future__ import annotations

import statistics
from collections.abc import Callable
from typing import NamedTuple

import torch

from .bench_report import Row, Table
from .bench_steps import clock_on

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


def measure_rates(device: torch.device, dtype: torch.dtype) -> Rates:
    """Both rates, as the best of several rounds."""
    side, size = SIDE[device.type], TRAFFIC[device.type] // dtype.itemsize
    one, other = (torch.randn(side, side, device=device).to(dtype) for _ in range(2))
    source, target = (torch.zeros(size, dtype=dtype, device=device) for _ in range(2))
    product = _shortest(lambda: torch.mm(one, other), device)
    copy = _shortest(lambda: target.copy_(source), device)
    return Rates(2 * side**3 / product, 2 * source.nbytes / copy)


def _shortest(work: Callable[[], object], device: torch.device) -> float:
    return min(seconds_of(work, device, ROUNDS))


def seconds_of(work: Callable[[], object], device: torch.device, rounds: int) -> list[float]:
    """Seconds of each of several runs, after one that does not count."""
    now, seconds = clock_on(device), []
    work()
    for _ in range(rounds):
        started = now()
        work()
        seconds.append(now() - started)
    return seconds


def median_of(work: Callable[[], object], device: torch.device, rounds: int = ROUNDS) -> float:
    """Median seconds of a run."""
    return statistics.median(seconds_of(work, device, rounds))


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
