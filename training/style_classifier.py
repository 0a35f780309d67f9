"""Names style, background and attributes of a picture: tells whether a text was followed."""

from __future__ import annotations

import argparse
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from torch import nn
from torch.nn import functional

from .degradation import DegradationSettings, degrade
from .loop import LoopSettings, Tensors, add_loop_arguments, loop_settings, train
from .onnx_files import export, finish, write_report
from .world import ATTRIBUTES, BACKGROUNDS, STYLES

if TYPE_CHECKING:
    from .dataset import Album

NAME = "style"
FILE = "style.onnx"
SIDE = 128
"""Pixels of a side of the pictures that the network sees."""
REPORT_BATCH = 100
# Coarse sampling would take away what styles differ in.
DAMAGE = DegradationSettings(smallest_scale=0.55)


@dataclass(frozen=True)
class StyleSettings:
    """The network's sizes."""

    batch: int = 64
    widths: tuple[int, int, int, int] = (16, 32, 64, 96)
    """Channels at 1/2, 1/4, 1/8 and 1/16 of the picture's side."""


Logits = tuple[torch.Tensor, torch.Tensor, torch.Tensor]


class StyleNetwork(nn.Module):
    """[N, 3, 128, 128] RGB in 0..1 -> logits of the style [N, 5], background [N, 5] and each
    attribute [N, 5]."""

    def __init__(self, widths: tuple[int, int, int, int]) -> None:
        super().__init__()
        layers: list[nn.Module] = []
        for inputs, outputs in zip((3, *widths), widths, strict=False):
            layers += [
                nn.Conv2d(inputs, outputs, 3, stride=2, padding=1, bias=False),
                nn.BatchNorm2d(outputs),
                nn.ReLU(inplace=True),
            ]
        self.features = nn.Sequential(*layers)
        self.style = nn.Linear(widths[-1], len(STYLES))
        self.background = nn.Linear(widths[-1], len(BACKGROUNDS))
        self.attributes = nn.Linear(2 * widths[-1], len(ATTRIBUTES))

    def forward(self, pictures: torch.Tensor) -> Logits:
        places = self.features(pictures * 2 - 1)
        mean = places.mean(dim=(2, 3))
        both = torch.cat([mean, places.amax(dim=(2, 3))], dim=1)
        return self.style(mean), self.background(mean), self.attributes(both)


class AnySize(nn.Module):
    """The network behind a resize of pictures [N, 3, H, W] to its own size."""

    def __init__(self, network: StyleNetwork) -> None:
        super().__init__()
        self.network = network

    def forward(self, pictures: torch.Tensor) -> Logits:
        fitted = functional.interpolate(pictures, (SIDE, SIDE), mode="bilinear")
        return self.network(fitted)


class StyleLoss:
    """Draws degraded pictures of an album and compares both answers with its labels."""

    def __init__(self, album: Album, settings: StyleSettings) -> None:
        self.album = album
        self.settings = settings

    def draw(self, generator: torch.Generator) -> tuple[torch.Tensor, np.ndarray]:
        """Pictures [batch, 3, 128, 128] in 0..1 and their places in the album."""
        count = (self.settings.batch,)
        chosen = torch.randint(len(self.album), count, generator=generator).numpy()
        return degrade(pictures_of(self.album.images[chosen]), generator, DAMAGE), chosen

    def __call__(
        self, network: nn.Module, generator: torch.Generator
    ) -> tuple[torch.Tensor, Tensors]:
        """The loss of one batch."""
        pictures, chosen = self.draw(generator)
        device = next(network.parameters()).device
        style, background, attributes = network(pictures.to(device))
        seen = torch.from_numpy(self.album.attributes[chosen]).to(device)
        seen_loss = functional.binary_cross_entropy_with_logits(attributes.float(), seen.float())
        styles = torch.from_numpy(self.album.styles[chosen]).to(device)
        backgrounds = torch.from_numpy(self.album.backgrounds[chosen]).to(device)
        style_loss = functional.cross_entropy(style.float(), styles)
        background_loss = functional.cross_entropy(background.float(), backgrounds)
        losses = {"style": style_loss, "background": background_loss, "attributes": seen_loss}
        figures = {name: value.detach() for name, value in losses.items()}
        return style_loss + background_loss + 2 * seen_loss, figures


