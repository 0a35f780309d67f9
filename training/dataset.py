"""Albums: many painted pictures with all that is known of them, painted once and kept on disk."""

from __future__ import annotations

import argparse
import multiprocessing
import os
from collections.abc import Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np

from .world import (
    ATTRIBUTES,
    BACKGROUNDS,
    HELD_OUT,
    STYLES,
    TRAINING,
    Scene,
    caption,
    paint,
    random_scene,
)
from .world.scenes import SIDE

PART = 250
"""Pictures that one process paints at once."""


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
    attributes: np.ndarray
    """[N, 5] bool, in the order of ATTRIBUTES: of the first person."""
    named: np.ndarray
    """[N] bool: whether captions name them."""

    @property
    def captions(self) -> list[str]:
        """One text per picture."""
        people = self.identities.shape[1]
        words = [
            np.array(ATTRIBUTES)[row].tolist() for row in self.attributes & self.named[:, None]
        ]
        return [
            caption(STYLES[style], BACKGROUNDS[background], people, seen)
            for style, background, seen in zip(self.styles, self.backgrounds, words, strict=True)
        ]

    def __len__(self) -> int:
        return len(self.images)


def joined(albums: Sequence[Album]) -> Album:
    """One album of several whose pictures have one size and as many people."""
    names = vars(albums[0])
    return Album(**{name: np.concatenate([vars(a)[name] for a in albums]) for name in names})


def load_or_paint(
    folder: Path,
    count: int,
    seed: int,
    size: tuple[int, int] = (SIDE, SIDE),
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
    path = folder / f"album-{count}-{seed}-{width}x{height}-{people}-{first}-{last}.npz"
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
        np.array([[name in s.people[0].attributes for name in ATTRIBUTES] for s in scenes]),
        np.array([scene.named and len(scene.people) == 1 for scene in scenes]),
    )


def paint_by(workers: int, scenes: Sequence[Scene]) -> Album:
    """Paints scenes in as many processes."""
    if workers == 1:
        return paint_album(scenes)
    parts = [scenes[start : start + PART] for start in range(0, len(scenes), PART)]
    # A process that is a copy of this one would hold locks of threads that it does not have.
    context = multiprocessing.get_context("spawn")
    with ProcessPoolExecutor(workers, context, cv2.setNumThreads, (1,)) as pool:
        return joined(list(pool.map(paint_album, parts)))


def add_picture_arguments(parser: argparse.ArgumentParser) -> None:
    """The command line's numbers of pictures, for `painted`."""
    parser.add_argument("--pictures", type=int, default=20_000)
    parser.add_argument("--held-out-pictures", type=int, default=1_500)
    parser.add_argument("--album-seed", type=int, default=1)
    parser.add_argument("--workers", type=int, default=1, help="processes that paint albums")


def painted(arguments: argparse.Namespace) -> tuple[Album, Album]:
    """The run's albums of one person a picture: to learn from, and of held-out people."""
    folder, seed, workers = arguments.folder / "albums", arguments.album_seed, arguments.workers
    album = load_or_paint(folder, arguments.pictures, seed, workers=workers)
    few = arguments.held_out_pictures
    return album, load_or_paint(folder, few, 4, numbers=HELD_OUT, workers=workers)
