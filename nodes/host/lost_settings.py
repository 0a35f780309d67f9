"""What IdentityNet loses where another pack turns it into a ControlNet of its own kind."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

from ...instantid_core.adapter import DrawnHint

if TYPE_CHECKING:
    from .identity_net import IdentityCondition


def lost_with_the_type(name: str, condition: IdentityCondition) -> Iterator[str]:
    """Sentences on what is lost when another pack makes a net of its own kind of IdentityNet."""
    lost, shape = _lost(condition)
    if lost or shape:
        without = f", without {lost}" if lost else ""
        yield (
            f"Another pack turned IdentityNet into a {name}. The identity goes along{without}."
            f"{shape} Put InstantID's node behind that pack's."
        )


def lost_in_a_type(name: str, condition: IdentityCondition) -> Iterator[str]:
    """Sentences on what is lost when another pack has loaded the net."""
    lost, shape = _lost(condition)
    if lost or shape:
        without = f", without {lost}" if lost else ""
        yield (
            f"Another pack loaded IdentityNet as a {name}, with keyframes and weights of its own. "
            f"The identity joins them{without}.{shape} Load it with Load ControlNet Model to have "
            "all of InstantID's settings."
        )


def _lost(condition: IdentityCondition) -> tuple[str, str]:
    """What a net of another type does not take along, and a sentence on the shape of its hint."""
    settings = condition.settings
    lost = [] if settings.region is None else ["InstantID's mask"]
    lost += ["reuse"] if settings.reuses else []
    shape = ""
    if isinstance(condition.hint, DrawnHint):
        lost += ["the keypoints of later frames"] if len(condition.hint.faces.frames) > 1 else []
        shape = (
            " The keypoints have the photo's shape, and ComfyUI will center-crop them if the "
            "aspect ratio differs."
        )
    return " and ".join(lost), shape