def pictures_of(images: np.ndarray) -> torch.Tensor:
    """[N, H, W, 3] uint8 -> [N, 3, H, W] in 0..1."""
    return torch.from_numpy(images).movedim(-1, 1).float() / 255


def train_style_classifier(
    album: Album, held_out: Album, settings: StyleSettings, loop: LoopSettings
) -> dict[str, Any]:
    """Train, write `style.onnx` and `report.json` into the loop's folder; give the report."""
    torch.manual_seed(loop.seed)
    loss = StyleLoss(album, settings)
    network = StyleNetwork(settings.widths).to(memory_format=torch.channels_last)  # pyright: ignore[reportCallIssue]
    averages = train(network, loss, loop)
    finish(network, averages, loss.draw, 30)
    report = {"as painted": accuracy(network, held_out, None)}
    report["degraded"] = accuracy(network, held_out, DAMAGE)
    write_style_classifier(network, loop.folder / FILE)
    return write_report(loop.folder, report)


def write_style_classifier(network: StyleNetwork, path: Path) -> None:
    """Write the ONNX file: `pictures` of any number and size -> three kinds of logits."""
    example = torch.zeros(2, 3, SIDE + 64, SIDE)
    axes = {
        "pictures": {0: "count", 2: "height", 3: "width"},
        "style": {0: "count"},
        "background": {0: "count"},
        "attributes": {0: "count"},
    }
    export(AnySize(network), example, path, list(axes)[1:], axes, "pictures")


@torch.no_grad()
def accuracy(
    network: nn.Module, album: Album, damage: DegradationSettings | None
) -> dict[str, float]:
    """Shares of an album's pictures with the right style, background and attributes."""
    network.eval()
    generator = torch.Generator().manual_seed(0)
    device = next(network.parameters()).device
    right = dict.fromkeys(("style", "background", *ATTRIBUTES), 0)
    for start in range(0, len(album), REPORT_BATCH):
        part = slice(start, start + REPORT_BATCH)
        pictures = pictures_of(album.images[part])
        if damage:
            pictures = degrade(pictures, generator, damage)
        style, background, attributes = network(pictures.to(device))
        agree = (attributes > 0).cpu().numpy() == album.attributes[part]
        for name, count in zip(ATTRIBUTES, agree.sum(0), strict=True):
            right[name] += int(count)
        right["style"] += int((style.argmax(1).cpu().numpy() == album.styles[part]).sum())
        hits = background.argmax(1).cpu().numpy() == album.backgrounds[part]
        right["background"] += int(hits.sum())
    return {name: count / len(album) for name, count in right.items()}


def main() -> None:
    """The command line."""
    from .dataset import add_picture_arguments, joined, painted
    from .denoised_augmentation import VAGUE_TIMES, load_vague

    parser = argparse.ArgumentParser(description=__doc__)
    add_loop_arguments(parser, steps=600)
    add_picture_arguments(parser)
    parser.add_argument("--vague", action="store_true", help="learn from vague pictures, too")
    parser.set_defaults(batch=64, learning_rate=3e-3, ema_decay=0.98, warmup=40)
    arguments = parser.parse_args()
    album, held_out = painted(arguments)
    if arguments.vague:
        album = joined([album, *[load_vague(arguments.folder)] * VAGUE_TIMES])
    settings = StyleSettings(batch=arguments.batch)
    train_style_classifier(album, held_out, settings, loop_settings(arguments, NAME))


if __name__ == "__main__":
    main()
