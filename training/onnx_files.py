"""ONNX files of trained networks."""

from __future__ import annotations

import json
import os
import warnings
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import torch
from accelerate.utils import extract_model_from_parallel
from torch import nn
from torch.optim import swa_utils

OPSET = 17
Draw = Callable[[torch.Generator], tuple[torch.Tensor, Any]]
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


def finish(
    network: nn.Module, averages: dict[str, torch.Tensor], draw: Draw, count: int
) -> nn.Module:
    """Give a network its averaged weights and batch statistics that belong to them.

    Statistics gathered in training are those of the weights before averaging. draw: gives the
    inputs of a batch first. count: batches, for a mean over a few thousand pictures.
    """
    # Away with the mixed precision that accelerate has put around the network.
    network = extract_model_from_parallel(network, keep_fp32_wrapper=False)
    network.load_state_dict(averages, strict=False)
    drawn = (draw(torch.Generator().manual_seed(number))[0] for number in range(count))
    swa_utils.update_bn(drawn, network)
    return network.eval()


def write_report(folder: Path, report: dict[str, Any]) -> dict[str, Any]:
    """Write `report.json`, print it and give it back."""
    text = json.dumps(report, indent=1)
    (folder / "report.json").write_text(text, encoding="utf-8")
    print(text)
    return report
