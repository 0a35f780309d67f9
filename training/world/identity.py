"""The identity of a person: what stays the same in every picture of them."""

from __future__ import annotations

import colorsys
from dataclasses import dataclass

import numpy as np

TRAINING = range(6_000)
"""Numbers of the people that models may learn from."""
HELD_OUT = range(100_000, 100_400)
"""Numbers of the people that no model has seen."""

Colour = tuple[int, int, int]
"""RGB, 0..255."""

SKIN = ((250, 222, 200), (238, 190, 150), (206, 150, 105), (150, 98, 62), (92, 58, 40))
"""Colours from the lightest to the darkest; tones lie anywhere between."""
HAIR = {
    (30, 26, 32): 0.20, (98, 58, 32): 0.20, (234, 194, 98): 0.16, (208, 84, 32): 0.14,
    (50, 92, 206): 0.09, (58, 160, 92): 0.07, (238, 112, 172): 0.07, (132, 72, 176): 0.07,
}  # fmt: skip
"""Colours and their shares among those who are not old."""
GREY = ((238, 238, 240), (150, 150, 156))
EYES = ((110, 66, 34), (46, 112, 206), (52, 146, 72), (224, 156, 40), (128, 84, 176))
FRAMES = ((34, 30, 36), (196, 38, 44), (30, 84, 190), (226, 170, 40), (36, 140, 84))
HEADS = {
    "oval": (0.39, 0.20, 2.0),
    "round": (0.46, 0.05, 2.0),
    "square": (0.42, 0.02, 3.4),
    "long": (0.335, 0.12, 2.3),
    "heart": (0.44, 0.50, 2.2),
}
"""Half of the width, how much it narrows to the chin, and the exponent of the outline's curve."""
HAIR_STYLES = ("short", "long", "curly", "bald", "bun", "fringe", "mohawk", "tails")
GLASSES = ("no", "round", "square", "dark")
BEARDS = ("no", "full", "moustache", "goatee")
AGES = ("young", "adult", "old")
ATTRIBUTES = ("glasses", "hat", "beard", "smiling", "old")
"""Words that a caption may have for what one sees of a person."""


@dataclass(frozen=True)
class Identity:
    """One person. Lengths are in units of the face's height, forehead to chin."""

    tone: float
    """Skin from light (0) to dark (1)."""
    skin: Colour
    hair: Colour
    hair_style: str
    eyes: Colour
    lips: Colour
    width: float
    """Half of the face's width."""
    jaw: float
    """Share by which the face narrows to the chin: 0 not at all."""
    curve: float
    """Exponent of the outline: 2 for an ellipse, more for corners."""
    eye_gap: float
    """Distance from the middle of the face to the middle of an eye."""
    eye_size: float
    brow: float
    """Thickness of the brows."""
    brow_tilt: float
    """Rise of the brows' outer ends."""
    nose_length: float
    nose_width: float
    mouth: float
    """Half of the mouth's width."""
    glasses: str
    frame: Colour
    freckles: bool
    beard: str
    age: str

    @property
    def groups(self) -> dict[str, str]:
        """The groups that likeness is compared over."""
        tones = ("light", "middle", "dark")
        return {
            "skin": tones[min(2, int(self.tone * 3))],
            "age": self.age,
            "glasses": "no" if self.glasses == "no" else "yes",
        }


def identity_of(number: int) -> Identity:
    """The person of that number, always the same one."""
    rng = np.random.default_rng((7, number))
    tone = float(rng.uniform())
    skin = jittered(between(SKIN, tone), rng, 8)
    age = str(rng.choice(AGES, p=(0.3, 0.45, 0.25)))
    width, jaw, curve = HEADS[str(rng.choice(list(HEADS)))]
    return Identity(
        tone=tone,
        skin=skin,
        hair=_hair(rng, age),
        hair_style=str(rng.choice(HAIR_STYLES)),
        eyes=jittered(EYES[int(rng.integers(len(EYES)))], rng, 8),
        lips=blended(skin, (206, 44, 70), float(rng.uniform(0.35, 0.95))),
        width=width + float(rng.uniform(-0.012, 0.012)),
        jaw=jaw + float(rng.uniform(-0.02, 0.05)),
        curve=curve,
        eye_gap=float(rng.uniform(0.145, 0.195)),
        eye_size=float(rng.uniform(0.068, 0.102)),
        brow=float(rng.choice((0.02, 0.04, 0.062))),
        brow_tilt=float(rng.choice((-0.045, 0.0, 0.045))),
        nose_length=float(rng.uniform(0.12, 0.20)),
        nose_width=float(rng.uniform(0.04, 0.095)),
        mouth=float(rng.uniform(0.09, 0.16)),
        glasses=str(rng.choice(GLASSES, p=(0.55, 0.16, 0.16, 0.13))),
        frame=FRAMES[int(rng.integers(len(FRAMES)))],
        freckles=bool(rng.uniform() < 0.2),
        beard=str(rng.choice(BEARDS, p=(0.5, 0.2, 0.15, 0.15))) if age != "young" else "no",
        age=age,
    )


def between(ramp: tuple[Colour, ...], position: float) -> Colour:
    """The colour at `position` (0..1) of a ramp."""
    place = position * (len(ramp) - 1)
    low = min(int(place), len(ramp) - 2)
    return blended(ramp[low], ramp[low + 1], place - low)


def blended(first: Colour, second: Colour, share: float) -> Colour:
    """`share` (0..1) of `second`, the rest of `first`."""
    return rounded((1 - share) * np.array(first) + share * np.array(second))


def jittered(colour: Colour, rng: np.random.Generator, spread: float) -> Colour:
    """`colour` moved at random in each channel."""
    return rounded(np.array(colour) + rng.normal(0, spread, 3))


def rounded(values: np.ndarray) -> Colour:
    """The nearest colour to three numbers."""
    red, green, blue = (int(value) for value in np.clip(values, 0, 255).round())
    return red, green, blue


def of_hue(hue: float, saturation: float, value: float) -> Colour:
    """A colour by hue, saturation and value, each 0..1."""
    return rounded(255 * np.array(colorsys.hsv_to_rgb(hue, saturation, value)))


def _hair(rng: np.random.Generator, age: str) -> Colour:
    place = int(rng.choice(len(HAIR), p=list(HAIR.values())))
    grey = GREY[int(rng.integers(len(GREY)))]
    return jittered(grey if age == "old" else list(HAIR)[place], rng, 6)
