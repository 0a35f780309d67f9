"""Heads and shoulders of made-up people, drawn with flat shapes."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

from PIL import Image, ImageDraw

Colour = tuple[int, int, int]
SIDE = 600
"""Pixels of a drawn portrait."""
WHITE, DARK = (250, 250, 250), (38, 34, 40)


@dataclass(frozen=True)
class Look:
    """Features of a drawn person."""

    skin: Colour
    hair: Colour
    lips: Colour
    is_long: bool
    """Whether the hair falls to the shoulders."""
    has_glasses: bool = False
    has_beard: bool = False


@dataclass(frozen=True)
class Setting:
    """Background and clothes of a drawn picture."""

    behind: Sequence[Colour]
    """Colours of the background, from top to bottom."""
    dress: Colour
    lights: Sequence[tuple[float, float, float, Colour]] = ()
    """Discs in the background: place and radius as fractions of the picture, and colour."""


ANNA = Look((226, 176, 142), (128, 52, 32), (178, 74, 74), is_long=True, has_glasses=True)
BEN = Look((150, 100, 72), (34, 28, 28), (120, 62, 58), is_long=False, has_beard=True)
STRANGER = Look((244, 212, 188), (214, 176, 96), (204, 110, 110), is_long=True)
PLAIN = Setting(((206, 214, 222),), (92, 108, 132))
CITY = Setting(
    ((24, 32, 66), (52, 50, 96), (96, 70, 110)),
    (240, 190, 40),
    (
        (0.14, 0.22, 0.07, (250, 196, 92)),
        (0.86, 0.16, 0.05, (236, 110, 120)),
        (0.80, 0.44, 0.08, (110, 190, 220)),
        (0.10, 0.58, 0.05, (220, 220, 150)),
        (0.93, 0.70, 0.04, (250, 196, 92)),
    ),
)
GARDEN = Setting(
    ((150, 204, 226), (128, 184, 120), (84, 146, 84)),
    (196, 84, 72),
    (
        (0.14, 0.62, 0.10, (232, 120, 150)),
        (0.88, 0.58, 0.08, (244, 214, 98)),
        (0.84, 0.30, 0.12, (112, 172, 104)),
    ),
)
STUDIO = Setting(((232, 228, 222), (212, 206, 200)), (70, 84, 98))


def between(a: Look, b: Look, way: float) -> Look:
    """A person between two, with the hair and the glasses of the nearer one."""
    near = a if way < 0.5 else b
    mixed = (_mix(getattr(a, part), getattr(b, part), way) for part in ("skin", "hair", "lips"))
    skin, hair, lips = mixed
    return replace(near, skin=skin, hair=hair, lips=lips)


def portrait(look: Look, setting: Setting, yaw: float = 0.0, pitch: float = 0.0) -> Image.Image:
    """A square picture of a person; yaw and pitch are from -1 to 1, right and up."""
    picture = Image.new("RGB", (SIDE, SIDE))
    draw = ImageDraw.Draw(picture)
    background(draw, setting)
    person(draw, look, setting.dress, (SIDE / 2, 265), 1.0, (yaw, pitch))
    return picture


def pair(
    left: Look, right: Look, settings: tuple[Setting, Setting], width: int = 900
) -> Image.Image:
    """A wide picture of two people, each half in a setting of its own."""
    picture = Image.new("RGB", (width, SIDE))
    for number, (look, setting) in enumerate(zip((left, right), settings, strict=True)):
        half = Image.new("RGB", (width // 2, SIDE))
        draw = ImageDraw.Draw(half)
        background(draw, setting)
        person(draw, look, setting.dress, (width / 4, 290), 0.82, (0.35 - 0.7 * number, 0))
        picture.paste(half, (number * width // 2, 0))
    return picture


def background(draw: ImageDraw.ImageDraw, setting: Setting) -> None:
    """Bands of colour that flow into each other, and discs."""
    colours = [*setting.behind, setting.behind[-1]]
    parts = len(colours) - 1
    for y in range(SIDE):
        part, way = divmod(y * parts / SIDE, 1)
        colour = _mix(colours[int(part)], colours[int(part) + 1], way)
        draw.line((0, y, 2 * SIDE, y), fill=colour)
    for x, y, radius, colour in setting.lights:
        _disc(draw, (x * SIDE, y * SIDE), (radius * SIDE, radius * SIDE), colour)


def person(
    draw: ImageDraw.ImageDraw,
    look: Look,
    dress: Colour,
    middle: tuple[float, float],
    scale: float,
    turn: tuple[float, float],
) -> None:
    """Head and shoulders, the face around `middle`."""
    pen = Pen(draw, middle, scale)
    shade = _mix(look.skin, DARK, 0.18)
    if look.is_long:
        pen.disc((0, 40), (158, 205), look.hair)
        pen.box((-150, 40, 150, 245), look.hair, 60)
    pen.box((-48, 90, 48, 260), shade, 20)
    pen.disc((0, 400), (235, 190), dress)
    pen.disc((0, 215), (58, 34), shade)
    pen.disc((0, 0), (120, 152), look.skin)
    _ears(pen, look, turn[0])
    _hair(pen, look, turn)
    _features(pen, look, turn)


def _ears(pen: Pen, look: Look, yaw: float) -> None:
    shade = _mix(look.skin, DARK, 0.12)
    for side in (-1, 1):
        if side * yaw < 0.5 and not look.is_long:
            pen.disc((side * 118 - 14 * yaw, 12 - 4 * abs(yaw)), (18, 30), shade)


def _hair(pen: Pen, look: Look, turn: tuple[float, float]) -> None:
    """The cap, whose hairline moves with the head."""
    yaw, pitch = turn
    if look.has_beard:
        pen.slice((0, 12), (122, 146), (20, 160), look.hair)
        pen.disc((44 * yaw, 34 - 20 * pitch), (88, 70), look.skin)
    line = 20 if look.is_long else 34
    pen.slice((0, -22), (130, 140), (180, 360), look.hair)
    pen.disc((46 * yaw, line - 26 * pitch), (104 - 10 * abs(yaw), 92), look.skin)
    if look.is_long:
        pen.slice((-44 + 24 * yaw, -44 - 14 * pitch), (84, 56), (176, 356), look.hair)
    for side in (-1, 1):
        if look.is_long:
            pen.disc((side * 126 + 10 * yaw, 60), (26, 110), look.hair)


def _features(pen: Pen, look: Look, turn: tuple[float, float]) -> None:
    yaw, pitch = turn
    brow = _mix(look.hair, DARK, 0.35)
    x, y = 52 * yaw, -28 * pitch
    near = 1 - 0.22 * abs(yaw)
    for side in (-1, 1):
        eye = (x + side * 47 * near, y + 2)
        pen.disc(eye, (21 * near, 13), WHITE)
        pen.disc((eye[0] + 5 * yaw, eye[1]), (9, 11), DARK)
        pen.line([(eye[0] - 24, eye[1] - 28), (eye[0] + 24, eye[1] - 30)], brow, 9)
        if look.has_glasses:
            pen.ring(eye, (36 * near, 32), DARK, 7)
    if look.has_glasses:
        pen.line([(x - 12, y), (x + 12, y)], DARK, 7)
    nose = _mix(look.skin, DARK, 0.25)
    pen.line(
        [(x + 6 * yaw, y + 18), (x + 16 * yaw - 10, y + 52), (x + 16 * yaw + 8, y + 54)], nose, 7
    )
    pen.slice((x * 0.9, y + 82), (38 * near, 22), (0, 180), look.lips)


class Pen:
    """Shapes around a point, in units of a portrait's pixels."""

    def __init__(
        self, draw: ImageDraw.ImageDraw, middle: tuple[float, float], scale: float
    ) -> None:
        self._draw, self._middle, self._scale = draw, middle, scale

    def disc(self, at: Sequence[float], radii: Sequence[float], fill: Colour) -> None:
        self._draw.ellipse(self._around(at, radii), fill=fill)

    def ring(self, at: Sequence[float], radii: Sequence[float], fill: Colour, width: float) -> None:
        self._draw.ellipse(self._around(at, radii), outline=fill, width=self._thick(width))

    def slice(
        self,
        at: Sequence[float],
        radii: Sequence[float],
        angles: tuple[float, float],
        fill: Colour,
    ) -> None:
        """Part of a disc, cut straight; angles in degrees, clockwise from the right."""
        self._draw.chord(self._around(at, radii), *angles, fill=fill)

    def box(self, corners: Sequence[float], fill: Colour, radius: float) -> None:
        left, top, right, bottom = corners
        area = (*self._at((left, top)), *self._at((right, bottom)))
        self._draw.rounded_rectangle(area, self._thick(radius), fill=fill)

    def line(self, points: Sequence[Sequence[float]], fill: Colour, width: float) -> None:
        placed = [self._at(point) for point in points]
        self._draw.line(placed, fill=fill, width=self._thick(width), joint="curve")

    def _at(self, point: Sequence[float]) -> tuple[float, float]:
        x, y = self._middle
        return x + self._scale * point[0], y + self._scale * point[1]

    def _around(self, at: Sequence[float], radii: Sequence[float]) -> tuple[float, ...]:
        (x, y), (a, b) = self._at(at), radii
        return x - a * self._scale, y - b * self._scale, x + a * self._scale, y + b * self._scale

    def _thick(self, width: float) -> int:
        return max(1, round(width * self._scale))


def _disc(
    draw: ImageDraw.ImageDraw, at: Sequence[float], radii: Sequence[float], fill: Colour
) -> None:
    Pen(draw, (0, 0), 1).disc(at, radii, fill)


def _mix(a: Colour, b: Colour, way: float) -> Colour:
    red, green, blue = (round((1 - way) * x + way * y) for x, y in zip(a, b, strict=True))
    return red, green, blue
