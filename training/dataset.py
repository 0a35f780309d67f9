"""Albums: many painted pictures with all that is known of them, painted once and kept on disk.

They are aspect buckets: each batch comes from one picture size, as in SDXL's training.
"""

from __future__ import annotations

import argparse
import multiprocessing
import os
from collections.abc import Iterable, Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np
import torch

from .world import BACKGROUNDS, HELD_OUT, STYLES, TRAINING, Scene, paint, random_scene
from .world.scenes import SIDE

PART = 250
"""Pictures that one process paints at once."""
SQUARE, WIDE = (SIDE, SIDE), (3 * SIDE // 2, SIDE)
KINDS = {"single": (SQUARE, 1), "pairs": (WIDE, 2), "wide": (WIDE, 1)}
"""Width and height in pixels, and number of people, of each kind of pictures."""


@dataclass(frozen=True)
class Album:
    """N pictures of one size with P people each."""

    images: np.ndarray
    """[N, H, W, 3] RGB, uint8."""
    keypoints: np.ndarray
    """[N, P, 5, 2] pixels, float32, in insightface's order."""
    boxes: np.ndarray
    """[N, P, 4] pixels x0, y0, x1, y1, float32."""
    identities: np.ndarray
    """[N, P] int64."""
    styles: np.ndarray
    """[N] int64, indices into STYLES."""
    backgrounds: np.ndarray
    """[N] int64, indices into BACKGROUNDS."""
    captions: np.ndarray
    """[N] texts."""

    def __len__(self) -> int:
        return len(self.images)


def load_or_paint(
    folder: Path,
    count: int,
    seed: int,
    size: tuple[int, int] = SQUARE,
    people: int = 1,
    numbers: Sequence[int] = TRAINING,
    workers: int = 1,
) -> Album:
    """The album of these settings, from `folder` if it is there, else painted and kept there.

    size: width and height in pixels. numbers: identities to choose from. workers: processes that
    paint; their number changes nothing in the album.
    """
    width, height = size
    first, last = numbers[0], numbers[-1]
    path = folder / f"pictures-{count}-{seed}-{width}x{height}-{people}-{first}-{last}.npz"
    if not path.exists():
        folder.mkdir(parents=True, exist_ok=True)
        album = paint_by(workers, random_scenes(count, seed, size, people, numbers))
        partial = path.with_suffix(f".{os.getpid()}.partial")
        with partial.open("wb") as file:
            np.savez(file, **vars(album))
        partial.replace(path)
    with np.load(path) as stored:
        return Album(**{name: stored[name] for name in stored.files})


def random_scenes(
    count: int, seed: int, size: tuple[int, int], people: int, numbers: Sequence[int]
) -> list[Scene]:
    """`count` scenes that depend on the arguments alone."""
    rng = np.random.default_rng((seed, people, *size))
    return [random_scene(rng, numbers, *size, people=people) for _ in range(count)]


def paint_album(scenes: Sequence[Scene]) -> Album:
    """Paints scenes of one size with one number of people."""
    paintings = [paint(scene) for scene in scenes]
    return Album(
        np.stack([painting.image for painting in paintings]),
        np.stack([painting.keypoints for painting in paintings]),
        np.stack([painting.boxes for painting in paintings]),
        np.array([[person.identity for person in scene.people] for scene in scenes]),
        np.array([STYLES.index(scene.style) for scene in scenes]),
        np.array([BACKGROUNDS.index(scene.background) for scene in scenes]),
        np.array([scene.caption for scene in scenes]),
    )


def paint_by(workers: int, scenes: Sequence[Scene]) -> Album:
    """Paints scenes in as many processes."""
    if workers == 1:
        return paint_album(scenes)
    parts = [scenes[start : start + PART] for start in range(0, len(scenes), PART)]
    # A process that is a copy of this one would hold locks of threads that it does not have.
    context = multiprocessing.get_context("spawn")
    with ProcessPoolExecutor(workers, context, cv2.setNumThreads, (1,)) as pool:
        albums = list(pool.map(paint_album, parts))
    names = vars(albums[0])
    return Album(**{name: np.concatenate([vars(a)[name] for a in albums]) for name in names})


def load_album(arguments: argparse.Namespace, kind: str, held_out: bool = False) -> Album:
    """The run's album of a kind, of people to learn from or of held-out ones."""
    folder, (size, people), workers = arguments.folder / "albums", KINDS[kind], arguments.workers
    if held_out:
        few = arguments.held_out_pictures
        return load_or_paint(folder, few, 4, size, people, HELD_OUT, workers)
    count, seed = getattr(arguments, kind), arguments.album_seed
    return load_or_paint(folder, count, seed, size, people, workers=workers)


def load_albums(arguments: argparse.Namespace) -> Iterator[tuple[str, Album]]:
    """The run's albums by kind, one at a time; those of no pictures are left out."""
    for kind in KINDS:
        if getattr(arguments, kind):
            yield kind, load_album(arguments, kind)


def remembered(kept: Path, source: Path, count: int, parts: Iterable[np.ndarray]) -> torch.Tensor:
    """The array in the file `kept`, mapped; written first if `source` is newer than it.

    parts: its `count` rows, some at a time. They are not asked for where the file is good.
    """
    if not kept.exists() or kept.stat().st_mtime < source.stat().st_mtime:
        kept.parent.mkdir(parents=True, exist_ok=True)
        partial, values, place = kept.with_suffix(f".{os.getpid()}.part"), None, 0
        for part in parts:
            if values is None:
                shape = (count, *part.shape[1:])
                values = np.lib.format.open_memmap(partial, "w+", part.dtype, shape)
            values[place : place + len(part)] = part
            place += len(part)
        del values
        partial.replace(kept)
    # Copy on write: torch takes no array that may not be written to.
    return torch.from_numpy(np.load(kept, mmap_mode="c"))


def add_album_arguments(parser: argparse.ArgumentParser) -> None:
    """The command line's numbers of pictures of each kind."""
    for kind, count in (("single", 6000), ("pairs", 1500), ("wide", 0)):
        parser.add_argument(f"--{kind}", type=int, default=count)


class Lots:
    """Draws batches of pictures: which of several albums, and which of its pictures."""

    def __init__(self, counts: dict[str, int], batch: int, device: torch.device) -> None:
        self.counts, self.batch = counts, batch
        self.own = torch.Generator(device)
        """On the device, for all that a batch draws there; each batch begins it anew."""

    def draw(self, generator: torch.Generator) -> tuple[str, torch.Tensor]:
        """A kind, by its share of the pictures, and rows of it [batch] on the device.

        generator: the step's, on the CPU, so that the choice of shapes waits for no device.
        """
        shares = torch.tensor([float(count) for count in self.counts.values()])
        kind = list(self.counts)[int(torch.multinomial(shares, 1, generator=generator))]
        self.own.manual_seed(int(torch.randint(1 << 62, (), generator=generator)))
        size, device = (self.batch,), self.own.device
        return kind, torch.randint(self.counts[kind], size, generator=self.own, device=device)


def pictures_of(images: torch.Tensor) -> torch.Tensor:
    """[B, H, W, 3] uint8 -> [B, 3, H, W] float32 in -1..1, channels last in memory."""
    return images.movedim(-1, 1).float().div_(127.5).sub_(1)
