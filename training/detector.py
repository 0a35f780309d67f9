"""The small world's face detector, in scrfd_10g_bnkps.onnx's place.

It averages 4 x 4 pixels first, so that 640 x 640 costs what 160 x 160 does. A pyramid of three
levels (strides 8, 16 and 32 of the full input) gives per cell a score, the distances to the box's
sides and the way to the five keypoints, in units of the stride (SCRFD, arXiv 2105.04714).
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import nn
from torch.nn import functional

from .command_line import loop_settings
from .dataset import Album
from .degradation import degrade, unit_pictures
from .detector_canvases import CANVAS, Canvases, Faces, empty_scenes
from .loop import Draw, Tensors, channels_last
from .onnx_files import (
    convolution,
    export,
    face_model_parser,
    painted,
    train_finished,
    write_report,
)

NAME = "detector"
FILE = "scrfd_10g_bnkps.onnx"
POOLING = 4
STRIDES = (8, 16, 32)
ANCHORS = 2
NUMBERS = (1, 4, 10)
"""Per anchor: score, box, keypoints."""
FACE_SIZES = ((0, 28), (20, 60), (44, 1000))
"""Sizes of the faces that each level looks for, in pixels after pooling; neighbours overlap."""
OFFSET_UNIT = 4.0
"""The network's numbers times this are offsets in strides: about 1 for most faces."""
TARGET_WIDTH = 0.12
"""A cell's wanted score falls with its distance from the face's middle: this is the standard
deviation in face sizes."""
POSITIVE = 0.3
"""Cells that want at least this score learn the box and the keypoints."""
NEAR = 0.2
"""Of a face's height: a detection is of the face from which its keypoints are less far."""
WIDTHS = (24, 48, 96, 96)
"""Channels at 1/2, 1/4, 1/8 and 1/16 of the pooled picture's side."""
OFFSETS_WEIGHT = 8.0
"""Of the box's and the keypoints' error beside the score's."""


class DetectorNetwork(nn.Module):
    """Pooled pictures [N, 3, h, w] in -1..1 -> per level a map [N, 15, h / s, w / s].

    s: 2, 4, 8. Channels: score before the sigmoid, 4 numbers of the box, 10 of the keypoints.
    """

    def __init__(self, widths: tuple[int, int, int, int] = WIDTHS) -> None:
        super().__init__()
        first, second, third, fourth = widths
        self.steps = nn.ModuleList(
            [
                _halved(3, 16, first),
                _halved(first, second, second),
                _halved(second, third, third),
                _halved(third, fourth, fourth, fourth),
            ]
        )
        # From a coarser level to the next finer one, as far as the finest that answers.
        self.lower = nn.ModuleList(nn.Conv2d(coarse, fine, 1) for fine, coarse in pairwise(widths))
        self.heads = nn.ModuleList([_head(width) for width in widths[:3]])

    def forward(self, pictures: torch.Tensor) -> list[torch.Tensor]:
        maps = []
        x = pictures
        for step in self.steps:
            x = step(x)
            maps.append(x)
        answers = []
        for level in (2, 1, 0):
            coarse = self.lower[level](maps[level + 1])
            grown = functional.interpolate(coarse, size=maps[level].shape[-2:], mode="nearest")
            maps[level] = maps[level] + grown
            answers.append(self.heads[level](maps[level]).float())
        return answers[::-1]


def _block(inputs: int, outputs: int, stride: int = 1) -> nn.Module:
    return nn.Sequential(*convolution(inputs, outputs, stride))


def _halved(*widths: int) -> nn.Module:
    """Blocks from each of these widths to the next, the first to half of the side."""
    pairs = enumerate(pairwise(widths))
    return nn.Sequential(*(_block(*pair, 1 if place else 2) for place, pair in pairs))


def _head(width: int) -> nn.Module:
    last = nn.Conv2d(width, sum(NUMBERS), 1)
    nn.init.normal_(last.weight, std=0.01)
    nn.init.zeros_(last.bias)  # pyright: ignore[reportArgumentType]
    # Nearly every cell has no face: begin by saying so.
    nn.init.constant_(last.bias[:1], -4.0)  # pyright: ignore[reportOptionalSubscript]
    return nn.Sequential(_block(width, width), last)


