"""Small pictures of faces, for people to recognise."""

from __future__ import annotations

import numpy as np

from ..images import extent_of
from ..libraries import import_cv2
from ..types import Box, Detection, Extent
from .alignment import alignment_of
from .views import CONTEXT, UPRIGHT_ROLL, VIEW_SIDE, view_of

SIDE = 128
"""Pixels of a portrait's side."""
MOST_BYTES = 12_000
"""Bytes of a portrait; one takes about 4000."""
MARGIN = 1.4
"""Side of a portrait, in longer sides of the face's box."""
QUALITIES = (85, 60, 30)
"""JPEG qualities, of which the first that gives few enough bytes is taken."""
BEGINNING, END = b"\xff\xd8\xff", b"\xff\xd9"
FRAMES = {0xC0, 0xC1, 0xC2}
"""Markers of the JPEG segment that states the size, in the kinds that browsers show."""


def portrait_of(bgr: np.ndarray, face: Detection) -> bytes:
    """A JPEG of the face with some hair, SIDE pixels a side, upright, at most MOST_BYTES long.

    bgr: [H, W, 3] uint8. Empty for a face that is not in the picture, or whose box or points are
    not numbers.
    """
    if not (np.isfinite(face.keypoints).all() and _is_seen(face.box, extent_of(bgr))):
        return b""
    cv2 = import_cv2()
    roll = alignment_of(face.keypoints).roll
    view = view_of(bgr, face.box, roll if abs(roll) > UPRIGHT_ROLL else 0.0)
    half = round(VIEW_SIDE * MARGIN / CONTEXT / 2)
    middle = slice(VIEW_SIDE // 2 - half, VIEW_SIDE // 2 + half)
    small = cv2.resize(view.pixels[middle, middle], (SIDE, SIDE), interpolation=cv2.INTER_AREA)
    for quality in QUALITIES:
        made, content = cv2.imencode(".jpg", small, (cv2.IMWRITE_JPEG_QUALITY, quality))
        if made and content.nbytes <= MOST_BYTES:
            return content.tobytes()
    return b""


def _is_seen(box: Box, picture: Extent) -> bool:
    """Whether a box of finite numbers and a picture overlap."""
    if not np.isfinite(box).all():
        return False
    return box.x1 > 0 and box.x0 < picture.width and box.y1 > 0 and box.y0 < picture.height


def is_portrait(content: bytes) -> bool:
    """Whether bytes from elsewhere are a JPEG that a page may show: small, in bytes and pixels."""
    if len(content) > MOST_BYTES or not content.startswith(BEGINNING):
        return False
    extent = _size_of(content) if content.endswith(END) else None
    return extent is not None and 0 < min(extent) <= max(extent) <= 2 * SIDE


def pixels_of(portrait: bytes) -> np.ndarray | None:
    """[H, W, 3] uint8 RGB of a portrait; None where it is none, or broken."""
    if not is_portrait(portrait):
        return None
    cv2 = import_cv2()
    bgr = cv2.imdecode(np.frombuffer(portrait, np.uint8), cv2.IMREAD_COLOR)
    return None if bgr is None else np.ascontiguousarray(bgr[..., ::-1])


def _size_of(content: bytes) -> Extent | None:
    """The size stated in a JPEG's header; None where there is none."""
    place = len(BEGINNING) - 1
    while content[place : place + 1] == b"\xff" and place + 9 <= len(content):
        mark, length = content[place + 1], int.from_bytes(content[place + 2 : place + 4], "big")
        if mark in FRAMES:
            height, width = (
                int.from_bytes(content[at : at + 2], "big") for at in (place + 5, place + 7)
            )
            return Extent(width, height)
        place += 2 + length
    return None
