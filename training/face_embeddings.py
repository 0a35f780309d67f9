"""The recogniser's raw embeddings of all faces of an album, computed once."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import torch

from instantid_core.libraries import CPU, import_runtime

from .alignment import crops

if TYPE_CHECKING:
    from .dataset import Album

BATCH = 64


def album_embeddings(album: Album, recogniser: Path, kept: Path) -> torch.Tensor:
    """[N, 512] float32 of an album with one person a picture, by its own keypoints.

    recogniser: the ONNX file. kept: where the result stays for the next run.
    """
    return remembered(
        kept, recogniser, lambda: embed(album.images, album.keypoints[:, 0], recogniser)
    )


def remembered(kept: Path, source: Path, compute: Callable[[], np.ndarray]) -> torch.Tensor:
    """The array in the file `kept`; computed and written first if `source` is newer than it."""
    if not kept.exists() or kept.stat().st_mtime < source.stat().st_mtime:
        found = compute()
        kept.parent.mkdir(parents=True, exist_ok=True)
        part = kept.with_suffix(f".{os.getpid()}.part")
        with part.open("wb") as file:
            np.save(file, found)
        part.replace(kept)
    return torch.from_numpy(np.load(kept))


def embed(images: np.ndarray, keypoints: np.ndarray, recogniser: Path) -> np.ndarray:
    """Pictures [N, H, W, 3] uint8 RGB and keypoints [N, 5, 2] -> raw embeddings [N, 512]."""
    session = import_runtime().InferenceSession(str(recogniser), providers=[CPU])
    entrance = session.get_inputs()[0]
    batch = entrance.shape[0] if isinstance(entrance.shape[0], int) else BATCH
    parts = []
    for start in range(0, len(images), batch):
        aligned = crops(images[start : start + batch], keypoints[start : start + batch])
        blob = (aligned.transpose(0, 3, 1, 2).astype(np.float32) - 127.5) / 127.5
        parts.append(session.run(None, {entrance.name: np.ascontiguousarray(blob)})[0])
    return np.concatenate(parts)
