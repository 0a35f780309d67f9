"""The editor's drawing is within a pixel of the server's. `tests/js` compares its numbers."""

from __future__ import annotations

from itertools import product

import numpy as np
import pytest
from support.pose_editor import (
    MOST_MISDRAWN,
    PoseNode,
    canvas_pixels,
    in_module,
    misdrawn,
    server_drawing,
)

from instantid_core.keypoints import drawing
from instantid_core.types import Box, Detection, Extent, FrameFaces, KeypointStyle
from tools.pictures.browser import Editor

EXTENT = Extent(640, 480)
STYLES = [KeypointStyle(*style) for style in ((1, 1), (0.4, 1), (1, 0.3), (0, 1), (1, 0))]


def random_faces(count: int, seed: int, spread: float) -> np.ndarray:
    """[count, 5, 2] pixels; some points lie outside."""
    numbers = np.random.default_rng(seed)
    centres, points = numbers.random((count, 1, 2)), numbers.random((count, 5, 2)) - 0.5
    return ((centres + spread * points) * EXTENT).astype(np.float32).astype(float)


def test_faces_are_drawn_as_by_the_server(canvas_editor: Editor) -> None:
    code = """
        const canvas = Object.assign(document.createElement("canvas"), given.size);
        m.drawFaces(canvas.getContext("2d"), given.faces, given.style);
        return canvas.toDataURL("image/png");"""
    size = {"width": EXTENT.width, "height": EXTENT.height}
    for seed, (style, spread) in enumerate(product(STYLES, (0.2, 0.5, 1.5))):
        faces = random_faces(4, seed, spread)
        given = {"size": size, "style": style._asdict(), "faces": faces.tolist()}
        drawn = canvas_pixels(in_module(canvas_editor.page, "drawing", code, given))
        detections = tuple(Detection(Box(0, 0, 1, 1), 1.0, points) for points in faces)
        frame = FrameFaces(EXTENT, detections)
        wanted = drawing.draw_frame(frame, EXTENT, "letterbox", style)
        assert misdrawn(drawn, wanted) <= MOST_MISDRAWN, (style, seed, spread)


@pytest.mark.parametrize("size", [(512, 512), (832, 1216), (1208, 824)], ids=str)
def test_the_dialog_shows_the_servers_drawing(canvas_editor: Editor, size: tuple[int, int]) -> None:
    node = PoseNode(canvas_editor, *size)
    canvas_editor.set_value(node.id, "limb_opacity", 0.7)
    node.open()
    node.press("Quarter left")
    node.press("Add face")
    node.settle()
    drawn = node.drawn()
    node.apply()
    wanted = server_drawing(node.text, *size, KeypointStyle(limbs=0.7))
    assert wanted.any()
    assert misdrawn(drawn, wanted) <= MOST_MISDRAWN
