"""Settings that IdentityNet loses where another pack turns it into a ControlNet of its own kind."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

from ...instantid_core.adapter import DrawnHint

if TYPE_CHECKING:
    from .identity_net import IdentityCondition


def lost_with_the_type(name: str, condition: IdentityCondition) -> Iterator[str]:
    """Sentences on what is lost when another pack makes a net of its own kind of IdentityNet."""
    without, shape = _lost(condition)
    if without or shape:
        yield (
            f"Another pack turned IdentityNet into a {name}. The identity goes along{without}."
            f"{shape} Put InstantID's node behind that pack's."
        )


def lost_in_a_type(name: str, condition: IdentityCondition) -> Iterator[str]:
    """Sentences on what is lost when another pack has loaded the net."""
    without, shape = _lost(condition)
    if without or shape:
        yield (
            f"Another pack loaded IdentityNet as a {name}, with keyframes and weights of its own. "
            f"The identity joins them{without}.{shape} Load it with Load ControlNet Model to have "
            "all of InstantID's settings."
        )


def _lost(condition: IdentityCondition) -> tuple[str, str]:
    """Words on settings that a net of another type leaves out, and a sentence on its hint's shape;
    each empty where there is nothing to say."""
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
    without = f", without {' and '.join(lost)}" if lost else ""
    return without, shape
