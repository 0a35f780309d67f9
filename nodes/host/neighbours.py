"""Names of the packs whose patches a model carries, for messages."""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import Any


def pack_of(patch: Any) -> str:
    """Name of the pack that a function or an object comes from.

    ComfyUI gives a pack's modules its folder as their name, with dots written as `_x_`.
    """
    module = str(getattr(patch, "__module__", "") or "")
    folder = re.split(r"[\\/]", module)[-1].partition(".")[0].replace("_x_", ".")
    return "ComfyUI" if folder.startswith("comfy") else folder or "another pack"


def packs_of(patches: Iterable[Any]) -> tuple[str, ...]:
    """The same of several, each once."""
    return tuple(dict.fromkeys(pack_of(patch) for patch in patches))
