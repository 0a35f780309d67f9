"""Albums as aspect buckets: each batch comes from one picture size, as in SDXL's training."""

from __future__ import annotations

import argparse
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import torch

from .networks.autoencoder import FACTOR

if TYPE_CHECKING:
    from .dataset import Album

SQUARE = (192, 192)
WIDE = (288, 192)
SHARE_AT_FACES = 0.8
"""Of windows; the others lie anywhere."""
KINDS = ("single", "pairs", "wide")


@dataclass(frozen=True)
class AlbumSizes:
    """Numbers of pictures of each kind that a run paints, and their seed."""

    single: int = 6000
    pairs: int = 1500
    """Two people, 288 x 192."""
    wide: int = 0
    """One person, 288 x 192."""
    seed: int = 1

    @property
    def kinds(self) -> tuple[str, ...]:
        """The kinds of which there are pictures."""
        return tuple(kind for kind in KINDS if getattr(self, kind))


def load_album(folder: Path, kind: str, sizes: AlbumSizes) -> Album:
    """The run's album of a kind: `single`, `pairs` or `wide`."""
    from .dataset import load_or_paint

    size = SQUARE if kind == "single" else WIDE
    people = 2 if kind == "pairs" else 1
    count = getattr(sizes, kind)
    return load_or_paint(folder / "albums", count, sizes.seed, size=size, people=people)


def load_albums(folder: Path, sizes: AlbumSizes) -> dict[str, Album]:
    """The run's albums by kind; those of no pictures are left out."""
    return {kind: load_album(folder, kind, sizes) for kind in sizes.kinds}


def choose(
    counts: dict[str, int], batch: int, generator: torch.Generator
) -> tuple[str, torch.Tensor]:
    """A bucket, by its share of the pictures, and `batch` indices into it."""
    kinds = list(counts)
    shares = torch.tensor([float(counts[kind]) for kind in kinds])
    kind = kinds[int(torch.multinomial(shares, 1, generator=generator))]
    return kind, torch.randint(counts[kind], (batch,), generator=generator)


def face_windows(
    boxes: np.ndarray, extent: tuple[int, ...], side: int, generator: torch.Generator
) -> np.ndarray:
    """Corners of square windows, most of them about a face: [B, 2], top and left, in latent cells.

    boxes: one face for each picture, [B, 4] pixels. extent: height and width, and side: pixels.
    """
    drawn = torch.rand(len(boxes), 3, generator=generator).numpy()
    room = np.array(extent) - side
    middle = boxes.reshape(-1, 2, 2).mean(1)[:, ::-1] + (drawn[:, :2] - 0.5) * side * 0.6
    corners = np.clip(middle - side / 2, 0, room)
    corners = np.where(drawn[:, 2:] < SHARE_AT_FACES, corners, drawn[:, :2] * room)
    return (corners / FACTOR).round().astype(np.int64)


def cut(values: Any, corners: np.ndarray, side: int, axis: int = 2) -> Any:
    """Windows of arrays or tensors [B, ..., H, W, ...] whose height is at `axis`: one for each."""
    before = (slice(None),) * (axis - 1)
    parts = [
        value[(*before, slice(top, top + side), slice(left, left + side))]
        for value, (top, left) in zip(values, corners.tolist(), strict=True)
    ]
    return np.stack(parts) if isinstance(values, np.ndarray) else torch.stack(parts)


def pictures_of(images: torch.Tensor) -> torch.Tensor:
    """[B, H, W, 3] uint8 -> [B, 3, H, W] float32 in -1..1, channels last in memory."""
    return images.movedim(-1, 1).float().div_(127.5).sub_(1)


def add_album_arguments(parser: argparse.ArgumentParser, defaults: AlbumSizes) -> None:
    """The command line's sizes of the albums."""
    parser.add_argument("--single", type=int, default=defaults.single)
    parser.add_argument("--pairs", type=int, default=defaults.pairs)
    parser.add_argument("--wide", type=int, default=defaults.wide)
    parser.add_argument("--album-seed", type=int, default=defaults.seed)


def album_sizes(arguments: argparse.Namespace) -> AlbumSizes:
    """Sizes from the command line."""
    return AlbumSizes(arguments.single, arguments.pairs, arguments.wide, arguments.album_seed)
