"""Batches of the trainings that predict noise: drawn on the device from pictures that lie there."""

from __future__ import annotations

import argparse
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch

from .command_line import add_options, training_parser
from .dataset import Album, Lots, add_album_arguments
from .diffusion import WEIGHTINGS, add_noise, offset_noise, signal_shares, size_numbers
from .loop import Tensors, training_device
from .networks.autoencoder import FACTOR
from .networks.denoiser import TIMESTEPS

Text = tuple[torch.Tensor, torch.Tensor]
"""Context [N, T, C] and pooled [N, P] of captions."""
SHARE_AT_FACES = 0.8
"""Of windows; the others lie anywhere."""
NOISE_OFFSET = 0.15


@dataclass(frozen=True)
class BatchSettings:
    """Size and kind of a training's batches."""

    batch: int
    window: int = 128
    """Side in pixels of the windows that some of the batches are; 0: none."""
    window_share: float = 0.5
    """Share of the batches that are windows."""
    window_spread: float = 0.6
    """Side of the square about a face in which its window's middle lies, in the window's sides."""
    weighting: str = "even"
    """One of `diffusion.WEIGHTINGS`."""
    another_picture: bool = False
    """Whether embeddings are of another picture of the same person."""

    def side(self, generator: torch.Generator) -> int:
        """Of a batch's windows, in pixels; 0 for one of whole pictures."""
        return self.window if torch.rand((), generator=generator) < self.window_share else 0


@dataclass(frozen=True)
class Bucket:
    """An album as these trainings see it."""

    cells: Tensors
    """[N, C, h, w], cut alike: `latents` of unit variance, `places` (how much each place counts in
    the loss, of mean 1) and what else lies over a picture."""
    told: Tensors
    """[N, ...]: what else is known of the pictures, such as `tokens` or `embeddings`."""
    boxes: torch.Tensor
    """[N, P, 4] pixels."""
    people: torch.Tensor
    """[N] int64: whom the pictures show first."""
    text: Text | None = None
    """Of the distinct captions, where `told` has their rows as `captions`."""


def bucket_of(
    album: Album,
    latents: torch.Tensor,
    told: Tensors,
    face_weight: float = 1.0,
    text: Text | None = None,
) -> Bucket:
    """An album's bucket, on the training's device. face_weight: of the loss at a face."""
    device = training_device()
    places = face_places(album.boxes, album.images.shape[1:3], face_weight)
    return Bucket(
        {"latents": latents.to(device), "places": places.to(device)},
        {name: value.to(device) for name, value in told.items()},
        torch.from_numpy(album.boxes).to(device),
        torch.from_numpy(album.identities[:, 0]).to(device),
        text and (text[0].to(device), text[1].to(device)),
    )


