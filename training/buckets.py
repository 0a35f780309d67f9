"""Albums as aspect buckets: each batch comes from one picture size, as in SDXL's training."""

from __future__ import annotations

import argparse
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import torch

if TYPE_CHECKING:
    from .dataset import Album

SQUARE = (192, 192)
WIDE = (288, 192)
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
    workers: int = 1
    """Processes that paint."""

    @property
    def kinds(self) -> tuple[str, ...]:
        """The kinds of which there are pictures."""
        return tuple(kind for kind in KINDS if getattr(self, kind))


def load_album(folder: Path, kind: str, sizes: AlbumSizes) -> Album:
    """The run's album of a kind: `single`, `pairs` or `wide`."""
    from .dataset import load_or_paint

    size = SQUARE if kind == "single" else WIDE
    people = 2 if kind == "pairs" else 1
    count, workers = getattr(sizes, kind), sizes.workers
    return load_or_paint(folder / "albums", count, sizes.seed, size, people, workers=workers)


def load_albums(folder: Path, sizes: AlbumSizes) -> dict[str, Album]:
    """The run's albums by kind; those of no pictures are left out."""
    return {kind: load_album(folder, kind, sizes) for kind in sizes.kinds}


class Lots:
    """Draws batches of pictures: which of several albums, and which of its pictures."""

    def __init__(self, counts: dict[str, int], batch: int, device: torch.device) -> None:
        self.counts, self.batch = counts, batch
        self.kinds = list(counts)
        self.shares = torch.tensor([float(count) for count in counts.values()])
        self.own = torch.Generator(device)
        """On the device, for all that a batch draws there; each batch begins it anew."""

    def draw(self, generator: torch.Generator) -> tuple[str, torch.Tensor]:
        """A kind, by its share of the pictures, and rows of it [batch] on the device.

        generator: the step's, on the CPU, so that the choice of shapes waits for no device.
        """
        kind = self.kinds[int(torch.multinomial(self.shares, 1, generator=generator))]
        self.own.manual_seed(int(torch.randint(1 << 62, (), generator=generator)))
        size, device = (self.batch,), self.own.device
        return kind, torch.randint(self.counts[kind], size, generator=self.own, device=device)


def pictures_of(images: torch.Tensor) -> torch.Tensor:
    """[B, H, W, 3] uint8 -> [B, 3, H, W] float32 in -1..1, channels last in memory."""
    return images.movedim(-1, 1).float().div_(127.5).sub_(1)


def add_album_arguments(parser: argparse.ArgumentParser) -> None:
    """The command line's sizes of the albums."""
    defaults = AlbumSizes()
    parser.add_argument("--single", type=int, default=defaults.single)
    parser.add_argument("--pairs", type=int, default=defaults.pairs)
    parser.add_argument("--wide", type=int, default=defaults.wide)
    parser.add_argument("--album-seed", type=int, default=defaults.seed)
    parser.add_argument("--workers", type=int, default=1, help="processes that paint albums")


def album_sizes(given: argparse.Namespace) -> AlbumSizes:
    """Sizes from the command line."""
    return AlbumSizes(given.single, given.pairs, given.wide, given.album_seed, given.workers)
