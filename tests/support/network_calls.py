"""Recorder of the arguments that a network is called with."""

from __future__ import annotations

from typing import Any

import pytest
import torch


class Calls:
    """Notes the hint and context of every call of a control model."""

    def __init__(self, network: torch.nn.Module) -> None:
        self.hints: list[torch.Tensor] = []
        self.contexts: list[torch.Tensor] = []
        self.network = network

    def __enter__(self) -> Calls:
        call = type(self.network).forward

        def noted(network: Any, x: Any, hint: Any, timesteps: Any, context: Any, **k: Any) -> Any:
            self.hints.append(hint.clone().cpu())
            self.contexts.append(context.clone().cpu())
            return call(network, x=x, hint=hint, timesteps=timesteps, context=context, **k)

        self.patch = pytest.MonkeyPatch()
        self.patch.setattr(type(self.network), "forward", noted)
        return self

    def __exit__(self, *_: object) -> None:
        self.patch.undo()