def face_places(boxes: np.ndarray, extent: tuple[int, int], weight: float) -> torch.Tensor:
    """Weights of the places of latents, [N, 1, h, w] of mean 1: `weight` at a face, else 1.

    boxes: of the faces, [N, P, 4] pixels. extent: height and width in pixels.
    """
    x0, y0, x1, y1 = (torch.from_numpy(side)[..., None, None] for side in np.moveaxis(boxes, -1, 0))
    y = (torch.arange(extent[0] // FACTOR)[:, None] + 0.5) * FACTOR
    x = (torch.arange(extent[1] // FACTOR) + 0.5) * FACTOR
    inside = ((x > x0) & (x < x1) & (y > y0) & (y < y1)).any(1, keepdim=True)
    places = 1 + (weight - 1) * inside.float()
    return places / places.mean((1, 2, 3), keepdim=True)


def lots_of(buckets: dict[str, Bucket], settings: BatchSettings) -> Lots:
    """Draws of the pictures of buckets, on the training's device."""
    counts = {kind: len(bucket.people) for kind, bucket in buckets.items()}
    return Lots(counts, settings.batch, training_device())


class Batches:
    """Draws batches for a training that predicts noise.

    A batch holds `noisy`, `noise`, `timesteps` [B], `sizes` [B, 6], `importance` [B] in the loss,
    `chance` [B] in 0..1 to leave things out by, all that its bucket tells, and its cells without
    the latents. Where a bucket has a text, `context` and `pooled` are in place of `captions`.
    """

    def __init__(self, buckets: dict[str, Bucket], settings: BatchSettings) -> None:
        self.buckets, self.settings = buckets, settings
        self.lots = lots_of(buckets, settings)
        self.shares = signal_shares().to(training_device())

    def draw(self, generator: torch.Generator) -> Tensors:
        """The batch of a step. generator: the step's, on the CPU."""
        kind, rows = self.lots.draw(generator)
        bucket, side = self.buckets[kind], self.settings.side(generator)
        found = {name: values[rows] for name, values in bucket.told.items()}
        if self.settings.another_picture:
            others = others_of(bucket.people, rows, self.lots.own)
            found["embeddings"] = bucket.told["embeddings"][others]
        if bucket.text:
            captions = found.pop("captions")
            found |= {"context": bucket.text[0][captions], "pooled": bucket.text[1][captions]}
        found |= view(bucket, rows, side, self.lots.own, self.settings.window_spread)
        found["chance"] = torch.rand(len(rows), generator=self.lots.own, device=rows.device)
        found |= self._noisy(found.pop("latents"))
        return found

    def _noisy(self, latents: torch.Tensor) -> Tensors:
        own, settings = self.lots.own, self.settings
        noise = offset_noise(latents.shape, NOISE_OFFSET, own)
        size, device = (len(latents),), latents.device
        timesteps = torch.randint(TIMESTEPS, size, generator=own, device=device)
        shares = self.shares[timesteps]
        return {
            "noisy": add_noise(latents, noise, shares),
            "noise": noise,
            "timesteps": timesteps,
            "importance": 1 / shares if settings.weighting == "even" else torch.ones_like(shares),
        }


def view(
    bucket: Bucket,
    rows: torch.Tensor,
    side: int,
    generator: torch.Generator,
    spread: float = BatchSettings.window_spread,
) -> Tensors:
    """Cells of some pictures of a bucket, whole or, with a `side` in pixels, windows; and `sizes`.

    A window costs less, and most show a face that fills them. spread: as in `BatchSettings`.
    """
    height, width = (FACTOR * count for count in bucket.cells["latents"].shape[2:])
    sizes = size_numbers(height, width, len(rows)).to(rows.device)
    if not side:
        return {name: values[rows] for name, values in bucket.cells.items()} | {"sizes": sizes}
    corners = face_windows(bucket.boxes[rows], (height, width), side, generator, spread)
    sizes[:, 2:4], sizes[:, 4:] = corners * FACTOR, side
    line = torch.arange(side // FACTOR, device=rows.device)
    y, x = (corners[:, axis, None] + line for axis in (0, 1))
    cut = {
        name: values[rows[:, None, None], :, y[:, :, None], x[:, None]].movedim(-1, 1).contiguous()
        for name, values in bucket.cells.items()
    }
    return cut | {"sizes": sizes}


def face_windows(
    boxes: torch.Tensor,
    extent: tuple[int, int],
    side: int,
    generator: torch.Generator,
    spread: float = BatchSettings.window_spread,
) -> torch.Tensor:
    """Corners of square windows, most of them about a face: [B, 2], top and left, in latent cells.

    boxes: faces of each picture, [B, P, 4] pixels. extent: height and width, and side: pixels.
    spread: as in `BatchSettings`.
    """
    count, device = len(boxes), boxes.device
    drawn = torch.rand(count, 4, generator=generator, device=device)
    face = (drawn[:, 3] * boxes.shape[1]).long().clamp(max=boxes.shape[1] - 1)
    middle = boxes[torch.arange(count, device=device), face].view(-1, 2, 2).mean(1).flip(1)
    room = torch.tensor(extent, device=device) - side
    corners = middle + (drawn[:, :2] - 0.5) * side * spread - side / 2
    corners = torch.minimum(corners.clamp(min=0), room)
    corners = torch.where(drawn[:, 2:3] < SHARE_AT_FACES, corners, drawn[:, :2] * room)
    return (corners / FACTOR).round().long()


def others_of(people: torch.Tensor, rows: torch.Tensor, generator: torch.Generator) -> torch.Tensor:
    """For some of the pictures that show `people` [N] another one of the same person each, or the
    same where there is no other."""
    order = people.argsort(stable=True)
    ordered, wanted = people[order], people[rows]
    start = torch.searchsorted(ordered, wanted)
    size = torch.searchsorted(ordered, wanted, right=True) - start
    rank = order.argsort()[rows] - start
    drawn = torch.rand(len(rows), generator=generator, device=rows.device)
    chosen = torch.minimum((drawn * (size - 1)).long(), size - 2)
    chosen = chosen + (chosen >= rank).long()
    return order[start + torch.where(size > 1, chosen, rank)]


def diffusion_parser(purpose: str | None, **defaults: Any) -> argparse.ArgumentParser:
    """The command line of a training that predicts noise."""
    parser = training_parser(purpose)
    add_album_arguments(parser)
    add_options(parser, BatchSettings, weighting=WEIGHTINGS)
    parser.add_argument(
        "--face-weight", type=float, default=1.0, help="of the loss at a face; the paper: 1"
    )
    parser.set_defaults(**defaults)
    return parser
