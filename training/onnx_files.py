"""ONNX files of trained networks."""

from __future__ import annotations

import json
import os
import warnings
from collections.abc import Sequence
from pathlib import Path
from typing import Any, TypeVar

import torch
from torch import nn
from torch.optim import swa_utils

from .loop import Draw, LoopSettings, Loss, train, training_device

OPSET = 17
Axes = dict[str, dict[int, str]]
"""Input or output name -> axis -> name of the free dimension."""


def export(
    network: nn.Module,
    example: torch.Tensor,
    path: Path,
    outputs: Sequence[str],
    axes: Axes,
    input_name: str = "input.1",
) -> None:
    """Write `network` as it evaluates, traced with `example`, in float32.

    The folding of batch norms into convolutions is the exporter's. The file appears as a whole or
    not at all.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    partial = path.with_suffix(".part")
    network = network.eval().cpu().float()
    with warnings.catch_warnings(), torch.no_grad():
        # The new exporter needs onnxscript, which the locked environment has no other use for.
        warnings.simplefilter("ignore", DeprecationWarning)
        torch.onnx.export(
            network,
            (example,),
            str(partial),
            dynamo=False,
            opset_version=OPSET,
            input_names=[input_name],
            output_names=list(outputs),
            dynamic_axes=axes,
        )
    os.replace(partial, path)


Trained = TypeVar("Trained", bound=nn.Module)


def train_finished(
    network: Trained, draw: Draw, loss_of: Loss, loop: LoopSettings, batches: int
) -> Trained:
    """Train a network on batches with `pictures`, its input; ready to be used, on the CPU.

    It has the averaged weights, and batch statistics that belong to them: those gathered in
    training are of the weights before averaging. batches: how many they are gathered over, for a
    mean over a few thousand pictures.
    """
    network.load_state_dict(train(network, draw, loss_of, loop), strict=False)
    drawn = (draw(torch.Generator().manual_seed(n))["pictures"] for n in range(batches))
    swa_utils.update_bn(drawn, network, training_device())
    return network.eval().cpu()


def write_report(folder: Path, report: dict[str, Any]) -> dict[str, Any]:
    """Write `report.json`, print it and give it back."""
    text = json.dumps(report, indent=1)
    (folder / "report.json").write_text(text, encoding="utf-8")
    print(text)
    return report
