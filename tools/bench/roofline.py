"""Roofline model: lower bound of the time of a workload, from the device's measured rates."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import NamedTuple

import torch

from .report import Row, Table
from .steps import clock_on

ROUNDS = 7
SIDE = {"cuda": 8192, "cpu": 1024}
"""Side of the square matrices that are multiplied."""
TRAFFIC = {"cuda": 1 << 30, "cpu": 1 << 27}
"""Bytes that are copied: more than any cache can hold."""


class Rates(NamedTuple):
    """Rates of a device per second."""

    operations: float
    """Multiplications and additions in a large matrix product."""
    traffic: float
    """Bytes read and written in a large copy."""

    def floor(self, operations: float, traffic: float) -> float:
        """Lower bound in seconds."""
        return max(operations / self.operations, traffic / self.traffic)


class Workload(NamedTuple):
    """Operations and traffic that some work needs at least."""

    operations: float
    traffic: float
    """Bytes that are read and written."""

    def floor(self, rates: Rates) -> float:
        """Lower bound in seconds at these rates."""
        return rates.floor(*self)


def combined(*parts: Workload) -> Workload:
    """Workload of all parts in sequence."""
    return Workload(sum(part.operations for part in parts), sum(part.traffic for part in parts))


def weight_bytes(network: torch.nn.Module) -> int:
    """Bytes of all weights of a network."""
    return sum(weights.nbytes for weights in network.parameters())


def measure_rates(
    device: torch.device, dtype: torch.dtype, now: Callable[[], float] | None = None
) -> Rates:
    """Both rates, the best of several rounds. now: a clock; the default, `clock_on`, sees only one
    thread on a CPU."""
    side, size = SIDE[device.type], TRAFFIC[device.type] // dtype.itemsize
    one, other = (torch.randn(side, side, device=device).to(dtype) for _ in range(2))
    source, target = (torch.zeros(size, dtype=dtype, device=device) for _ in range(2))
    now = now or clock_on(device)
    product = min(_seconds(lambda: torch.mm(one, other), now, ROUNDS))
    copy = min(_seconds(lambda: target.copy_(source), now, ROUNDS))
    return Rates(2 * side**3 / product, 2 * source.nbytes / copy)


def _seconds(work: Callable[[], object], now: Callable[[], float], rounds: int) -> list[float]:
    """Seconds of each of several runs, after a warm-up run."""
    seconds = []
    work()
    for _ in range(rounds):
        started = now()
        work()
        seconds.append(now() - started)
    return seconds


def wall_on(device: torch.device) -> Callable[[], float]:
    """A wall clock, which on a GPU waits for the queue."""
    return time.perf_counter if device.type == "cpu" else clock_on(device)


def rates_table(rates: dict[torch.dtype, Rates], device: torch.device) -> Table:
    """Table of the rates."""
    rows = []
    for dtype, rate in rates.items():
        rows.append(Row(f"{name_of(dtype)}: matrix product", rate.operations / 1e9, "GFLOP/s"))
        rows.append(Row(f"{name_of(dtype)}: copy, read and written", rate.traffic / 1e9, "GB/s"))
    return Table(f"Rates of the device: {device.type}", tuple(rows))


def name_of(dtype: torch.dtype) -> str:
    """Short name of a dtype, such as `float16`."""
    return str(dtype).removeprefix("torch.")
