"""Names what a face in a picture shows, by pixels alone: a judge of edited identities.

It never sees an embedding of the recogniser that conditions pictures.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import torch
from torch import nn
from torch.nn import functional

from .alignment import jittered
from .attributes import ATTRIBUTES, SIDE, head_crops
from .command_line import loop_settings
from .dataset import Album
from .degradation import SMALLEST_SCALE, degrade, unit_pictures
from .loop import Draw, LoopSettings, Tensors
from .onnx_files import (
    answers,
    export,
    face_model_parser,
    halving,
    painted,
    train_finished,
    write_report,
)
from .world import identity_of

NAME = "attributes"
FILE = "attributes.onnx"
WIDTHS = (24, 48, 64)
"""Channels at 1/2, 1/4 and 1/8 of the crop's side."""
JITTER = 0.02
"""Keypoint noise as a fraction of the face's height."""


class AttributeNetwork(nn.Module):
    """[N, 3, 64, 64] RGB in 0..1 -> logits [N, attributes]."""

    def __init__(self, widths: tuple[int, ...] = WIDTHS) -> None:
        super().__init__()
        self.features = halving(widths)
        cells = (SIDE >> len(widths)) ** 2
        self.name = nn.Sequential(
            nn.Flatten(), nn.Dropout(0.3), nn.Linear(widths[-1] * cells, len(ATTRIBUTES))
        )

    def forward(self, crops: torch.Tensor) -> torch.Tensor:
        return self.name(self.features(crops * 2 - 1))


def attribute_batches(album: Album, batch: int) -> Draw:
    """Draws degraded faces of an album, half of them mirrored, and what their people have.

    `pictures` [batch, 3, 64, 64] in 0..1, `labels` [batch, attributes].
    """
    labels = torch.from_numpy(labels_of(album))

    def draw(generator: torch.Generator) -> Tensors:
        chosen = torch.randint(len(album), (batch,), generator=generator).numpy()
        rng = np.random.default_rng(int(torch.randint(1 << 31, (), generator=generator)))
        points = jittered(album.keypoints[chosen, 0], rng, JITTER)
        crops = unit_pictures(head_crops(album.images[chosen], points))
        mirrored = torch.rand((len(crops), 1, 1, 1), generator=generator) < 0.5
        crops = torch.where(mirrored, crops.flip(-1), crops)
        return {"pictures": degrade(crops, generator), "labels": labels[chosen]}

    return draw


def attribute_loss(network: nn.Module, given: Tensors) -> tuple[torch.Tensor, Tensors]:
    """Cross entropy of each attribute."""
    logits = network(given["pictures"]).float()
    return functional.binary_cross_entropy_with_logits(logits, given["labels"]), {}


def labels_of(album: Album) -> np.ndarray:
    """[N, attributes] float32: 1 where the picture's first person has it."""
    people = [identity_of(int(number)) for number in album.identities[:, 0]]
    return np.array([[has(one) for has in ATTRIBUTES.values()] for one in people], np.float32)


def train_attribute_classifier(album: Album, held_out: Album, loop: LoopSettings) -> dict[str, Any]:
    """Train, write `attributes.onnx` and `report.json` into the loop's folder; give the report."""
    draw = attribute_batches(album, loop.batch)
    network = train_finished(AttributeNetwork(), draw, attribute_loss, loop, 30)
    report = {"as painted": accuracy(network, held_out, None)}
    report["degraded"] = accuracy(network, held_out, SMALLEST_SCALE)
    axes = {"crops": {0: "count"}, NAME: {0: "count"}}
    export(network, torch.zeros(2, 3, SIDE, SIDE), loop.folder / FILE, axes)
    return write_report(loop.folder, report)


def accuracy(network: nn.Module, album: Album, smallest_scale: float | None) -> dict[str, float]:
    """For each attribute the mean of the shares of those with and of those without that are named
    rightly; 0.5 is chance. smallest_scale: as in `answers`."""
    labels, crops = labels_of(album) > 0, head_crops(album.images, album.keypoints[:, 0])
    right = (torch.cat(answers(network, crops, smallest_scale)).numpy() > 0) == labels
    shares = [
        (right[with_it, n].mean() + right[~with_it, n].mean()) / 2
        for n, with_it in enumerate(labels.T)
    ]
    return dict(zip(ATTRIBUTES, map(float, shares), strict=True))


def main() -> None:
    """The command line."""
    arguments = face_model_parser(
        __doc__, steps=700, batch=64, learning_rate=3e-3, ema_decay=0.98, warmup=40
    ).parse_args()
    train_attribute_classifier(*painted(arguments), loop_settings(arguments, NAME))


if __name__ == "__main__":
    main()
