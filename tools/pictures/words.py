"""The words on a node, noted in its picture, so that a picture from before a change is known."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path
from typing import Any

from PIL import Image

TEXTS = Path(__file__).parents[2] / "locales" / "en" / "nodeDefs.json"
"""Made from the nodes themselves by `tools.documents.command`."""
DESCRIPTION = 0x010E
"""Number of ImageDescription in EXIF."""


def words_on(kind: str) -> str:
    """Title, inputs and outputs of a node as the editor shows them, as 16 hexadecimal digits.

    kind: class of the node, such as `InstantIDPose`. Raises KeyError for one without texts.
    """
    node: dict[str, Any] = json.loads(TEXTS.read_text(encoding="utf-8"))[kind]
    shown = [node["display_name"]]
    for side in ("inputs", "outputs"):
        shown += ["", *(socket["name"] for socket in node[side].values())]
    return hashlib.sha256("\n".join(shown).encode()).hexdigest()[:16]


def note_for(kind: str) -> Image.Exif:
    """The note that goes into a new picture of a node."""
    note = Image.Exif()
    note[DESCRIPTION] = words_on(kind)
    return note


def noted_in(path: Path) -> str:
    """The words that were on the node when its picture was taken; empty without a note."""
    with Image.open(path) as picture:
        return str(picture.getexif().get(DESCRIPTION, ""))
