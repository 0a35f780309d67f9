"""Functions of tensors as CUDA graphs: one launch in place of thousands."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import AbstractContextManager, nullcontext

import torch

Tensors = dict[str, torch.Tensor]
WARM_UP = 3
"""Runs before a capture, in which libraries choose kernels and get their memory."""
Captured = tuple[torch.cuda.CUDAGraph, Tensors, Tensors]
"""A graph, the tensors that it reads and those that it writes."""


class Replayed:
    """A function of named tensors: on CUDA a graph for each set of shapes, elsewhere itself.

    On CUDA the next call overwrites what the last one returned; whatever else the function reads or
    writes has to stay at its place in memory, on the device. What fails in a capture raises.
    """

    def __init__(
        self, function: Callable[[Tensors], Tensors], device: torch.device, warm_up: int = WARM_UP
    ) -> None:
        self.function, self.device, self.warm_up = function, device, warm_up
        self.graphs: dict[tuple[tuple[str, torch.Size], ...], Captured] = {}

    def __call__(self, given: Tensors) -> Tensors:
        if self.device.type != "cuda":
            return self.function({name: value.to(self.device) for name, value in given.items()})
        case = tuple((name, value.shape) for name, value in given.items())
        if case not in self.graphs:
            self.graphs[case] = self._capture(given)
        graph, kept, found = self.graphs[case]
        for name, value in kept.items():
            value.copy_(given[name])
        graph.replay()
        return found

    def _capture(self, given: Tensors) -> Captured:
        kept = {name: value.to(self.device, copy=True) for name, value in given.items()}
        side = torch.cuda.Stream(self.device)
        side.wait_stream(torch.cuda.current_stream())
        with torch.cuda.stream(side):
            for _ in range(self.warm_up):
                self.function(kept)
        torch.cuda.current_stream().wait_stream(side)
        graph = torch.cuda.CUDAGraph()
        pool = next((other.pool() for other, _, _ in self.graphs.values()), None)
        # Other threads may go on using the device.
        with torch.cuda.graph(graph, pool=pool, capture_error_mode="thread_local"):
            found = self.function(kept)
        return graph, kept, found


def own_stream(device: torch.device) -> AbstractContextManager[object]:
    """A stream of its own on CUDA, after all that was asked of the device before: graphs cannot be
    captured on the default one."""
    if device.type != "cuda":
        return nullcontext()
    stream = torch.cuda.Stream(device)
    stream.wait_stream(torch.cuda.current_stream())
    return torch.cuda.stream(stream)
