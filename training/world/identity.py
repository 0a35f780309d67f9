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
"""From the lightest to the darkest; tones lie anywhere between."""
HAIR = ((28, 24, 26), (84, 50, 28), (196, 148, 72), (236, 208, 130), (168, 62, 26))
DYED = 0.15
"""Share of people with hair of any hue."""
HAIR_STYLES = ("short", "long", "curly", "bald", "bun", "fringe", "mohawk")
GLASSES = ("no", "round", "square")
BEARDS = ("no", "full", "moustache")
AGES = ("young", "adult", "old")
GREY = (196, 194, 192)


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
    eye_gap: float
    """From the middle of the face to the middle of an eye."""
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
    return Identity(
        tone=tone,
        skin=skin,
        hair=_hair(rng, age),
        hair_style=str(rng.choice(HAIR_STYLES)),
        eyes=_eyes(rng),
        lips=blended(skin, (196, 52, 72), float(rng.uniform(0.25, 0.9))),
        width=float(rng.uniform(0.33, 0.44)),
        jaw=float(rng.uniform(0.0, 0.4)),
        eye_gap=float(rng.uniform(0.135, 0.195)),
        eye_size=float(rng.uniform(0.048, 0.085)),
        brow=float(rng.uniform(0.012, 0.05)),
        brow_tilt=float(rng.uniform(-0.045, 0.045)),
        nose_length=float(rng.uniform(0.10, 0.19)),
        nose_width=float(rng.uniform(0.03, 0.085)),
        mouth=float(rng.uniform(0.08, 0.16)),
        glasses=str(rng.choice(GLASSES, p=(0.6, 0.2, 0.2))),
        frame=_frame(rng),
        freckles=bool(rng.uniform() < 0.2),
        beard=str(rng.choice(BEARDS, p=(0.7, 0.15, 0.15))) if age != "young" else "no",
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
    natural = between(HAIR, float(rng.uniform()))
    dyed = of_hue(float(rng.uniform()), 0.7, 0.85)
    colour = dyed if rng.uniform() < DYED else natural
    return blended(colour, GREY, float(rng.uniform(0.55, 1.0))) if age == "old" else colour


def _eyes(rng: np.random.Generator) -> Colour:
    return of_hue(float(rng.uniform(0.05, 0.65)), float(rng.uniform(0.35, 0.9)), 0.65)


def _frame(rng: np.random.Generator) -> Colour:
    return of_hue(float(rng.uniform()), float(rng.uniform(0.2, 0.9)), float(rng.uniform(0.1, 0.7)))
