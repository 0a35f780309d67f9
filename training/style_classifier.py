"""Names style and background of a picture: tells whether a text was followed."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import TYPE_CHECKING, Any

import torch
from torch import nn
from torch.nn import functional

from .attribute_classifier import halving
from .degradation import DegradationSettings, degrade, unit_pictures
from .loop import LoopSettings, Tensors, add_loop_arguments, channels_last, loop_settings
from .onnx_files import export, train_finished, write_report
from .world import BACKGROUNDS, STYLES
from .world.scenes import SIDE

if TYPE_CHECKING:
    from .dataset import Album

NAME = "style"
FILE = "style.onnx"
REPORT_BATCH = 100
# Coarse sampling would take away what styles differ in.
DAMAGE = DegradationSettings(smallest_scale=0.55)


WIDTHS = (16, 32, 64, 96)
"""Channels at 1/2, 1/4, 1/8 and 1/16 of the picture's side."""
Logits = tuple[torch.Tensor, torch.Tensor]


class StyleNetwork(nn.Module):
    """[N, 3, SIDE, SIDE] RGB in 0..1 -> logits of the style [N, 5] and the background [N, 5]."""

    def __init__(self, widths: tuple[int, ...] = WIDTHS) -> None:
        super().__init__()
        self.features = halving(widths)
        self.style = nn.Linear(widths[-1], len(STYLES))
        self.background = nn.Linear(widths[-1], len(BACKGROUNDS))

    def forward(self, pictures: torch.Tensor) -> Logits:
        mean = self.features(pictures * 2 - 1).mean(dim=(2, 3))
        return self.style(mean), self.background(mean)


class AnySize(nn.Module):
    """The network behind a resize of pictures [N, 3, H, W] to the size that it was trained at."""

    def __init__(self, network: StyleNetwork) -> None:
        super().__init__()
        self.network = network

    def forward(self, pictures: torch.Tensor) -> Logits:
        fitted = functional.interpolate(pictures, (SIDE, SIDE), mode="bilinear")
        return self.network(fitted)


class StyleBatches:
    """Draws degraded pictures of an album with its labels."""

    def __init__(self, album: Album, batch: int) -> None:
        self.album, self.batch = album, batch

    def draw(self, generator: torch.Generator) -> Tensors:
        """`pictures` [batch, 3, H, W] in 0..1, and for each head of the network what is right."""
        album = self.album
        chosen = torch.randint(len(album), (self.batch,), generator=generator).numpy()
        return {
            "pictures": degrade(unit_pictures(album.images[chosen]), generator, DAMAGE),
            "styles": torch.from_numpy(album.styles[chosen]),
            "backgrounds": torch.from_numpy(album.backgrounds[chosen]),
        }


def style_loss(network: nn.Module, given: Tensors) -> tuple[torch.Tensor, Tensors]:
    """Cross entropies of both heads."""
    style, background = (part.float() for part in network(given["pictures"]))
    losses = {
        "style": functional.cross_entropy(style, given["styles"]),
        "background": functional.cross_entropy(background, given["backgrounds"]),
    }
    figures = {name: value.detach() for name, value in losses.items()}
    return losses["style"] + losses["background"], figures


def train_style_classifier(album: Album, held_out: Album, loop: LoopSettings) -> dict[str, Any]:
    """Train, write `style.onnx` and `report.json` into the loop's folder; give the report."""
    draw = StyleBatches(album, loop.batch).draw
    network = train_finished(channels_last(StyleNetwork()), draw, style_loss, loop, 30)
    report = {"as painted": accuracy(network, held_out, None)}
    report["degraded"] = accuracy(network, held_out, DAMAGE)
    write_style_classifier(network, loop.folder / FILE)
    return write_report(loop.folder, report)


def write_style_classifier(network: StyleNetwork, path: Path) -> None:
    """Write the ONNX file: `pictures` of any number and size -> both kinds of logits."""
    example = torch.zeros(2, 3, SIDE + 64, SIDE)
    axes = {
        "pictures": {0: "count", 2: "height", 3: "width"},
        "style": {0: "count"},
        "background": {0: "count"},
    }
    export(AnySize(network), example, path, list(axes)[1:], axes, "pictures")


@torch.no_grad()
def accuracy(
    network: nn.Module, album: Album, damage: DegradationSettings | None
) -> dict[str, float]:
    """Shares of an album's pictures with the right style and background."""
    generator = torch.Generator().manual_seed(0)
    right = {"style": 0, "background": 0}
    for start in range(0, len(album), REPORT_BATCH):
        part = slice(start, start + REPORT_BATCH)
        pictures = unit_pictures(album.images[part])
        if damage:
            pictures = degrade(pictures, generator, damage)
        style, background = (logits.numpy() for logits in network(pictures))
        right["style"] += int((style.argmax(1) == album.styles[part]).sum())
        right["background"] += int((background.argmax(1) == album.backgrounds[part]).sum())
    return {name: count / len(album) for name, count in right.items()}


def main() -> None:
    """The command line."""
    from .dataset import add_picture_arguments, painted

    parser = argparse.ArgumentParser(description=__doc__)
    add_loop_arguments(parser, steps=600)
    add_picture_arguments(parser)
    parser.set_defaults(batch=64, learning_rate=3e-3, ema_decay=0.98, warmup=40)
    arguments = parser.parse_args()
    album, held_out = painted(arguments)
    train_style_classifier(album, held_out, loop_settings(arguments, NAME))


if __name__ == "__main__":
    main()
