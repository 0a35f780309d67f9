"""Builds a tiny stand-in for the insightface model pack "antelopev2".

The five files carry the names, inputs and output shapes of the real pack, so insightface routes and
runs them unchanged, but hold no learned weights. The detector and the recogniser truly look at the
picture and understand the faces of `painter`; the attribute heads return near-constant
answers.
"""

from __future__ import annotations

import math
import pathlib
from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np

from . import painter
from .onnx_graph import Graph, Value, length
from .recogniser import build_recogniser

ALL_MODULES = ("detection", "recognition", "landmark_3d_68", "landmark_2d_106", "genderage")

KEYS = len(painter.KEY_COLOURS)

# Anchor sizes (pixels of face size) at each stride: two per cell, as in the real detector.
ANCHOR_SIZES = {8: (24, 40), 16: (64, 104), 32: (168, 272)}
DECLARED_SIDE = 640  # the real file declares its output lengths for this input side

# An anchor sums its surroundings in full up to the first radius (in anchor sizes), then fades out.
WINDOW_FULL, WINDOW_END = 0.62, 0.95

# Between each pair of limits the score rises from or falls to nothing.
PRESENCE = (0.0, 0.8)  # area of the rarest key colour over the area of one disc
EXCESS = (2.5, 3.5)  # the same of the most plentiful one: several faces in view
SPREAD = (0.015, 0.030)  # variance over squared face size: discs of two neighbouring faces
SCALE_RISE, SCALE_FALL = (0.85, 1.05), (1.65, 1.90)  # face size over anchor size
DISTANCE = (0.27, 0.73)  # anchor point to face centre over anchor size
UPRIGHTNESS = (0.34, 0.425)  # cosine of the roll: 70 and 65 degrees
TOP_SCORE = 0.93
TINY = 1e-6

# The sums kept per key colour, in this channel order: area, x moment, y moment, square moment.
MOMENTS = 4


def build_pack(
    root: str | pathlib.Path,
    *,
    name: str = "antelopev2",
    modules: Iterable[str] = ALL_MODULES,
    nested: bool = False,
) -> pathlib.Path:
    """Write the pack to ``<root>/models/<name>`` and return that folder.

    ``nested`` puts the files one folder deeper, ``<name>/<name>``, as unpacking the official
    archive does. ``modules`` is any selection of ``ALL_MODULES``.
    """
    folder = pathlib.Path(root) / "models" / name
    if nested:
        folder = folder / name
    folder.mkdir(parents=True, exist_ok=True)
    for module in modules:
        _build_module(module, folder)
    return folder


def _build_module(module: str, folder: pathlib.Path) -> None:
    match module:
        case "detection":
            build_detector(folder / "scrfd_10g_bnkps.onnx")
        case "recognition":
            build_recogniser(folder / "glintr100.onnx")
        case "landmark_3d_68":
            build_attribute_head(folder / "1k3d68.onnx", side=192, answer=_landmarks_3d())
        case "landmark_2d_106":
            build_attribute_head(folder / "2d106det.onnx", side=192, answer=np.zeros(212))
        case "genderage":
            # Female score, male score, age in centuries.
            build_attribute_head(folder / "genderage.onnx", side=96, answer=np.array([0, 1, 0.33]))
        case _:
            raise ValueError(f"unknown module {module!r}; choose from {', '.join(ALL_MODULES)}")


# --- detector -------------------------------------------------------------------------------------

# Numbers per anchor in each kind of output, in the order in which the real file lists them.
HEAD_NUMBERS = {"score": 1, "bbox": 4, "kps": 2 * KEYS}

Head = dict[str, Value]  # maps [1, numbers, h, w]; boxes and keypoints in units of the stride


