"""The recogniser's raw embeddings of all faces of an album, computed once."""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator
from pathlib import Path

import numpy as np
import torch

from instantid_core.libraries import CPU, import_runtime

from .alignment import crops
from .dataset import Album

BATCH = 64


def album_embeddings(album: Album, recogniser: Path, kept: Path) -> torch.Tensor:
    """[N, 512] float32 of an album with one person a picture, by its own keypoints.

    recogniser: the ONNX file. kept: where the result stays for the next run.
    """
    points = album.keypoints[:, 0]
    return remembered(kept, recogniser, len(album), embedded(album.images, points, recogniser))


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


def embedded(images: np.ndarray, keypoints: np.ndarray, recogniser: Path) -> Iterator[np.ndarray]:
    """Pictures [N, H, W, 3] uint8 RGB and keypoints [N, 5, 2] -> raw embeddings, [b, 512] each."""
    session = import_runtime().InferenceSession(str(recogniser), providers=[CPU])
    entrance = session.get_inputs()[0]
    batch = entrance.shape[0] if isinstance(entrance.shape[0], int) else BATCH
    for start in range(0, len(images), batch):
        aligned = crops(images[start : start + batch], keypoints[start : start + batch])
        blob = (aligned.transpose(0, 3, 1, 2).astype(np.float32) - 127.5) / 127.5
        yield session.run(None, {entrance.name: np.ascontiguousarray(blob)})[0]
