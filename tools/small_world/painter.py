"""Painter of faces that the synthetic detector finds and the synthetic recogniser distinguishes.

A painted face is a skin-coloured oval with five discs, one per keypoint, each in a colour of its
own, and eight patches whose colours spell the identity. All drawing happens in *template space*,
the 112 x 112 frame to which ArcFace aligns its crops, and is carried into the image by a
:class:`FacePose`. Images are uint8 [height, width, 3] in RGB order; points are (x, y) in pixels.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import cv2
import numpy as np

Colour = tuple[int, int, int]

# Where ArcFace wants the eyes, the nose tip and the mouth corners, image-left before image-right.
ARCFACE_TEMPLATE = np.array(
    [
        [38.2946, 51.6963],
        [73.5318, 51.5014],
        [56.0252, 71.7366],
        [41.5493, 92.3655],
        [70.7299, 92.2041],
    ],
    np.float32,
)
TEMPLATE_CENTRE = ARCFACE_TEMPLATE.astype(np.float64).mean(axis=0)

# One corner of the RGB cube per keypoint. Cyan is missing from InstantID's own control images and
# turns into yellow when red and blue are swapped: neither can pass for a face.
KEY_COLOURS = np.array(
    [[0, 255, 255], [0, 255, 0], [0, 0, 255], [255, 0, 255], [255, 0, 0]], np.uint8
)
# The detector's colour key reaches this far, as the summed difference of the 8-bit channels.
KEY_REACH = 1.1 * 128

# Order of a flipped photo's points: detectors list the image-left eye first.
MIRRORED_ORDER = [1, 0, 2, 4, 3]

# The size of a face is SIZE_PER_SPAN times the root mean square of two spans: eye to eye, and the
# middle of the eyes to the middle of the mouth. Turning the head shortens only one of them.
SIZE_PER_SPAN = 2.4
DISC_RADIUS = 0.06  # of the face size, as are the two below
BOX_HALF_WIDTH = 0.60
BOX_HALF_HEIGHT = 0.75

NOSE_HEIGHT = 18.0  # how far the nose tip stands out of the face plane, in template units
SKIN = (205, 170, 150)
SKIN_CENTRE, SKIN_RADII = (56.0, 62.0), (50.0, 66.0)

# Identity patches as (column, row) of 16-unit cells: brow, cheeks, chin; clear of the five discs.
PATCH_SIDE = 16
PATCH_CELLS = [(2, 1), (3, 1), (4, 1), (1, 4), (5, 4), (2, 6), (3, 6), (4, 6)]
PATCH_GREY, PATCH_SWING = 128, 56
CODE_LENGTH = 3 * len(PATCH_CELLS)
CODE_PRIME = CODE_LENGTH - 1

_SUBPIXEL_BITS = 8


@dataclass(frozen=True)
class FacePose:
    """Position and rotation of a face.

    ``center`` is the image position (pixels) of the keypoints' mean before turning, ``size`` the
    face size in pixels when seen straight on. Angles are degrees: positive ``roll`` turns clockwise
    on screen, positive ``yaw`` moves the nose to image right, positive ``pitch`` lifts it.
    ``mirror`` flips the finished face about its centre, like a flipped photo.
    """

    center: tuple[float, float]
    size: float
    roll: float = 0.0
    yaw: float = 0.0
    pitch: float = 0.0
    mirror: bool = False

    def rotation(self) -> np.ndarray:
        """[3, 3] rotation: yaw first, then pitch, then roll."""
        roll, yaw, pitch = np.radians([self.roll, self.yaw, self.pitch])
        about_y = [
            [math.cos(yaw), 0, math.sin(yaw)],
            [0, 1, 0],
            [-math.sin(yaw), 0, math.cos(yaw)],
        ]
        about_x = [
            [1, 0, 0],
            [0, math.cos(pitch), -math.sin(pitch)],
            [0, math.sin(pitch), math.cos(pitch)],
        ]
        about_z = [
            [math.cos(roll), -math.sin(roll), 0],
            [math.sin(roll), math.cos(roll), 0],
            [0, 0, 1],
        ]
        return np.array(about_z) @ np.array(about_x) @ np.array(about_y)

    def project(self, points: np.ndarray, heights: np.ndarray | float = 0.0) -> np.ndarray:
        """Template points [N, 2], with heights above the face plane, to image points [N, 2]."""
        flat = np.asarray(points, np.float64) - TEMPLATE_CENTRE
        column = np.broadcast_to(np.asarray(heights, np.float64), (len(flat),))
        solid = np.column_stack([flat, column])
        scale = self.size / face_size(ARCFACE_TEMPLATE)
        offsets = (solid @ self.rotation().T)[:, :2] * scale
        if self.mirror:
            offsets[:, 0] = -offsets[:, 0]
        return offsets + np.asarray(self.center, np.float64)

    def disc_centres(self) -> np.ndarray:
        """[5, 2] image positions of the discs, in the order of ``KEY_COLOURS``."""
        return self.project(ARCFACE_TEMPLATE, np.array([0, 0, NOSE_HEIGHT, 0, 0]))

    def keypoints(self) -> np.ndarray:
        """[5, 2] image keypoints in detector order: the image-left eye comes first."""
        centres = self.disc_centres()
        return centres[MIRRORED_ORDER] if self.mirror else centres


def face_size(keypoints: np.ndarray) -> float:
    """Size in pixels of a face with these keypoints [5, 2]; 91.3 for ``ARCFACE_TEMPLATE``."""
    left_eye, right_eye, _, left_mouth, right_mouth = np.asarray(keypoints, np.float64)
    across = right_eye - left_eye
    down = (left_mouth + right_mouth - left_eye - right_eye) / 2
    return SIZE_PER_SPAN * math.sqrt((across @ across + down @ down) / 2)


def expected_box(keypoints: np.ndarray) -> np.ndarray:
    """[left, top, right, bottom] in pixels that the detector reports for keypoints [5, 2]."""
    middle = np.asarray(keypoints, np.float64).mean(axis=0)
    half = face_size(keypoints) * np.array([BOX_HALF_WIDTH, BOX_HALF_HEIGHT])
    return np.concatenate([middle - half, middle + half])


def keypoints_for(
    center: tuple[float, float],
    size: float,
    roll: float = 0.0,
    yaw: float = 0.0,
    pitch: float = 0.0,
) -> np.ndarray:
    """The keypoints [5, 2] that ``paint_face`` returns for the same arguments."""
    return FacePose(center, size, roll, yaw, pitch).keypoints()


def identity_code(identity: int) -> np.ndarray:
    """[24] values of -1 or +1; ``identity`` is 0 or more.

    Codes 0 to 22 are rows of a Paley-Hadamard matrix and so exactly orthogonal. Later ones are
    random draws: repeatable, but with a correlation of about 0.2 to the others.
    """
    if identity >= CODE_PRIME:
        return np.random.default_rng(identity).choice([-1.0, 1.0], CODE_LENGTH)
    residues = {number * number % CODE_PRIME for number in range(1, CODE_PRIME)}
    steps = [(column - identity) % CODE_PRIME for column in range(CODE_PRIME)]
    return np.array([1.0] + [1.0 if step in residues else -1.0 for step in steps])


def paint_face(
    rgb: np.ndarray,
    center: tuple[float, float],
    size: float,
    *,
    roll: float = 0.0,
    yaw: float = 0.0,
    pitch: float = 0.0,
    identity: int = 0,
    mirror: bool = False,
) -> np.ndarray:
    """Paint one face into ``rgb`` in place and return its keypoints [5, 2] in detector order.

    See :class:`FacePose` for the units; parts outside the image are cut off.
    """
    pose = FacePose(center, size, roll, yaw, pitch, mirror)
    _paint_pose(rgb, pose, identity)
    return pose.keypoints()


def canvas(width: int, height: int, level: int = 90) -> np.ndarray:
    """A plain grey image [height, width, 3]."""
    return np.full((height, width, 3), level, np.uint8)


def portrait(
    width: int = 768,
    height: int = 768,
    *,
    identity: int = 0,
    size: float | None = None,
    roll: float = 0.0,
    yaw: float = 0.0,
) -> tuple[np.ndarray, np.ndarray]:
    """A complete drawn portrait [height, width, 3] and its keypoints [5, 2].

    Without a ``size`` the face takes 0.36 of the shorter side. The identity also picks the colours
    of hair, clothes and backdrop.
    """
    face = 0.36 * min(width, height) if size is None else size
    center = (width / 2, 0.47 * height)
    pose = FacePose(center, face, roll, yaw)
    rgb = _backdrop(width, height, identity)
    _paint_body(rgb, FacePose(center, face), identity)
    _paint_hair_behind(rgb, pose, identity)
    _paint_pose(rgb, pose, identity)
    _paint_expression(rgb, pose, identity)
    return rgb, pose.keypoints()


def superellipse(
    center: tuple[float, float],
    radii: tuple[float, float],
    *,
    power: float = 2.0,
    degrees: tuple[float, float] = (0.0, 360.0),
    count: int = 96,
) -> np.ndarray:
    """[count, 2] points along a superellipse; power 2 is an ellipse, larger is squarer.

    ``degrees`` run clockwise on screen from image right.
    """
    angles = np.radians(np.linspace(*degrees, count))
    unit = np.column_stack([np.cos(angles), np.sin(angles)])
    unit = np.sign(unit) * np.abs(unit) ** (2 / power)
    return np.asarray(center) + np.asarray(radii) * unit


# --- the face itself ------------------------------------------------------------------------------


def _paint_pose(rgb: np.ndarray, pose: FacePose, identity: int) -> None:
    _fill(rgb, pose.project(superellipse(SKIN_CENTRE, SKIN_RADII)), SKIN)
    patch_bits = identity_code(identity).reshape(-1, 3)
    for (column, row), bits in zip(PATCH_CELLS, patch_bits, strict=True):
        middle = (PATCH_SIDE * (column + 0.5), PATCH_SIDE * (row + 0.5))
        # Squarish: the recogniser averages the inner 8 x 8 units, corners included.
        outline = superellipse(middle, (PATCH_SIDE / 2, PATCH_SIDE / 2), power=5.0)
        _fill(rgb, pose.project(outline), PATCH_GREY + PATCH_SWING * bits)
    # The discs stay round however the head turns, so their area depends on the face size alone.
    radius = DISC_RADIUS * face_size(pose.keypoints())
    for (x, y), colour in zip(pose.disc_centres(), KEY_COLOURS, strict=True):
        _fill(rgb, superellipse((x, y), (radius, radius)), colour)


def _fill(rgb: np.ndarray, outline: np.ndarray, colour: Sequence[float] | np.ndarray) -> None:
    """Fill a polygon [N, 2] given in image pixels, with smooth edges and subpixel corners."""
    fixed_point = np.round(outline * 2**_SUBPIXEL_BITS).astype(np.int32)
    channels = [int(channel) for channel in colour]
    cv2.fillPoly(rgb, [fixed_point], channels, lineType=cv2.LINE_AA, shift=_SUBPIXEL_BITS)


# --- the rest of the portrait ---------------------------------------------------------------------

# Every colour here keeps further than KEY_REACH from the five key colours.
HAIR_TONES: list[Colour] = [(74, 50, 40), (38, 34, 36), (150, 112, 70), (120, 70, 48)]
GARMENT_TONES: list[Colour] = [(74, 98, 112), (128, 88, 96), (92, 104, 84), (104, 92, 120)]
BACKDROP_TONES: list[tuple[Colour, Colour]] = [
    ((226, 222, 212), (150, 162, 170)),
    ((214, 222, 224), (164, 152, 150)),
    ((228, 218, 206), (156, 160, 146)),
]
NECK = (182, 146, 128)
LIPS = (150, 84, 84)
PUPIL = (24, 26, 34)


def _backdrop(width: int, height: int, identity: int) -> np.ndarray:
    """A light that falls off from the upper middle towards the corners."""
    light, shade = (
        np.array(tone, float) for tone in BACKDROP_TONES[identity % len(BACKDROP_TONES)]
    )
    across = np.linspace(-0.7, 0.7, width)[None, :]
    down = np.linspace(-0.3, 0.9, height)[:, None]
    falloff = np.clip(np.hypot(across, down), 0, 1)[..., None]
    return np.round(light + (shade - light) * falloff).astype(np.uint8)


def _paint_body(rgb: np.ndarray, upright: FacePose, identity: int) -> None:
    """Neck and shoulders; they stay upright when the head rolls or turns."""
    _fill(rgb, upright.project(superellipse((56, 140), (25, 50), power=4.0)), NECK)
    shoulders = superellipse((56, 235), (118, 80), power=2.6, degrees=(180.0, 360.0))
    below = np.array([[174.0, 5000.0], [-62.0, 5000.0]])  # past the lower edge of any image
    garment = GARMENT_TONES[identity % len(GARMENT_TONES)]
    _fill(rgb, upright.project(np.concatenate([shoulders, below])), garment)
    _fill(rgb, upright.project(superellipse((56, 152), (25, 20))), NECK)


def _paint_hair_behind(rgb: np.ndarray, pose: FacePose, identity: int) -> None:
    hair = HAIR_TONES[identity % len(HAIR_TONES)]
    _fill(rgb, pose.project(superellipse((56, 54), (62, 74), power=2.4)), hair)


def _paint_expression(rgb: np.ndarray, pose: FacePose, identity: int) -> None:
    """Fringe, brows, pupils and a smile, laid over a face without hiding its discs or patches."""
    hair = HAIR_TONES[identity % len(HAIR_TONES)]
    over = superellipse((56, 54), (60, 72), power=2.4, degrees=(180.0, 360.0))
    under = superellipse((56, 62), (50, 54), degrees=(360.0, 180.0))
    _fill(rgb, pose.project(np.concatenate([over, under])), hair)
    for x, y in ARCFACE_TEMPLATE[:2]:
        brow = [
            superellipse((x, y), (13, 12), degrees=(215.0, 325.0)),
            superellipse((x, y), (13, 9), degrees=(325.0, 215.0)),
        ]
        _fill(rgb, pose.project(np.concatenate(brow)), hair)
        _fill(rgb, pose.project(superellipse((x, y), (2, 2))), PUPIL)
    smile = [
        superellipse((56.1, 89.5), (9, 7), degrees=(180.0, 0.0)),
        superellipse((56.1, 89.5), (9, 4), degrees=(0.0, 180.0)),
    ]
    _fill(rgb, pose.project(np.concatenate(smile)), LIPS)