def build_detector(path: str | pathlib.Path) -> None:
    """Write the detector: [1, 3, H, W] in, nine outputs (score, box, keypoints per stride) out.

    H and W are multiples of 32. Every anchor sums the key colours around it into moments, reads the
    five disc positions from them and scores how much they look like one upright face of its size.
    """
    graph = Graph("painted-face-detector")
    image = graph.input("input.1", [1, 3, "?", "?"])
    cells = _sum_pixels(_key_masks(image), 8)
    heads: dict[int, Head] = {}
    for stride, sizes in ANCHOR_SIZES.items():
        if stride > 8:
            cells = _merge_cells(cells, stride)
        anchors = [_anchor_head(cells, stride, size) for size in sizes]
        heads[stride] = {
            kind: graph.concatenate([anchor[kind] for anchor in anchors]) for kind in HEAD_NUMBERS
        }
    for kind, numbers in HEAD_NUMBERS.items():
        for stride, head in heads.items():
            anchor_count = (DECLARED_SIDE // stride) ** 2 * len(ANCHOR_SIZES[stride])
            rows = head[kind].transposed([0, 2, 3, 1]).reshaped([-1, numbers])
            graph.output(f"{kind}_{stride}", rows, [anchor_count, numbers])
    graph.save(path)


def _key_masks(image: Value) -> Value:
    """Five masks [1, 5, H, W]: 1 within half of ``KEY_REACH``, then fading to 0.

    Key colours are corners of the RGB cube, so the summed channel difference to one of them is
    linear in the pixel, and a single 1 x 1 convolution gives it.
    """
    corners = (painter.KEY_COLOURS.astype(np.float64) - 127.5) / 128  # as insightface feeds pixels
    signs = np.sign(corners)
    corner_sum = float(np.abs(corners).sum(axis=1)[0])  # the same for every corner
    slope = 2.0 * 128 / painter.KEY_REACH
    likeness = image.convolve(slope * signs[:, :, None, None])
    return (likeness + (2.0 - slope * corner_sum)).clip()


def _shift_kernel(dx: np.ndarray, dy: np.ndarray, weights: np.ndarray) -> np.ndarray:
    """Convolution kernel [20, 4, h, w] that gathers the moments of [h, w] neighbours.

    ``dx`` and ``dy`` (pixels) lead from the gathering point to the point about which each
    neighbour's moments are taken; the result is taken about the gathering point.
    """
    one, none = np.ones(dx.shape), np.zeros(dx.shape)
    moved = np.array(
        [
            [one, none, none, none],
            [dx, one, none, none],
            [dy, none, one, none],
            [dx**2 + dy**2, 2 * dx, 2 * dy, one],
        ]
    )
    return np.tile(weights * moved, (KEYS, 1, 1, 1))


def _sum_pixels(masks: Value, stride: int) -> Value:
    """Moments [1, 20, h, w] of the masks in every cell, about the cell's upper left pixel."""
    dy, dx = np.mgrid[:stride, :stride].astype(np.float64)
    kernel = _shift_kernel(dx, dy, np.ones(dx.shape))
    # A single pixel has an area but no extent: only the first input moment exists.
    return masks.convolve(kernel[:, :1], stride=stride, groups=KEYS)


def _merge_cells(cells: Value, stride: int) -> Value:
    """Moments of the cells of ``stride`` from those of half the stride."""
    dy, dx = np.mgrid[:2, :2] * (stride / 2)
    kernel = _shift_kernel(dx, dy, np.ones(dx.shape))
    return cells.convolve(kernel, stride=2, groups=KEYS)


def _window_sums(cells: Value, stride: int, anchor_size: int) -> Value:
    """Moments [1, 20, h, w] of the round window of one anchor size, about the anchor points."""
    reach = math.ceil(WINDOW_END * anchor_size / stride)
    dy, dx = np.mgrid[-reach : reach + 1, -reach : reach + 1] * float(stride)
    to_middle = (stride - 1) / 2  # anchor points are upper left pixels, cells extend from there
    distance = np.hypot(dx + to_middle, dy + to_middle) / anchor_size
    weights = np.clip((WINDOW_END - distance) / (WINDOW_END - WINDOW_FULL), 0, 1)
    return cells.convolve(_shift_kernel(dx, dy, weights), padding=reach, groups=KEYS)


@dataclass(frozen=True)
class FaceReading:
    """The face that an anchor sees: maps [1, C, h, w] in pixels relative to the anchor point."""

    xs: Value  # five disc positions, the image-left eye first
    ys: Value
    center_x: Value
    center_y: Value
    areas: Value  # of each key colour
    spreads: Value  # variance of each key colour about its mean position
    cosine: Value  # of the roll
    size: Value


def _read_face(sums: Value) -> FaceReading:
    areas, x_sums, y_sums, square_sums = (
        sums.channels(moment, MOMENTS * KEYS, MOMENTS) for moment in range(MOMENTS)
    )
    xs, ys = x_sums / (areas + TINY), y_sums / (areas + TINY)
    across_x, down_x = _face_axes(xs)
    across_y, down_y = _face_axes(ys)
    down = length(down_x, down_y)
    span = (length(across_x, across_y).squared() + down.squared()) * 0.5
    # In a flipped photo the eye axis lies on the other side of the downward axis.
    mirrored = across_x * down_y - down_x * across_y < 0.0
    return FaceReading(
        xs=mirrored.where(xs.reordered(painter.MIRRORED_ORDER), xs),
        ys=mirrored.where(ys.reordered(painter.MIRRORED_ORDER), ys),
        center_x=xs.channel_mean(),
        center_y=ys.channel_mean(),
        areas=areas,
        spreads=square_sums / (areas + TINY) - xs.squared() - ys.squared(),
        cosine=down_y / down,
        size=span.root() * painter.SIZE_PER_SPAN,
    )


def _face_axes(positions: Value) -> tuple[Value, Value]:
    """One coordinate of the vectors eye to eye and eyes to mouth, from [1, 5, h, w] positions."""
    left_eye, right_eye, _, left_mouth, right_mouth = (
        positions.channel(key) for key in range(KEYS)
    )
    return right_eye - left_eye, (left_mouth + right_mouth - left_eye - right_eye) * 0.5


def _anchor_head(cells: Value, stride: int, anchor_size: int) -> Head:
    face = _read_face(_window_sums(cells, stride, anchor_size))
    x, y = face.center_x, face.center_y
    half_width = face.size * painter.BOX_HALF_WIDTH
    half_height = face.size * painter.BOX_HALF_HEIGHT
    join = cells.graph.concatenate
    box = join([half_width - x, half_height - y, half_width + x, half_height + y])
    interleaved = [axis * KEYS + key for key in range(KEYS) for axis in range(2)]
    keypoints = join([face.xs, face.ys]).reordered(interleaved)
    return {
        "score": _score(face, anchor_size),
        "bbox": box / stride,
        "kps": keypoints / stride,
    }


def _score(face: FaceReading, anchor_size: int) -> Value:
    """A product of factors between 0 and 1; each rises or falls between two limits."""
    share = face.areas / (face.size.squared() * (math.pi * painter.DISC_RADIUS**2) + 1e-3)
    spread = face.spreads.channel_max() / (face.size.squared() + 1e-3)
    ratio = face.size / anchor_size
    distance = length(face.center_x, face.center_y) / anchor_size
    return (
        share.channel_min().rising(PRESENCE)
        * share.channel_max().falling(EXCESS)
        * spread.falling(SPREAD)
        * ratio.rising(SCALE_RISE)
        * ratio.falling(SCALE_FALL)
        * distance.falling(DISTANCE)
        * face.cosine.rising(UPRIGHTNESS)
        # Ranks the anchors that see the same face, so that the nearest one always wins.
        * (1.0 - distance.clip() * 0.1)
        * TOP_SCORE
    )


# --- attribute heads ------------------------------------------------------------------------------


def build_attribute_head(path: str | pathlib.Path, *, side: int, answer: np.ndarray) -> None:
    """Write a model [N, 3, side, side] -> [1, len(answer)] that gives ``answer`` for any picture.

    The mean brightness moves the numbers by up to 0.005, so that the input is truly read.
    """
    graph = Graph("attribute-head")
    crops = graph.input("data", ["None", 3, side, side])
    # These two names tell insightface that the model normalises its own input.
    centred = graph.apply("Sub", crops, 127.5, node_name="_minusscalar0")
    scaled = graph.apply("Mul", centred, 1 / 128, node_name="_mulscalar0")
    means = graph.apply("GlobalAveragePool", scaled).reshaped([0, 3])
    pull = np.full((3, len(answer)), 0.005 / 3)
    graph.output("fc1", graph.apply("MatMul", means, pull) + answer, [1, len(answer)])
    graph.save(path)


# The usual 68 face landmarks as pieces of ellipses, in half crop sides: centre, radii, first and
# last angle (degrees, clockwise on screen from image right), number of points.
LANDMARK_CURVES = [
    ((0.00, -0.27), (0.59, 0.84), (180, 0), 17),  # jaw
    ((-0.30, -0.40), (0.15, 0.06), (180, 360), 5),  # brows
    ((0.28, -0.40), (0.15, 0.06), (180, 360), 5),
    ((0.00, -0.21), (0.00, 0.09), (270, 450), 4),  # bridge of the nose
    ((0.00, 0.03), (0.13, 0.03), (180, 0), 5),  # nostrils
    ((-0.25, -0.29), (0.11, 0.04), (180, 480), 6),  # eyes
    ((0.25, -0.29), (0.11, 0.04), (180, 480), 6),
    ((0.00, 0.23), (0.20, 0.07), (180, 510), 12),  # lips, outside and inside
    ((0.00, 0.22), (0.17, 0.02), (180, 495), 8),
]


def _landmarks_3d() -> np.ndarray:
    """[3309] numbers: 1103 points (x, y, depth), the last 68 being a face seen straight on."""
    curves = [
        painter.superellipse(center, radii, degrees=degrees, count=count)
        for center, radii, degrees, count in LANDMARK_CURVES
    ]
    outline = np.concatenate(curves)
    depth = 0.15 - 2.0 * outline[:, 0] ** 2  # a head is round: the ears lie behind the nose
    points = np.zeros((1103, 3))
    points[-len(outline) :] = np.column_stack([outline, depth])
    return points.reshape(-1)
