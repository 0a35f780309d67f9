"""Packs that sample a picture in tiles.

Stands for ComfyUI-TiledDiffusion with its three methods, for BlenderNeko's Tiled KSampler as
efficiency-nodes carries it (`with_own_hints`), and for UltimateSDUpscale (`cropped`). Their faults,
kept here:
- TiledDiffusion cannot cut a cond of the latent's own size: it loops over one tile in place of a
  list of tiles (`AttributeError: 'int' object has no attribute 'slicer'`). For other sizes it
  computes the tiles again.
- Its SpotDiffusion rolls the latent and the hints along one axis, and the conds along both.
- Tiled KSampler puts its hint into `cond_hint` before each tile's own run.
- UltimateSDUpscale cuts `cond_hint_original` as if it had the canvas' shape.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import torch

SIDE, TILE, SCALE = 16, 12, 8
"""Latent, tile, and pixels per cell."""


def corners(side: int = SIDE, tile: int = TILE) -> list[tuple[int, int]]:
    return [(y, x) for y in (0, side - tile) for x in (0, side - tile)]


class Box:
    """A tile. One can loop over it, which gives its four numbers."""

    def __init__(self, top: int, left: int, side: int) -> None:
        self.numbers = [left, top, left + side, top + side]
        self.slicer = (..., slice(top, top + side), slice(left, left + side))

    def __getitem__(self, number: int) -> int:
        return self.numbers[number]


def boxes(side: int, tile: int) -> list[list[Box]]:
    """Two batches of two tiles."""
    every = [Box(*corner, tile) for corner in corners(side, tile)]
    return [every[:2], every[2:]]


class MultiDiffusion:
    """A wrapper of the model's function that runs a latent in overlapping tiles, two to a call."""

    def __init__(self) -> None:
        self.shift = 0

    def __call__(self, apply_model: Any, args: dict[str, Any]) -> torch.Tensor:
        x, c = self.rolled(args["input"]), args["c"]
        total, weight = torch.zeros_like(x), torch.zeros_like(x)
        for number, batch in enumerate(boxes(SIDE, TILE)):
            tiles = torch.cat([x[box.slicer] for box in batch])
            part = {name: self.part(value, x, tiles, number) for name, value in c.items()}
            times = args["timestep"].repeat(len(batch))
            if "control" in c:
                self.hints(c["control"], x, batch)
                part["control"] = c["control"].get_control_orig(
                    tiles, times, part, len(args["cond_or_uncond"]), c["transformer_options"]
                )
            out = apply_model(tiles, times, **part)
            for box, rows in zip(batch, out.chunk(len(batch)), strict=True):
                total[box.slicer] += rows
                weight[box.slicer] += 1
        return self.unrolled(total / weight)

    def part(self, value: Any, x: torch.Tensor, tiles: torch.Tensor, number: int) -> Any:
        if not isinstance(value, torch.Tensor):
            return value
        if value.ndim == 4:
            cuts: Any = boxes(SIDE, TILE)[number]
            if value.shape[-2:] != x.shape[-2:]:
                times = value.shape[-1] // SIDE
                cuts = boxes(times * SIDE, times * TILE)
            value = self.rolled_cond(value)
            value = torch.cat([value[box.slicer] for box in cuts[number]])
        rounds = -(-len(tiles) // len(value))
        return value.repeat(rounds, *[1] * (value.ndim - 1))[: len(tiles)]

    def hints(self, control: Any, x: torch.Tensor, batch: list[Box]) -> None:
        while control is not None:
            side = SIDE * SCALE
            whole = torch.nn.functional.interpolate(control.cond_hint_original, (side, side))
            whole = self.rolled(whole, SCALE).expand(len(x), -1, -1, -1).to(x)
            control.cond_hint = torch.cat([whole[self.pixels(box)] for box in batch])
            control = control.previous_controlnet

    @staticmethod
    def pixels(box: Box) -> tuple[Any, ...]:
        left, top, right, bottom = (SCALE * edge for edge in box)
        return (..., slice(top, bottom), slice(left, right))

    def rolled(self, x: torch.Tensor, scale: int = 1) -> torch.Tensor:
        return x

    def rolled_cond(self, value: torch.Tensor) -> torch.Tensor:
        return value

    def unrolled(self, x: torch.Tensor) -> torch.Tensor:
        return x


class SpotDiffusion(MultiDiffusion):
    """The same on a latent that is shifted in each step."""

    SHIFT = 5

    def rolled(self, x: torch.Tensor, scale: int = 1) -> torch.Tensor:
        return x.roll(self.SHIFT * scale, -1)

    def rolled_cond(self, value: torch.Tensor) -> torch.Tensor:
        times = value.shape[-1] // SIDE
        return value.roll((self.SHIFT * times, self.SHIFT * times), (-2, -1))

    def unrolled(self, x: torch.Tensor) -> torch.Tensor:
        return x.roll(-self.SHIFT, -1)


def tiled(model: Any, pair: Any, method: type[MultiDiffusion] = MultiDiffusion) -> Any:
    """With the pack's hook on the ControlNet: the host gets the net itself, and the wrapper runs it
    tile by tile."""
    net = pair[0][0][1]["control"]
    net.get_control_orig = net.get_control
    net.get_control = lambda *_: net
    wrapped = model.clone()
    wrapped.set_model_unet_function_wrapper(method())
    wrapped.model_options["tiled_diffusion"] = True
    return wrapped


def with_own_hints(control: Any, whole: torch.Tensor) -> Iterator[tuple[Box, torch.Tensor]]:
    """Before each tile's run its part of a picture [1, 3, H, W], put into the net where it runs."""
    for batch in boxes(SIDE, TILE):
        for box in batch:
            control.cond_hint = whole[MultiDiffusion.pixels(box)].clone().to(control.load_device)
            yield box, control.cond_hint


def cropped(pair: Any, box: Box) -> Any:
    """Conditioning for one tile of a canvas: the net's picture is cut at the same place."""
    sides = []
    for side in pair:
        entries = []
        for text, options in side:
            net = options["control"].copy().set_previous_controlnet(None)
            picture = net.cond_hint_original
            height, width = picture.shape[-2:]
            left, top, right, bottom = (edge / SIDE for edge in box)
            net.cond_hint_original = picture[
                ...,
                round(top * height) : round(bottom * height),
                round(left * width) : round(right * width),
            ]
            entries.append([text, {**options, "control": net}])
        sides.append(entries)
    return sides
