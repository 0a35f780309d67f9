"""Drawing in the coordinates of a turned head, on a canvas larger than the picture."""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np

from .identity import Colour, blended

OVERSAMPLING = 2
"""Canvas pixels per picture pixel and side."""
SUBPIXEL_BITS = 4
DARK = (38, 30, 30)
LINE = 0.02
"""Width of the outlines, in face heights."""
DEPTH = 0.42
"""Depth by which the face bulges towards the viewer, in face heights."""


@dataclass(frozen=True)
class Head:
    """Place and turn of a head. Coordinates: x right, y down, z to the viewer."""

    center: tuple[float, float]
    """Of the face, canvas pixels."""
    height: float
    """Of the face, forehead to chin, canvas pixels."""
    yaw: float
    """Degrees; positive looks to the picture's right."""
    pitch: float
    """Degrees; positive looks down."""
    roll: float
    """Degrees, clockwise."""

    def flat(self, points: np.ndarray) -> np.ndarray:
        """[N, 2] points of the outline, in face heights, to canvas pixels: turned by roll alone."""
        angle = np.radians(self.roll)
        turn = np.array([[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]])
        return points @ turn.T * self.height + np.array(self.center)

    def surface(self, points: np.ndarray, width: float, lift: float = 0.0) -> np.ndarray:
        """[N, 2] points of the face, in face heights, to canvas pixels: turned with the head.

        width: half of the face's width. lift: height above the surface, as a nose's tip has it.
        """
        x, y = points[:, 0], points[:, 1]
        inside = 1 - (x / (width * 1.15)) ** 2 - (y / 0.62) ** 2
        z = DEPTH * np.sqrt(np.clip(inside, 0.02, None)) + lift
        yaw, pitch = np.radians(self.yaw), np.radians(self.pitch)
        turned_x = x * np.cos(yaw) + z * np.sin(yaw)
        depth = z * np.cos(yaw) - x * np.sin(yaw)
        turned_y = y * np.cos(pitch) + depth * np.sin(pitch)
        return self.flat(np.stack([turned_x, turned_y], axis=1))


def ellipse(
    center: tuple[float, float], radii: tuple[float, float], start: float = 0, end: float = 360
) -> np.ndarray:
    """[33, 2] points on an ellipse; angles in degrees, clockwise from the right."""
    angles = np.radians(np.linspace(start, end, 33))
    return np.stack(
        [center[0] + radii[0] * np.cos(angles), center[1] + radii[1] * np.sin(angles)], axis=1
    )


def fill(canvas: np.ndarray, points: np.ndarray, colour: Colour) -> None:
    """Fills a polygon ([N, 2] canvas pixels) in place."""
    cv2.fillPoly(canvas, [_fixed(points)], colour, cv2.LINE_8, SUBPIXEL_BITS)


def outlined(canvas: np.ndarray, points: np.ndarray, colour: Colour, width: float) -> None:
    """Fills a polygon and draws its outline in a dark tone of its colour."""
    fill(canvas, points, colour)
    stroke(canvas, np.concatenate([points, points[:1]]), blended(colour, DARK, 0.5), width)


def stroke(canvas: np.ndarray, points: np.ndarray, colour: Colour, width: float) -> None:
    """Draws a line through [N, 2] canvas pixels in place; width in canvas pixels."""
    thickness = max(1, round(width))
    cv2.polylines(canvas, [_fixed(points)], False, colour, thickness, cv2.LINE_8, SUBPIXEL_BITS)


def _fixed(points: np.ndarray) -> np.ndarray:
    return np.round(points * (1 << SUBPIXEL_BITS)).astype(np.int32)
