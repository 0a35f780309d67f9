"""Names style and background of a picture: tells whether a text was followed."""

from __future__ import annotations

import torch
from torch import nn
from torch.nn import functional

from .command_line import loop_settings
from .dataset import Album
from .degradation import degrade, unit_pictures
from .loop import Draw, Tensors, channels_last
from .onnx_files import (
    answers,
    export,
    face_model_parser,
    halving,
    painted,
    train_finished,
    write_report,
)
from .world import BACKGROUNDS, STYLES
from .world.scenes import SIDE

NAME = "style"
FILE = "style.onnx"
SMALLEST_SCALE = 0.55
"""Of degraded pictures: coarse sampling would take away what styles differ in."""
WIDTHS = (16, 32, 64, 96)
"""Channels at 1/2, 1/4, 1/8 and 1/16 of the picture's side."""


class StyleNetwork(nn.Module):
    """[N, 3, SIDE, SIDE] RGB in 0..1 -> logits of the style [N, 5] and the background [N, 5]."""

    def __init__(self, widths: tuple[int, ...] = WIDTHS) -> None:
        super().__init__()
        self.features = halving(widths)
        self.style = nn.Linear(widths[-1], len(STYLES))
        self.background = nn.Linear(widths[-1], len(BACKGROUNDS))

    def forward(self, pictures: torch.Tensor) -> tuple[torch.Tensor, ...]:
        mean = self.features(pictures * 2 - 1).mean(dim=(2, 3))
        return self.style(mean), self.background(mean)


def style_batches(album: Album, batch: int) -> Draw:
    """Draws degraded pictures of an album with its labels.

    `pictures` [batch, 3, H, W] in 0..1, and for each head of the network what is right.
    """

    def draw(generator: torch.Generator) -> Tensors:
        chosen = torch.randint(len(album), (batch,), generator=generator).numpy()
        return {
            "pictures": degrade(unit_pictures(album.images[chosen]), generator, SMALLEST_SCALE),
            "styles": torch.from_numpy(album.styles[chosen]),
            "backgrounds": torch.from_numpy(album.backgrounds[chosen]),
        }

    return draw


def style_loss(network: nn.Module, given: Tensors) -> tuple[torch.Tensor, Tensors]:
    """Cross entropies of both heads."""
    found, wanted = network(given["pictures"]), (given["styles"], given["backgrounds"])
    style, background = (
        functional.cross_entropy(logits.float(), labels)
        for logits, labels in zip(found, wanted, strict=True)
    )
    return style + background, {"style": style.detach(), "background": background.detach()}


def accuracy(network: nn.Module, album: Album, smallest_scale: float | None) -> dict[str, float]:
    """Shares of an album's pictures with the right style and background; see `answers`."""
    parts = zip(*answers(network, album.images, smallest_scale), strict=True)
    style, background = (torch.cat(logits).argmax(1).numpy() for logits in parts)
    return {
        "style": float((style == album.styles).mean()),
        "background": float((background == album.backgrounds).mean()),
    }


def main() -> None:
    """Train, write `style.onnx` and `report.json` into the loop's folder.

    The file takes pictures of any number and size: it resizes them to that of the training.
    """
    arguments = face_model_parser(
        __doc__, steps=600, batch=64, learning_rate=3e-3, ema_decay=0.98, warmup=40
    ).parse_args()
    loop, (album, held_out) = loop_settings(arguments, NAME), painted(arguments)
    draw = style_batches(album, loop.batch)
    network = train_finished(channels_last(StyleNetwork()), draw, style_loss, loop, 30)
    report = {"as painted": accuracy(network, held_out, None)}
    report["degraded"] = accuracy(network, held_out, SMALLEST_SCALE)
    write_report(loop.folder, report)
    any_size = nn.Sequential(nn.Upsample((SIDE, SIDE), mode="bilinear"), network)
    axes = {"pictures": {0: "count", 2: "height", 3: "width"}}
    axes |= {"style": {0: "count"}, "background": {0: "count"}}
    export(any_size, torch.zeros(2, 3, SIDE + 64, SIDE), loop.folder / FILE, axes)


if __name__ == "__main__":
    main()
