"""Progress on the node, and cancelling from it."""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeAlias

import comfy.model_management
import comfy.utils

Step: TypeAlias = Callable[[], None]
Reporter: TypeAlias = Callable[[int], Step]
"""Takes the number of steps; returns a function to call after each."""


def progress(total: int) -> Step:
    """A function to call after each of `total` steps: moves the bar and honours a cancel."""
    bar = comfy.utils.ProgressBar(total)

    def step() -> None:
        bar.update(1)
        comfy.model_management.throw_exception_if_processing_interrupted()

    return step


def unreported(_: int) -> Step:
    """For work that is itself a step of something longer, whose bar must not jump."""
    return lambda: None
