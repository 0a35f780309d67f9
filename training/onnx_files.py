"""Parts that the trainings of ONNX files share: command line, layers, reports and the export."""

from __future__ import annotations

import argparse
import json
import os
import warnings
from pathlib import Path
from typing import Any, TypeVar

import numpy as np
import torch
from torch import nn
from torch.optim import swa_utils

from .command_line import training_parser
from .dataset import Album, load_album
from .degradation import degrade, unit_pictures
from .loop import Draw, LoopSettings, Loss, train, training_device

REPORT_BATCH = 100
OPSET = 17
Axes = dict[str, dict[int, str]]
"""Input or output name -> axis -> name of the free dimension."""


def face_model_parser(purpose: str | None, **defaults: Any) -> argparse.ArgumentParser:
    """The command line of a training of an ONNX file."""
    parser = training_parser(purpose)
    parser.add_argument("--pictures", dest="single", type=int, default=20_000)
    parser.add_argument("--held-out-pictures", type=int, default=1_500)
    parser.set_defaults(**defaults)
    return parser


def painted(arguments: argparse.Namespace, kind: str = "single") -> tuple[Album, Album]:
    """The run's albums of a kind: to learn from, and of held-out people."""
    return load_album(arguments, kind), load_album(arguments, kind, held_out=True)


def convolution(inputs: int, outputs: int, stride: int = 1) -> list[nn.Module]:
    """A convolution over 3 x 3 places, a batch norm and a ReLU."""
    layer = nn.Conv2d(inputs, outputs, 3, stride, padding=1, bias=False)
    return [layer, nn.BatchNorm2d(outputs), nn.ReLU(inplace=True)]


def halving(widths: tuple[int, ...]) -> nn.Sequential:
    """Convolutions from RGB to these widths, each at half of the side before it."""
    pairs = zip((3, *widths), widths, strict=False)
    return nn.Sequential(*(layer for pair in pairs for layer in convolution(*pair, stride=2)))


@torch.no_grad()
def answers(network: nn.Module, images: np.ndarray, smallest_scale: float | None) -> list[Any]:
    """Answers of a network to pictures [N, H, W, 3] uint8, some at a time.

    smallest_scale: of `degrade`, None for pictures as they are.
    """
    generator, found = torch.Generator().manual_seed(0), []
    for start in range(0, len(images), REPORT_BATCH):
        part = unit_pictures(images[start : start + REPORT_BATCH])
        found.append(network(degrade(part, generator, smallest_scale) if smallest_scale else part))
    return found


def export(network: nn.Module, example: torch.Tensor, path: Path, axes: Axes) -> None:
    """Write `network` as it evaluates, traced with `example`, in float32.

    axes: free dimensions of the input, by its name, and behind it of the outputs.
    The folding of batch norms into convolutions is the exporter's. The file appears as a whole or
    not at all.
    """
    names = list(axes)
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
            input_names=names[:1],
            output_names=names[1:],
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
