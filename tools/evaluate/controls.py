"""Control of an identity: how much of it there is, how it is inserted, guided and edited."""

from __future__ import annotations

from dataclasses import dataclass

from instantid_core.adapter import ADD, EVERY_STEP

WHOLE = (0.0, 1.0)


@dataclass(frozen=True)
class Scales:
    """Guidance scales, as InstantID Guider names them."""

    text: float
    identity: float
    rescale: float = 0.0


@dataclass(frozen=True)
class Edit:
    """A move of the identity, as InstantID Edit Identity makes it."""

    direction: str
    """File in the server's folder of directions."""
    amount: float
    mode: str
    hold: str = ""
    """File of the direction that is held; empty for none."""


def direction_file_name(attribute: str) -> str:
    """Name of an attribute's direction in the server's folder of directions."""
    return f"{attribute.replace(' ', '_')}.safetensors"


@dataclass(frozen=True)
class Control:
    """Part of an identity in a picture; equal controls give equal pictures."""

    weight: float = 0.0
    """Of the adapter; 0 leaves it out."""
    strength: float = 0.0
    """Of IdentityNet; 0 leaves it out."""
    window: tuple[float, float] = WHOLE
    """Shares of sampling at which both parts start and end."""
    insertion: str = ADD
    reuse: int = EVERY_STEP
    scales: Scales | None = None
    """Of InstantID Guider; None is the sampler's one scale."""
    edit: Edit | None = None
    face_id: bool = False
    """Whether an adapter of FaceID's form takes the place of InstantID's."""

    @property
    def acts(self) -> bool:
        """Whether there is an identity at all."""
        return self.weight != 0 or self.strength != 0


UNTOUCHED = Control()
"""Text alone."""
