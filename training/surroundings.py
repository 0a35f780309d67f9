"""Outlines of what stands around people, as a hint for another ControlNet."""

from __future__ import annotations

import cv2
import numpy as np

CLEAR = 200.0
"""A slope of brightness, in levels per Sobel step, that counts as a full line."""
MARGIN = 0.5
"""How far beyond a face nothing is drawn, in widths and heights of its box: hair is there."""


def outlines(image: np.ndarray, boxes: np.ndarray) -> np.ndarray:
    """A picture [H, W, 3] uint8 RGB and its faces' boxes [P, 4] -> lines [H, W] in 0..1."""
    grey = cv2.cvtColor(image, cv2.COLOR_RGB2GRAY).astype(np.float32)
    slope = np.hypot(cv2.Sobel(grey, -1, 1, 0), cv2.Sobel(grey, -1, 0, 1))
    return np.where(around(boxes, *grey.shape), (slope / CLEAR).clip(0, 1), 0).astype(np.float32)


def around(boxes: np.ndarray, height: int, width: int) -> np.ndarray:
    """Where no face is, [H, W] bool. boxes: [P, 4] pixels."""
    y, x = np.mgrid[:height, :width]
    free = np.ones((height, width), bool)
    for x0, y0, x1, y1 in boxes:
        wide, high = MARGIN * (x1 - x0), MARGIN * (y1 - y0)
        inside = (x >= x0 - wide) & (x <= x1 + wide) & (y >= y0 - high) & (y <= y1 + high)
        free &= ~inside
    return free


def agreement(found: np.ndarray, wanted: np.ndarray, boxes: np.ndarray) -> float:
    """Pearson's correlation of lines [H, W] around faces; 0 where either has none."""
    free = around(boxes, *wanted.shape)
    a, b = found[free], wanted[free]
    spread = float(a.std() * b.std())
    return float(((a - a.mean()) * (b - b.mean())).mean() / spread) if spread else 0.0
