"""Directions on disk: safetensors with metadata, the same on every machine."""

from __future__ import annotations

import math
from collections.abc import Mapping
from pathlib import Path

from safetensors.torch import save

from ..errors import DirectionFileError
from ..types import EMBEDDING_WIDTH, Direction, Evidence
from .people import LONGEST_NAME, one_line
from .person_notes import NAME, name_of_file
from .saved_file import (
    COUNTING_NUMBER,
    RECOGNISER_COLOURS,
    RECOGNISER_SHA256,
    UNKNOWN,
    Kind,
    claim,
    head_of,
    noted_recogniser,
    opened,
    put,
    require_sound,
)

WITH, WITHOUT, PAIRED = "photos_with", "photos_without", "paired"
AUC, MIDPOINT = "auc", "midpoint"
TRUTHS = {"true": True, "false": False}


def _fits(shape: list[int]) -> bool:
    return shape == [EMBEDDING_WIDTH]


KIND = Kind(
    noun="direction",
    a_noun="a direction",
    format="instantid-compose direction",
    version=1,
    tensor="direction",
    sides=f"[{EMBEDDING_WIDTH}]",
    fits=_fits,
    node="InstantID Learn Direction",
    again="Learn the direction again with InstantID Learn Direction.",
    renewed="Learn it again.",
    error=DirectionFileError,
)


def write(path: Path, direction: Direction, pack_version: str = UNKNOWN) -> None:
    """Write a direction to a new file: all of it or nothing.

    Raises DirectionFileError when something of that name is there, or when the disk refuses.
    """
    require_sound(KIND, direction.vector, "The direction to be saved")
    seen = direction.evidence
    metadata = {
        **head_of(KIND, direction.recogniser, pack_version),
        NAME: direction.name,
        WITH: str(seen.with_it),
        WITHOUT: str(seen.without_it),
        PAIRED: str(seen.paired).lower(),
        AUC: repr(seen.auc),
        MIDPOINT: repr(direction.midpoint),
    }
    vector = direction.vector.detach().cpu().contiguous()
    put(KIND, path, save({KIND.tensor: vector}, metadata=metadata), claim)


def read(path: Path) -> Direction:
    """Read what `write` wrote. Raises DirectionFileError that says what is wrong with the file."""
    with opened(KIND, path) as file:
        metadata = file.metadata()
        # A copy: the file may be replaced while its memory map is in use.
        vector = file.get_tensor(KIND.tensor).clone()
    require_sound(KIND, vector, f"'{path.name}'")
    recogniser, evidence = noted_recogniser(metadata), _evidence(metadata)
    midpoint = _number(metadata.get(MIDPOINT, ""))
    if recogniser is None or evidence is None or midpoint is None or not vector.any():
        raise DirectionFileError(
            f"'{path.name}' is damaged: what it notes about itself ({_noted(metadata)}) makes no "
            f"sense, or it points nowhere. {KIND.again}"
        )
    name = one_line(metadata.get(NAME, ""), LONGEST_NAME) or name_of_file(path.name)
    return Direction(vector, midpoint, recogniser, name, evidence)


def _evidence(metadata: Mapping[str, str]) -> Evidence | None:
    """The noted evidence of a direction; None where the notes make no sense."""
    counts = [metadata.get(key, "") for key in (WITH, WITHOUT)]
    paired, auc = TRUTHS.get(metadata.get(PAIRED, "")), _number(metadata.get(AUC, ""))
    if not all(COUNTING_NUMBER.fullmatch(count) for count in counts):
        return None
    if paired is None or auc is None or not 0 <= auc <= 1:
        return None
    return Evidence(int(counts[0]), int(counts[1]), paired, auc)


def _number(text: str) -> float | None:
    """A finite number as noted; None for anything else."""
    try:
        number = float(text)
    except ValueError:
        return None
    return number if math.isfinite(number) else None


def _noted(metadata: Mapping[str, str]) -> str:
    keys = (WITH, WITHOUT, PAIRED, AUC, MIDPOINT, RECOGNISER_COLOURS)
    digits = metadata.get(RECOGNISER_SHA256, "")[:12]
    noted = [f"{key} {metadata.get(key)}" for key in keys]
    return ", ".join([*noted, f"recogniser '{digits}'"])
