"""Pictures of likeness: crops with bars, and a matrix in colours."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import torch

from ..images import batch_of
from ..libraries import import_cv2
from ..types import Box
from .bands import ANOTHER, COPY, MODERATE, SAME, STRONG, UNSURE, WEAK
from .likeness import Comparison, Likeness

BAND_COLOURS = {
    **{COPY: (90, 160, 230), STRONG: (80, 200, 100), MODERATE: (230, 180, 60), WEAK: (220, 90, 80)},
    **{SAME: (80, 200, 100), UNSURE: (230, 180, 60), ANOTHER: (220, 90, 80)},
}
BACKGROUND, EMPTY, INK = (32, 32, 36), (70, 70, 76), (240, 240, 240)
CROP, GAP, BAR, BAR_HEIGHT, WORDS = 96, 8, 240, 24, 260
"""Pixels."""
ROWS_A_COLUMN = 12
CELL, SMALLEST_CELL, LARGEST_MATRIX = 72, 6, 1440
LABELS, HEAD, LETTERS = 128, 32, 11
"""Room left of a matrix and above it, in pixels, and across a cell, in letters."""
MARGIN = 1.4
"""Side of a crop, in longer sides of the face's box."""


def face_crop(frame: np.ndarray, box: Box | None, edge: int = CROP) -> np.ndarray | None:
    """A square of `edge` pixels around a face; without a box the whole picture, letterboxed.

    frame: [H, W, 3] uint8. What lies outside the picture is left plain. None for a box that is
    empty, not a number, or outside the picture.
    """
    height, width = frame.shape[:2]
    if box is None:
        box, side = Box(0, 0, width, height), float(max(width, height))
    else:
        side = MARGIN * max(box.width, box.height)
    if not (np.isfinite(box).all() and side >= 1):
        return None
    x, y = (round(middle - side / 2) for middle in box.centre)
    reach = max(1, round(side))
    top, bottom, left, right = max(0, y), min(height, y + reach), max(0, x), min(width, x + reach)
    if top >= bottom or left >= right:
        return None
    square = _plain(reach, reach, EMPTY)
    square[top - y : bottom - y, left - x : right - x] = frame[top:bottom, left:right]
    cv2 = import_cv2()
    how = cv2.INTER_AREA if reach >= edge else cv2.INTER_CUBIC
    return cv2.resize(square, (edge, edge), interpolation=how)


def score_sheet(
    frames: Sequence[np.ndarray],
    likenesses: Sequence[Likeness],
    reference: np.ndarray | None = None,
) -> torch.Tensor:
    """Every picture's face with its bar, the reference's crop above them.

    frames: [H, W, 3] uint8, one for each likeness. reference: a crop of `face_crop`. Returns
    [1, H, W, 3] float32, 0..1.
    """
    step, width = CROP + GAP, CROP + BAR + WORDS + 4 * GAP
    head = 0 if reference is None else step
    columns = -(-len(likenesses) // ROWS_A_COLUMN)
    rows = min(len(likenesses), ROWS_A_COLUMN)
    sheet = _plain(head + rows * step + GAP, columns * width, BACKGROUND)
    if reference is not None:
        _paste(sheet, reference, GAP, GAP)
        _write(sheet, "reference", 2 * GAP + CROP, GAP + CROP // 2)
    for number, (frame, found) in enumerate(zip(frames, likenesses, strict=True)):
        column, row = divmod(number, ROWS_A_COLUMN)
        crop = None if found.face is None else face_crop(frame, found.face.box)
        left, top = column * width + GAP, head + row * step + GAP
        _paste(sheet, _plain(CROP, CROP, EMPTY) if crop is None else crop, left, top)
        _draw_bar(sheet, found, f"{number + 1}: {found.text}", left + CROP + GAP, top + CROP // 2)
    return batch_of([sheet])


def result_crops(
    frames: Sequence[np.ndarray], likenesses: Sequence[Likeness], edge: int = CROP
) -> tuple[np.ndarray, ...]:
    """The faces [edge, edge, 3] that the figures are about; where there is none, the picture."""
    boxes = (None if found.face is None else found.face.box for found in likenesses)
    crops = (face_crop(frame, box, edge) for frame, box in zip(frames, boxes, strict=True))
    return tuple(_plain(edge, edge, EMPTY) if crop is None else crop for crop in crops)


def matrix_sheet(comparison: Comparison) -> torch.Tensor:
    """The cosines as coloured cells, with figures where there is room for them.

    Returns [1, H, W, 3] float32, 0..1.
    """
    count = len(comparison.labels)
    cell = max(SMALLEST_CELL, min(CELL, LARGEST_MATRIX // count))
    sheet = _plain(HEAD + count * cell + GAP, LABELS + count * cell + GAP, BACKGROUND)
    for i, label in enumerate(comparison.labels):
        top = HEAD + i * cell
        if cell == CELL:
            _write(sheet, label, GAP, top + cell // 2)
            _write(sheet, _ending(label, LETTERS), LABELS + i * cell, HEAD // 2, 0.4)
        for j, cosine in enumerate(comparison.cosines[i].tolist()):
            left = LABELS + j * cell
            shade = _shade(cosine, comparison.bands.of_photos(cosine))
            sheet[top : top + cell - 1, left : left + cell - 1] = shade
            if cell == CELL:
                _write(sheet, f"{cosine:.2f}", left + GAP, top + cell // 2, 0.6)
    return batch_of([sheet])


def _draw_bar(sheet: np.ndarray, found: Likeness, label: str, left: int, middle: int) -> None:
    top, bottom = middle - BAR_HEIGHT // 2, middle + BAR_HEIGHT // 2
    sheet[top:bottom, left : left + BAR] = EMPTY
    if found.cosine is not None and found.band:
        length = round(BAR * max(0.0, found.cosine))
        sheet[top:bottom, left : left + length] = BAND_COLOURS[found.band]
    for limit in (found.bands.same, found.bands.typical, found.bands.copy):
        mark = left + round(BAR * limit)
        sheet[top - 4 : bottom + 4, mark : mark + 1] = INK
    _write(sheet, label, left + BAR + GAP, middle)


def _shade(cosine: float, band: str) -> tuple[int, ...]:
    """The band's colour, darker the smaller the cosine."""
    strength = 0.25 + 0.5 * max(0.0, cosine)
    return tuple(round(level * strength) for level in BAND_COLOURS[band])


def _ending(text: str, length: int) -> str:
    return text if len(text) <= length else ".." + text[2 - length :]


def _plain(height: int, width: int, colour: tuple[int, ...]) -> np.ndarray:
    return np.full((height, width, 3), colour, np.uint8)


def _paste(sheet: np.ndarray, tile: np.ndarray, left: int, top: int) -> None:
    sheet[top : top + tile.shape[0], left : left + tile.shape[1]] = tile


def _write(sheet: np.ndarray, text: str, left: int, middle: int, size: float = 0.5) -> None:
    cv2 = import_cv2()
    base = middle + round(10 * size)
    font, line = cv2.FONT_HERSHEY_SIMPLEX, cv2.LINE_AA
    cv2.putText(sheet, text, (left, base), font, size, INK, 1, line)
