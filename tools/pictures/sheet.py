"""The square on which a thumbnail is laid: cards with pictures, arrows and words."""

from __future__ import annotations

from collections.abc import Sequence

from PIL import Image, ImageDraw, ImageFont

Colour = tuple[int, int, int]
"""RGB, 0..255."""

SIDE = 512
"""Pixels of a thumbnail."""
FINE = 2
"""Pixels in which a pixel is drawn, for smooth edges."""
PAPER: tuple[Colour, Colour] = ((246, 240, 230), (222, 214, 228))
DARK: Colour = (40, 38, 48)
WHITE: Colour = (255, 255, 255)
ACCENT: Colour = (236, 112, 74)
GOOD: Colour = (74, 160, 98)
FAINT: Colour = (150, 146, 156)
CORNER, EDGE, SHADOW = 14, 5, 5
ORIGIN = "a run on the small world"

Area = tuple[float, float, float, float]
"""Left, top, width and height in pixels of the thumbnail."""


class Sheet:
    """Takes what belongs to a scene, from back to front."""

    def __init__(self) -> None:
        self._picture = Image.new("RGB", (SIDE * FINE, SIDE * FINE))
        self._draw = ImageDraw.Draw(self._picture)
        for y in range(SIDE * FINE):
            way = y / (SIDE * FINE)
            pairs = zip(*PAPER, strict=True)
            colour = tuple(round((1 - way) * one + way * other) for one, other in pairs)
            self._draw.line((0, y, SIDE * FINE, y), fill=colour)

    def finished(self) -> Image.Image:
        """The thumbnail, which says what its pictures come from."""
        self.words(ORIGIN, (SIDE - 12, SIDE - 12), 14, FAINT, "rs")
        return self._picture.resize((SIDE, SIDE), Image.Resampling.LANCZOS)

    def card(self, picture: Image.Image, area: Area, edge: Colour = WHITE) -> None:
        """A picture with rounded corners, an edge and a shadow, cropped to the area's form."""
        left, top, width, high = area
        self._rounded((left + SHADOW, top + SHADOW, width, high), (190, 184, 194))
        self._rounded(area, edge)
        inside = (left + EDGE, top + EDGE, width - 2 * EDGE, high - 2 * EDGE)
        size = round(inside[2] * FINE), round(inside[3] * FINE)
        mask = Image.new("L", size)
        ImageDraw.Draw(mask).rounded_rectangle((0, 0, *size), (CORNER - EDGE) * FINE, fill=255)
        at = round(inside[0] * FINE), round(inside[1] * FINE)
        self._picture.paste(_filling(picture, size), at, mask)

    def arrow(self, start: Sequence[float], end: Sequence[float]) -> None:
        """A straight arrow to the right or down."""
        to_x, to_y = end
        self.line([start, end], ACCENT, 9)
        down = to_y > start[1]
        wings = ((-14, -18), (14, -18)) if down else ((-18, -14), (-18, 14))
        tip = (to_x + (0 if down else 10), to_y + (10 if down else 0))
        corners = [tip, *((to_x + a, to_y + b) for a, b in wings)]
        self._draw.polygon([(a * FINE, b * FINE) for a, b in corners], fill=ACCENT)

    def line(self, points: Sequence[Sequence[float]], colour: Colour, width: float) -> None:
        scaled = [(x * FINE, y * FINE) for x, y in points]
        self._draw.line(scaled, fill=colour, width=round(width * FINE), joint="curve")

    def disc(self, at: Sequence[float], radius: float, colour: Colour) -> None:
        (x, y), r = at, radius
        area = [(side * FINE) for side in (x - r, y - r, x + r, y + r)]
        self._draw.ellipse(area, fill=colour)

    def bar(self, area: Area, part: float, colour: Colour = GOOD) -> None:
        """A bar that is filled in part, from 0 to 1."""
        left, top, width, high = area
        self._rounded(area, (206, 202, 210), high / 2)
        self._rounded((left, top, max(width * part, high), high), colour, high / 2)

    def panel(self, area: Area, colour: Colour) -> None:
        self._rounded(area, colour, 10)

    def words(
        self,
        text: str,
        at: Sequence[float],
        size: int,
        colour: Colour = DARK,
        anchor: str = "mm",
    ) -> None:
        font = ImageFont.load_default(size * FINE)
        self._draw.text((at[0] * FINE, at[1] * FINE), text, colour, font, anchor)

    def _rounded(self, area: Area, colour: Colour, radius: float = CORNER) -> None:
        left, top, width, high = area
        corners = [side * FINE for side in (left, top, left + width, top + high)]
        self._draw.rounded_rectangle(corners, radius * FINE, fill=colour)


def _filling(picture: Image.Image, size: tuple[int, int]) -> Image.Image:
    """The middle of a picture, as much as has the form of `size`."""
    scale = max(size[0] / picture.width, size[1] / picture.height)
    width, height = size[0] / scale, size[1] / scale
    left, top = (picture.width - width) / 2, (picture.height - height) / 2
    area = (left, top, left + width, top + height)
    return picture.resize(size, Image.Resampling.LANCZOS, area)
