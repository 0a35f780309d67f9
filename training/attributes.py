"""Attributes of painted people, such as glasses, and the crops that a classifier sees."""

from __future__ import annotations

from collections.abc import Callable, Mapping

import cv2
import numpy as np

from .alignment import similarities
from .world import Identity

SIDE = 64
"""Pixels of a side of the crops."""
TO_HEAD = np.array([[0.3, 0.0, 15.2], [0.0, 0.3, 14.0], [0.0, 0.0, 1.0]])
"""From a recogniser's crop of 112 pixels to one of `SIDE` that shows hair and chin, too."""
ATTRIBUTES: Mapping[str, Callable[[Identity], bool]] = {
    "glasses": lambda person: person.glasses != "no",
    "old": lambda person: person.age == "old",
    "dark skin": lambda person: person.tone > 0.5,
    "beard": lambda person: person.beard != "no",
}
"""Names, and whether a person has it."""
OF_ONE_KIND: Mapping[str, Callable[[Identity], bool]] = {
    "glasses": lambda person: person.glasses != "dark",
    "beard": lambda person: person.beard in ("no", "full"),
}
"""Of an attribute of several kinds: whether a person has the kind that its direction leads to, or
none. Glasses are those without dark lenses. What full beards, moustaches and goatees add to
embeddings lies at cosines of -0.32 to 0.39, so that the mean of all three leads to none of them."""
HELD: Mapping[str, str] = {"old": "dark skin", "dark skin": "old"}
"""By an attribute, the one that is held while a face is edited: the recogniser mixes the two up,
their directions have a cosine of 0.23."""


def head_crops(images: np.ndarray, keypoints: np.ndarray) -> np.ndarray:
    """Pictures [N, H, W, 3] uint8 and keypoints [N, 5, 2] -> [N, 64, 64, 3] uint8."""
    found = []
    for image, matrix in zip(images, similarities(keypoints), strict=True):
        to_head = (TO_HEAD @ np.vstack([matrix, [0, 0, 1]]))[:2]
        found.append(cv2.warpAffine(image, to_head, (SIDE, SIDE), borderMode=cv2.BORDER_REPLICATE))
    return np.stack(found)
