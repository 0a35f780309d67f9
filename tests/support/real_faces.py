"""The folder of real faces, if there is one, and how its photographs are read and turned."""

from __future__ import annotations

import itertools
import os
import re
from collections.abc import Iterator
from pathlib import Path

import numpy as np

VARIABLE = "INSTANTID_COMPOSE_REAL_FACES"
REPOSITORY = Path(__file__).resolve().parents[2]


def real_faces_folder() -> Path | None:
    """The folder that the variable names, or the one beside the checkout; None without either."""
    named = os.environ.get(VARIABLE)
    folder = Path(named) if named else REPOSITORY.parent / "shared" / "real"
    return folder if (folder / "photos").is_dir() else None


class Photos:
    """Photographs by the names of their files, without endings."""

    def __init__(self, folder: Path) -> None:
        files = sorted(each for each in folder.iterdir() if each.suffix in (".jpg", ".png"))
        self._files = {each.stem: each for each in files}
        self.names = tuple(self._files)

    def __getitem__(self, name: str) -> np.ndarray:
        """[H, W, 3] uint8 RGB."""
        from PIL import Image

        return np.asarray(Image.open(self._files[name]).convert("RGB"))

    def pairs(self) -> Iterator[tuple[str, str, bool]]:
        """Every two photos of numbered persons, and whether they are of one."""
        people = {name: re.fullmatch(r"(\D+)\d+", name) for name in self.names}
        known = {name: match[1] for name, match in people.items() if match}
        for one, other in itertools.combinations(known, 2):
            yield one, other, known[one] == known[other]


def turned(rgb: np.ndarray, angle: float) -> np.ndarray:
    """The picture turned counter-clockwise by degrees, on a canvas that holds all of it."""
    import cv2

    if angle % 90 == 0:
        return np.ascontiguousarray(np.rot90(rgb, round(angle / 90)))
    height, width = rgb.shape[:2]
    matrix = cv2.getRotationMatrix2D((width / 2, height / 2), angle, 1)
    across, along = abs(matrix[0, 0]), abs(matrix[0, 1])
    size = int(height * along + width * across), int(height * across + width * along)
    matrix[:, 2] += np.array(size) / 2 - (width / 2, height / 2)
    return cv2.warpAffine(rgb, matrix, size, flags=cv2.INTER_CUBIC)


def panorama(rgb: np.ndarray, times: int, longest: int = 6000) -> tuple[np.ndarray, np.ndarray]:
    """The picture in one that is so many times as wide, and the same without that; shrunk so that
    the panorama has no more than `longest` pixels across."""
    import cv2

    scale = min(1.0, longest / (times * rgb.shape[1]))
    size = round(rgb.shape[1] * scale), round(rgb.shape[0] * scale)
    alone = cv2.resize(rgb, size, interpolation=cv2.INTER_AREA)
    wide = np.full((size[1], size[0] * times, 3), 128, np.uint8)
    left = int(size[0] * times * 0.6)
    wide[:, left : left + size[0]] = alone
    return wide, alone


def cosine(one: np.ndarray, other: np.ndarray) -> float:
    """Of two embeddings."""
    return float(one @ other / np.linalg.norm(one) / np.linalg.norm(other))
