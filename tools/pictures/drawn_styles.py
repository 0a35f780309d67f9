"""Styles that a drawn portrait can be put into."""

from __future__ import annotations

import random

from PIL import Image, ImageDraw, ImageFilter, ImageOps

from .drawn_heads import Colour

LEVELS = range(256)
STROKES, STROKE, SEED = 5200, (9, 30), 5
PAPERS: tuple[Colour, ...] = ((24, 52, 82), (196, 74, 62), (238, 178, 96), (250, 240, 220))
"""Of a paper cut, from dark to light."""


def painted(picture: Image.Image) -> Image.Image:
    """Brush strokes in the colours of the picture; the same each time."""
    chance = random.Random(SEED)
    soft = picture.filter(ImageFilter.ModeFilter(9))
    canvas = soft.copy()
    draw = ImageDraw.Draw(canvas)
    for number in range(STROKES):
        x, y = chance.randrange(picture.width), chance.randrange(picture.height)
        shift = chance.randint(-16, 16)
        red, green, blue = (min(255, max(0, level + shift)) for level in pixel(soft, x, y))
        longest = STROKE[1] if number < STROKES / 2 else STROKE[0]
        dx, dy = longest * chance.uniform(0.3, 1), longest * chance.uniform(-0.6, 0.6)
        draw.line((x - dx, y - dy, x + dx, y + dy), fill=(red, green, blue), width=6)
    return Image.blend(canvas, picture, 0.5)


def paper_cut(picture: Image.Image) -> Image.Image:
    """A few colours of paper, each with a soft shadow on the one below."""
    grey = ImageOps.autocontrast(picture.convert("L").filter(ImageFilter.ModeFilter(7)))
    sheet = Image.new("RGB", picture.size, PAPERS[0])
    for level, colour in zip((60, 120, 180), PAPERS[1:], strict=True):
        layer = grey.point([255 * (value > level) for value in LEVELS])
        shade = layer.filter(ImageFilter.GaussianBlur(7)).point([value // 3 for value in LEVELS])
        sheet.paste((10, 14, 24), (5, 7), shade)
        sheet.paste(colour, (0, 0), layer)
    return sheet


def inked(picture: Image.Image) -> Image.Image:
    """Outlines on paper, and a little colour."""
    edges = picture.convert("L").filter(ImageFilter.FIND_EDGES).filter(ImageFilter.MaxFilter(5))
    light = Image.blend(picture, Image.new("RGB", picture.size, (252, 248, 238)), 0.72)
    light.paste(
        (30, 28, 36), (0, 0), edges.point([min(255, value * 4) * (value > 24) for value in LEVELS])
    )
    return light


def depth_map(picture: Image.Image) -> Image.Image:
    """Near is white: the picture behind, the head and shoulders before it, without detail."""
    middle = picture.width // 2
    sheet = Image.linear_gradient("L").resize(picture.size).point([value // 4 for value in LEVELS])
    draw = ImageDraw.Draw(sheet)
    draw.ellipse((middle - 240, 480, middle + 240, 860), fill=150)
    draw.ellipse((middle - 150, 90, middle + 150, 480), fill=190)
    draw.ellipse((middle - 105, 140, middle + 105, 420), fill=240)
    return sheet.filter(ImageFilter.GaussianBlur(14)).convert("RGB")


def noisy(picture: Image.Image, amount: float) -> Image.Image:
    """A picture on its way out of the noise; the same each time."""
    chance = random.Random(SEED)
    side = 75
    grains = bytes(chance.randrange(256) for _ in range(3 * side * side))
    noise = Image.frombytes("RGB", (side, side), grains).resize(
        picture.size, Image.Resampling.NEAREST
    )
    blurred = picture.filter(ImageFilter.GaussianBlur(1 + 14 * amount))
    return Image.blend(blurred, noise, amount)


def pixel(picture: Image.Image, x: int, y: int) -> Colour:
    value = picture.getpixel((x, y))
    assert isinstance(value, tuple)
    red, green, blue = value[:3]
    return int(red), int(green), int(blue)