class ExportedDetector(nn.Module):
    """[1, 3, H, W] (pixel - 127.5) / 128 -> nine outputs as SCRFD's decoder reads them.

    H and W are multiples of 32. Scores, boxes and keypoints, each at the strides 8, 16 and 32,
    [cells * 2, 1 or 4 or 10]; both anchors of a cell give the same face.
    """

    def __init__(self, network: DetectorNetwork) -> None:
        super().__init__()
        self.network = network

    def forward(self, picture: torch.Tensor) -> tuple[torch.Tensor, ...]:
        maps = self.network(functional.avg_pool2d(picture, POOLING))
        parts = [level.split(list(NUMBERS), dim=1) for level in maps]
        scores = [_rows(score.sigmoid()) for score, _, _ in parts]
        boxes = [_rows(box * OFFSET_UNIT) for _, box, _ in parts]
        keypoints = [_rows(points * OFFSET_UNIT) for _, _, points in parts]
        return (*scores, *boxes, *keypoints)


def _rows(level: torch.Tensor) -> torch.Tensor:
    """[1, K, h, w] -> [h * w * 2, K], cells row by row."""
    numbers = level.shape[1]
    both = torch.cat([level] * ANCHORS, dim=1)
    return both.permute(0, 2, 3, 1).reshape(-1, numbers)


def targets_of(faces: Sequence[Faces], level: int, side: int) -> Tensors:
    """Wanted answers of a level for canvases of `side` x `side` pooled pixels.

    `scores` [N, h, w] in 0..1; `offsets` [N, 14, h, w], box and keypoints of the nearest face in
    the network's unit, and `sizes` [N, h, w] of that face in it. Names end with the level.
    """
    step = STRIDES[level] // POOLING
    cells = side // step
    smallest, largest = FACE_SIZES[level]
    # An anchor lies at its cell's upper left corner.
    line = np.arange(cells, dtype=np.float32) * step
    points = np.stack(np.meshgrid(line, line), axis=-1)
    scores = np.zeros((len(faces), cells, cells), np.float32)
    offsets = np.zeros((len(faces), cells, cells, 14), np.float32)
    sizes = np.ones((len(faces), cells, cells), np.float32)
    for number, (boxes, keypoints) in enumerate(faces):
        for box, face in zip(boxes, keypoints, strict=True):
            size = float(np.sqrt(np.prod(box[2:] - box[:2])))
            if not smallest <= size < largest:
                continue
            score = _wanted_scores(points, (box[:2] + box[2:]) / 2, max(TARGET_WIDTH * size, step))
            here = score > scores[number]
            scores[number][here] = score[here]
            offsets[number][here] = _ways(points[here], box, face) / (step * OFFSET_UNIT)
            sizes[number][here] = size / (step * OFFSET_UNIT)
    return {
        f"scores_{level}": torch.from_numpy(scores),
        f"offsets_{level}": torch.from_numpy(offsets).movedim(-1, 1),
        f"sizes_{level}": torch.from_numpy(sizes),
    }


def _wanted_scores(points: np.ndarray, middle: np.ndarray, spread: float) -> np.ndarray:
    """[h, w] in 0..1 by the distance from a face's middle; the nearest cell wants 1."""
    squares = ((points - middle) ** 2).sum(axis=-1)
    return np.exp((squares.min() - squares) / (2 * spread**2))


def _ways(points: np.ndarray, box: np.ndarray, keypoints: np.ndarray) -> np.ndarray:
    """Ways from points [K, 2] to a box's left, top, right, bottom and to its keypoints: [K, 14]."""
    there = keypoints[None] - points[:, None]
    return np.concatenate([points - box[:2], box[2:] - points, there.reshape(-1, 10)], axis=1)


def level_loss(answer: torch.Tensor, given: Tensors, level: int) -> torch.Tensor:
    """One level's map [N, 15, h, w] -> sums [3]: the score's and the offsets' errors, and weights.

    The score's is quality focal loss (arXiv 2006.04388): cross entropy with a soft target,
    weighted by the squared distance to it, so that the many clear cells weigh little.
    """
    wanted, scores = given[f"scores_{level}"], answer[:, 0]
    entropy = functional.binary_cross_entropy_with_logits(scores, wanted, reduction="none")
    weights = wanted * (wanted > POSITIVE)
    # In face sizes, so that large and small faces count alike.
    errors = (answer[:, 1:] - given[f"offsets_{level}"]).abs() / given[f"sizes_{level}"][:, None]
    errors = functional.smooth_l1_loss(
        errors, torch.zeros_like(errors), beta=0.02, reduction="none"
    )
    score = (entropy * (scores.sigmoid() - wanted).square()).sum()
    return torch.stack([score, (errors.mean(dim=1) * weights).sum(), weights.sum()])


