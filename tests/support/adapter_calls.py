"""Counts of calls of an adapter's layers."""

from typing import Any


class Calls:
    """Counts the layers of an adapter that run."""

    def __init__(self, adapter: Any) -> None:
        self.resampler = self.projections = 0
        network = adapter.patcher.model
        self.hooks = [network.projection.register_forward_hook(self._resampler)]
        for layer in (*network.to_k, *network.to_v):
            self.hooks.append(layer.register_forward_hook(self._projection))

    def _resampler(self, *_: Any) -> None:
        self.resampler += 1

    def _projection(self, *_: Any) -> None:
        self.projections += 1
