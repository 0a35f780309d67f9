"""Errors of face models that open but cannot be used."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np

from ..errors import FaceModelError, InstantIDError
from ..libraries import first_line
from ..models import MODEL_PACK

INSTEAD = f"put the file of the {MODEL_PACK} pack in its place"
"""Advice for a damaged file of the pack, as part of a sentence."""


@contextmanager
def usable(path: Path, instead: str = INSTEAD) -> Iterator[None]:
    """Turns errors of an opened model into a FaceModelError that names its file.

    instead: what to do about a damaged file.
    """
    try:
        yield
    except (InstantIDError, MemoryError):
        raise
    except Exception as error:  # insightface, OpenCV and the runtime share no narrower base class
        raise FaceModelError(
            f"{path} opens, and cannot be used ({first_line(error)}). It is damaged or another "
            f"model: {instead}. If memory has run out, "
            "choose provider = cpu in InstantID Load Models or InstantID Load Face Analyzer."
        ) from error


def require_numbers(found: Any, shape: tuple[int, ...]) -> None:
    """Check that a model's answer is finite numbers of this shape. Raises ValueError."""
    numbers = np.asarray(found)
    if numbers.dtype.kind != "f" or numbers.shape != shape or not np.isfinite(numbers).all():
        raise ValueError(
            f"expected finite numbers of shape {list(shape)}, found {numbers.dtype} of "
            f"{list(numbers.shape)}"
        )