def detector_loss(network: nn.Module, given: Tensors) -> tuple[torch.Tensor, Tensors]:
    """The loss of a batch over all levels."""
    levels = enumerate(network(given["pictures"]))
    sums = torch.stack([level_loss(answer, given, level) for level, answer in levels]).sum(0)
    score, offset = sums[:2] / sums[2].clamp(min=1)
    figures = {"score": score.detach(), "offset": offset.detach()}
    return score + OFFSETS_WEIGHT * offset, figures


def detector_batches(canvases: Canvases, batch: int) -> Draw:
    """Draws canvases and what the network shall answer.

    `pictures` [batch, 3, 160, 160] as the network takes them, and `targets_of` them.
    """

    def draw(generator: torch.Generator) -> Tensors:
        rng = np.random.default_rng(int(torch.randint(1 << 62, (), generator=generator)))
        drawn = [canvases.draw(rng) for _ in range(batch)]
        worse = degrade(unit_pictures(np.stack([picture for picture, _, _ in drawn])), generator)
        found = {"pictures": (worse * 255 - 127.5) / 128}
        faces = [(boxes, points) for _, boxes, points in drawn]
        for level in range(len(STRIDES)):
            found |= targets_of(faces, level, CANVAS)
        return found

    return draw


def detected(
    path: Path, pictures: Sequence[np.ndarray] | np.ndarray, size: int
) -> Iterator[np.ndarray]:
    """Keypoints [K, 5, 2] that the file finds in each picture [H, W, 3] uint8 RGB at one input
    size, at scores from 0.5 on."""
    from insightface.model_zoo.scrfd import SCRFD  # noqa: TID251 - measured as the pack runs it

    from instantid_core.libraries import open_sessions

    detector: Any = SCRFD(session=open_sessions([path], "cpu")[0])
    detector.prepare(ctx_id=0, det_thresh=0.5, nms_thresh=0.4)
    for picture in pictures:
        yield detector.detect(picture[..., ::-1], input_size=(size, size))[1]


def measure(path: Path, albums: Sequence[Album], size: int) -> dict[str, float]:
    """Measure how the file finds the albums' faces at one input size.

    `recall`: share of faces with a detection whose keypoints are `NEAR` on average; `keypoints`:
    their mean error in face heights; `spurious`: further detections per picture.
    """
    errors, detections = [], 0
    for album in albums:
        found = detected(path, album.images, size)
        for points, boxes, wanted in zip(found, album.boxes, album.keypoints, strict=True):
            way = np.linalg.norm(points[:, None] - wanted[None], axis=-1).mean(axis=-1)
            errors.append((way / (boxes[:, 3] - boxes[:, 1])).min(axis=0, initial=np.inf))
            detections += len(points)
    every = np.concatenate(errors).astype(float)
    near = every[every < NEAR]
    return {
        "recall": len(near) / len(every),
        "keypoints": float(near.mean()) if len(near) else 1.0,
        "spurious": (detections - len(near)) / len(errors),
    }


def main() -> None:
    """Train, write the ONNX file and `report.json` into the loop's folder."""
    parser = face_model_parser(
        __doc__, steps=1200, batch=24, learning_rate=2e-3, ema_decay=0.99, held_out_pictures=300
    )
    parser.add_argument("--pairs", type=int, default=4_000)
    arguments = parser.parse_args()
    loop = loop_settings(arguments, NAME)
    kinds = (painted(arguments, kind) for kind in ("single", "pairs"))
    albums, held_out = zip(*kinds, strict=True)
    draw = detector_batches(Canvases(albums, loop.seed), loop.batch)
    network = channels_last(DetectorNetwork())
    network = train_finished(network, draw, detector_loss, loop, 40)
    # As insightface's SCRFD opens it; height and width are free.
    axes = {"input.1": {2: "height", 3: "width"}}
    for kind in ("score", "bbox", "kps"):
        axes |= {f"{kind}_{stride}": {0: f"anchors_{kind}_{stride}"} for stride in STRIDES}
    example, path = torch.zeros(1, 3, CANVAS * POOLING, CANVAS * POOLING), loop.folder / FILE
    export(ExportedDetector(network), example, path, axes)
    report = {str(size): measure(path, held_out, size) for size in (640, 256)}
    empty = [len(found) for found in detected(path, empty_scenes(200, loop.seed + 1), 640)]
    report["640"]["false_alarms"] = sum(empty) / len(empty)
    write_report(loop.folder, report)


if __name__ == "__main__":
    main()
