"""Helpers for tests of the keypoint editor: the node with its dialog, and numbers from its page."""

from __future__ import annotations

import base64
import io
import json
from typing import Any

import numpy as np
from PIL import Image
from playwright.sync_api import Locator, Page

from instantid_core.keypoints import drawing, pose_json
from instantid_core.types import REFERENCE_STYLE, Extent, KeypointStyle
from tools.comfyui.client import ComfyClient
from tools.pictures.browser import BrowserError, Editor

SIDE = 512
MODULES = "/extensions/instantid-compose/js/editor"
MOST_MISDRAWN = 0.01
"""Share of the drawn pixels that may be elsewhere than on the server, as `misdrawn` counts them."""
LEVEL_TOLERANCE = 3
"""Levels of 255 that the canvas may lose in its own arithmetic."""
FRONT_EYE = (0.405, 0.34)
"""Position of the left eye of the default face."""


class PoseNode:
    """An InstantID Pose node in a graph that shows its preview."""

    def __init__(self, editor: Editor, width: int = SIDE, height: int = SIDE) -> None:
        self.editor = editor
        self.id = editor.add("InstantIDPose", 100, 100)
        self.preview = editor.add("PreviewImage", 700, 100)
        editor.set_value(self.id, "width", width)
        editor.set_value(self.id, "height", height)
        editor.connect(self.id, "preview", self.preview, "images")

    @property
    def page(self) -> Page:
        return self.editor.page

    @property
    def text(self) -> str:
        return self.editor.value(self.id, "pose_json")

    @property
    def faces(self) -> np.ndarray:
        """[faces, 5, 2] fractions."""
        return np.array(json.loads(self.text)["faces"])

    @property
    def dialog(self) -> Locator:
        return self.page.get_by_role("dialog", name="Edit pose")

    @property
    def stage(self) -> Locator:
        return self.dialog.get_by_role("application")

    def open(self) -> Locator:
        self.editor.press_button(self.id, "Edit pose")
        self.dialog.wait_for()
        self.settle()
        return self.dialog

    def settle(self) -> None:
        """Until the screen shows what was done."""
        self.page.evaluate(
            "() => new Promise((done) => requestAnimationFrame(() => requestAnimationFrame(done)))"
        )

    def press(self, name: str) -> None:
        self.dialog.get_by_role("button", name=name, exact=True).click()

    def apply(self) -> None:
        self.press("Apply")
        self.dialog.wait_for(state="detached")

    def place(self, x: float, y: float) -> tuple[float, float]:
        """A place of the frame, in fractions, on the page."""
        box = self.dialog.locator(".paper").bounding_box()
        assert box is not None
        return box["x"] + x * box["width"], box["y"] + y * box["height"]

    def drag(self, start: tuple[float, float], end: tuple[float, float]) -> None:
        mouse = self.page.mouse
        mouse.move(*self.place(*start))
        mouse.down()
        mouse.move(*self.place(*end), steps=4)
        mouse.up()
        self.settle()

    def drawn(self) -> np.ndarray:
        """[height, width, 3] uint8: the editor's drawing, on black."""
        code = '(canvas) => canvas.toDataURL("image/png")'
        return canvas_pixels(self.dialog.locator(".picture").evaluate(code))

    def shown(self, client: ComfyClient) -> np.ndarray:
        """Runs the graph; the picture that the preview node shows."""
        end = self.editor.run()
        if end["kind"] != "execution_success":
            raise BrowserError(f"The graph did not run to its end: {end}.")
        (image,) = self.editor.outputs(self.preview)["images"]
        return np.asarray(Image.open(io.BytesIO(client.image(image))).convert("RGB"))


def canvas_pixels(data_url: str) -> np.ndarray:
    """[height, width, 3] uint8: what a canvas shows before black, from its `toDataURL`."""
    picture = Image.open(io.BytesIO(base64.b64decode(data_url.split(",", 1)[1]))).convert("RGBA")
    black = Image.new("RGBA", picture.size, (0, 0, 0, 255))
    return np.asarray(Image.alpha_composite(black, picture).convert("RGB"))


def misdrawn(drawn: np.ndarray, wanted: np.ndarray) -> float:
    """Share of drawn pixels that are more than one pixel away from the server's.

    drawn, wanted: [height, width, 3] uint8. A pixel is right if each of its levels lies between the
    lowest and the highest of the nine server pixels around it: edges may be smoothed.
    """
    padded = np.pad(wanted.astype(int), ((1, 1), (1, 1), (0, 0)))
    around = np.lib.stride_tricks.sliding_window_view(padded, (3, 3), axis=(0, 1))
    low, high = around.min((-2, -1)) - LEVEL_TOLERANCE, around.max((-2, -1)) + LEVEL_TOLERANCE
    wrong = ((drawn < low) | (drawn > high)).any(-1)
    return float(wrong.sum() / max(1, (drawn.any(-1) | wanted.any(-1)).sum()))


def server_drawing(
    text: str, width: int, height: int, style: KeypointStyle = REFERENCE_STYLE
) -> np.ndarray:
    """[height, width, 3] uint8: the server's drawing of a saved pose."""
    (frame,) = pose_json.from_json(text).frames
    return drawing.draw_frame(frame, Extent(width, height), "letterbox", style)


def in_module(page: Page, module: str, code: str, given: Any = None) -> Any:
    """Runs `code`, the body of a function of `m` and `given`, with a module of the editor."""
    return page.evaluate(
        f"async (given) => {{ const m = await import('{MODULES}/{module}.js'); {code} }}", given
    )
