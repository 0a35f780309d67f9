"""Contact sheet: a reference beside rows of pictures, with captions.

Needs Pillow alone, so that any Python that runs ComfyUI can draw it.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from PIL import Image, ImageDraw, ImageFont

SMALLEST_TILE = 192
"""Pixels of the longer side of a tile; smaller pictures are enlarged to it without smoothing."""
LARGEST_TILE = 320
GAP, LINE = 10, 24
"""Pixels between tiles, and height of a line of text."""
LETTERS = 15
"""Pixels."""
PAPER, INK, SOFT = (255, 255, 255), (29, 36, 48), (91, 102, 117)


@dataclass(frozen=True)
class Captions:
    """Captions of a sheet."""

    columns: Sequence[str]
    """Over the columns."""
    rows: Sequence[str]
    """Over each row."""
    under: Sequence[Sequence[str]]
    """Under each picture, such as its likeness; rows and columns as the pictures."""
    reference: str = "reference"


def contact_sheet(
    reference: Image.Image, pictures: Sequence[Sequence[Image.Image]], captions: Captions
) -> Image.Image:
    """A reference at the left, and rows of pictures at its right, such as with and without.

    All rows have one length, and captions fit them; ValueError otherwise. Pictures are brought to
    one tile size by the first of them, small ones enlarged by a whole factor, and letterboxed
    where their shape differs.
    """
    _require_fit(pictures, captions)
    tile = tile_size(pictures[0][0].size)
    width, height = tile
    step_x, step_y = width + GAP, height + 2 * LINE + GAP
    columns = len(pictures[0])
    size = (GAP + (columns + 1) * step_x, GAP + LINE + len(pictures) * step_y)
    sheet = Image.new("RGB", size, PAPER)
    draw = ImageDraw.Draw(sheet)
    top = GAP + 2 * LINE
    _place(sheet, draw, reference, captions.reference, (GAP, top), tile)
    for number, label in enumerate(captions.columns):
        _words(draw, label, GAP + (number + 1) * step_x + width / 2, GAP + LINE / 2, INK)
    for row, images in enumerate(pictures):
        y = top + row * step_y
        draw.text((GAP + step_x, y - LINE), captions.rows[row], fill=INK, font=_font())
        for column, image in enumerate(images):
            corner = (GAP + (column + 1) * step_x, y)
            _place(sheet, draw, image, captions.under[row][column], corner, tile)
    return sheet


def tile_size(size: tuple[int, int]) -> tuple[int, int]:
    """Width and height of a tile for pictures of a size: a whole multiple of small ones."""
    longest = max(size)
    if longest < SMALLEST_TILE:
        factor = -(-SMALLEST_TILE // longest)
        return size[0] * factor, size[1] * factor
    scale = min(1.0, LARGEST_TILE / longest)
    return max(1, round(size[0] * scale)), max(1, round(size[1] * scale))


def _require_fit(pictures: Sequence[Sequence[Image.Image]], captions: Captions) -> None:
    columns = len(captions.columns)
    shapes = [len(row) for row in pictures], [len(row) for row in captions.under]
    wanted = [columns] * len(captions.rows)
    if not columns or not wanted or shapes != (wanted, wanted):
        raise ValueError(
            f"A sheet of {len(wanted)} rows and {columns} columns, as the captions name them, "
            f"needs that many pictures and words under them; found rows of {shapes[0]} pictures "
            f"and of {shapes[1]} words."
        )


def _place(
    sheet: Image.Image,
    draw: ImageDraw.ImageDraw,
    image: Image.Image,
    words: str,
    corner: tuple[int, int],
    tile: tuple[int, int],
) -> None:
    """Draws a picture, centred, into the tile at `corner`, and a caption below it."""
    scale = min(tile[0] / image.width, tile[1] / image.height)
    size = max(1, round(image.width * scale)), max(1, round(image.height * scale))
    smooth = Image.Resampling.LANCZOS if scale < 1 else Image.Resampling.NEAREST
    small = image.convert("RGB").resize(size, smooth)
    left, top = corner
    sheet.paste(small, (left + (tile[0] - size[0]) // 2, top + (tile[1] - size[1]) // 2))
    _words(draw, words, left + tile[0] / 2, top + tile[1] + LINE / 2, SOFT)


def _words(
    draw: ImageDraw.ImageDraw, words: str, x: float, y: float, colour: tuple[int, int, int]
) -> None:
    draw.text((x, y), words, fill=colour, font=_font(), anchor="mm")


def _font() -> ImageFont.FreeTypeFont | ImageFont.ImageFont:
    return ImageFont.load_default(LETTERS)
