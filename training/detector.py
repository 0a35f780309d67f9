"""The small world's face detector, in scrfd_10g_bnkps.onnx's place.

It averages 4 x 4 pixels first, so that 640 x 640 costs what 160 x 160 does. A pyramid of three
levels (strides 8, 16 and 32 of the full input) gives per cell a score, the distances to the box's
sides and the way to the five keypoints, in units of the stride (SCRFD, arXiv 2105.04714).
"""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import nn
from torch.nn import functional

from .dataset import Album, load_or_paint
from .degradation import degrade
from .denoised_augmentation import VAGUE_TIMES, load_vague
from .detector_canvases import CANVAS, Canvases, Faces, empty_scenes
from .loop import LoopSettings, Tensors, add_loop_arguments, loop_settings, train
from .onnx_files import export, finish, write_report
from .world import HELD_OUT

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


@dataclass(frozen=True)
class DetectorSettings:
    """The network's sizes and the weights of its loss."""

    batch: int = 24
    widths: tuple[int, int, int, int] = (24, 48, 96, 96)
    """Channels at 1/2, 1/4, 1/8 and 1/16 of the pooled picture's side."""
    offsets: float = 8.0
    """Weight of the box's and the keypoints' error beside the score's."""


class DetectorNetwork(nn.Module):
    """Pooled pictures [N, 3, h, w] in -1..1 -> per level a map [N, 15, h / s, w / s].

    s: 2, 4, 8. Channels: score before the sigmoid, 4 numbers of the box, 10 of the keypoints.
    """

    def __init__(self, widths: tuple[int, int, int, int]) -> None:
        super().__init__()
        first, second, third, fourth = widths
        self.steps = nn.ModuleList(
            [
                nn.Sequential(_block(3, 16, 2), _block(16, first)),
                nn.Sequential(_block(first, second, 2), _block(second, second)),
                nn.Sequential(_block(second, third, 2), _block(third, third)),
                nn.Sequential(
                    _block(third, fourth, 2), _block(fourth, fourth), _block(fourth, fourth)
                ),
            ]
        )
        # From a coarser level to the next finer one, as far as the finest that answers.
        self.lower = nn.ModuleList(
            [nn.Conv2d(second, first, 1), nn.Conv2d(third, second, 1), nn.Conv2d(fourth, third, 1)]
        )
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
    layer = nn.Conv2d(inputs, outputs, 3, stride, padding=1, bias=False)
    return nn.Sequential(layer, nn.BatchNorm2d(outputs), nn.ReLU(inplace=True))


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


@dataclass(frozen=True)
class Targets:
    """Wanted answers of one level."""

    scores: torch.Tensor
    """[N, h, w] in 0..1."""
    offsets: torch.Tensor
    """[N, 14, h, w]: box and keypoints of the nearest face in the network's unit."""
    sizes: torch.Tensor
    """[N, h, w]: that face's size in the network's unit."""


def targets_of(faces: Sequence[Faces], level: int, side: int) -> Targets:
    """Wanted answers of a level for canvases of `side` x `side` pooled pixels."""
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
    moved = torch.from_numpy(offsets).movedim(-1, 1)
    return Targets(torch.from_numpy(scores), moved, torch.from_numpy(sizes))


def _wanted_scores(points: np.ndarray, middle: np.ndarray, spread: float) -> np.ndarray:
    """[h, w] in 0..1 by the distance from a face's middle; the nearest cell wants 1."""
    squares = ((points - middle) ** 2).sum(axis=-1)
    return np.exp((squares.min() - squares) / (2 * spread**2))


def _ways(points: np.ndarray, box: np.ndarray, keypoints: np.ndarray) -> np.ndarray:
    """Ways from points [K, 2] to a box's left, top, right, bottom and to its keypoints: [K, 14]."""
    there = keypoints[None] - points[:, None]
    return np.concatenate([points - box[:2], box[2:] - points, there.reshape(-1, 10)], axis=1)


def level_loss(answer: torch.Tensor, targets: Targets) -> tuple[torch.Tensor, torch.Tensor]:
    """One level's map [N, 15, h, w] -> sums of the score's and the offsets' errors.

    The score's is quality focal loss (arXiv 2006.04388): cross entropy with a soft target,
    weighted by the squared distance to it, so that the many clear cells weigh little.
    """
    scores = answer[:, 0]
    distance = (scores.sigmoid() - targets.scores).abs()
    entropy = functional.binary_cross_entropy_with_logits(scores, targets.scores, reduction="none")
    weights = targets.scores * (targets.scores > POSITIVE)
    # In face sizes, so that large and small faces count alike.
    errors = (answer[:, 1:] - targets.offsets).abs() / targets.sizes[:, None]
    errors = functional.smooth_l1_loss(
        errors, torch.zeros_like(errors), beta=0.02, reduction="none"
    )
    return (entropy * distance.square()).sum(), (errors.mean(dim=1) * weights).sum()


class DetectorLoss:
    """Draws canvases and compares the network's answers with their faces."""

    def __init__(self, canvases: Canvases, settings: DetectorSettings) -> None:
        self.canvases = canvases
        self.settings = settings

    def draw(self, generator: torch.Generator) -> tuple[torch.Tensor, list[Faces]]:
        """Pictures [batch, 3, 160, 160] as the network takes them, and their faces."""
        rng = np.random.default_rng(int(torch.randint(1 << 62, (), generator=generator)))
        drawn = [self.canvases.draw(rng) for _ in range(self.settings.batch)]
        pictures = torch.from_numpy(np.stack([picture for picture, _, _ in drawn]))
        worse = degrade(pictures.movedim(-1, 1).float() / 255, generator)
        return (worse * 255 - 127.5) / 128, [(boxes, points) for _, boxes, points in drawn]

    def __call__(
        self, network: nn.Module, generator: torch.Generator
    ) -> tuple[torch.Tensor, Tensors]:
        """The loss of one batch."""
        pictures, faces = self.draw(generator)
        device = next(network.parameters()).device
        answers = network(pictures.to(device))
        score_error, offset_error, count = 0.0, 0.0, 0.0
        for level, answer in enumerate(answers):
            targets = targets_of(faces, level, CANVAS)
            targets = Targets(*(value.to(device) for value in vars(targets).values()))
            scores, offsets = level_loss(answer.float(), targets)
            score_error, offset_error = score_error + scores, offset_error + offsets
            count = count + (targets.scores * (targets.scores > POSITIVE)).sum()
        count = torch.clamp(torch.as_tensor(count), min=1)
        score_loss, offset_loss = score_error / count, offset_error / count
        figures = {"score": score_loss.detach(), "offset": offset_loss.detach()}
        return score_loss + self.settings.offsets * offset_loss, figures


def train_detector(
    albums: Sequence[Album],
    held_out: Sequence[Album],
    settings: DetectorSettings,
    loop: LoopSettings,
) -> dict[str, Any]:
    """Train, write the ONNX file and `report.json` into the loop's folder; give the report."""
    torch.manual_seed(loop.seed)
    loss = DetectorLoss(Canvases(albums, loop.seed), settings)
    network = DetectorNetwork(settings.widths).to(memory_format=torch.channels_last)  # pyright: ignore[reportCallIssue]
    averages = train(network, loss, loop)
    finish(network, averages, loss.draw, 40)
    path = loop.folder / FILE
    write_detector(network, path)
    report = {str(size): measure(path, held_out, size) for size in (640, 256)}
    report["640"]["false_alarms"] = false_alarms(path, empty_scenes(200, loop.seed + 1))
    return write_report(loop.folder, report)


def write_detector(network: DetectorNetwork, path: Path) -> None:
    """Write an ONNX file that insightface's SCRFD opens; height and width are free."""
    names = [f"{kind}_{stride}" for kind in ("score", "bbox", "kps") for stride in STRIDES]
    axes: dict[str, dict[int, str]] = {"input.1": {2: "height", 3: "width"}}
    axes |= {name: {0: f"anchors_{name}"} for name in names}
    example = torch.zeros(1, 3, CANVAS * POOLING, CANVAS * POOLING)
    export(ExportedDetector(network), example, path, names, axes)


def _open(path: Path) -> Any:
    from insightface.model_zoo.scrfd import SCRFD  # noqa: TID251 - measured as the pack runs it

    from instantid_core.libraries import open_sessions

    detector = SCRFD(session=open_sessions([path], "cpu")[0])
    detector.prepare(ctx_id=0, det_thresh=0.5, nms_thresh=0.4)
    return detector


def measure(path: Path, albums: Sequence[Album], size: int) -> dict[str, float]:
    """Measure how the file finds the albums' faces at one input size, at scores from 0.5 on.

    `recall`: share of faces with a detection whose keypoints are within 0.2 face heights on
    average; `keypoints`: their mean error in face heights; `spurious`: further detections per
    picture.
    """
    detector = _open(path)
    errors, faces, spurious, pictures = [], 0, 0, 0
    for album in albums:
        for image, boxes, wanted in zip(album.images, album.boxes, album.keypoints, strict=True):
            _, found = detector.detect(image[..., ::-1], input_size=(size, size))
            heights = boxes[:, 3] - boxes[:, 1]
            way = np.linalg.norm(found[:, None] - wanted[None], axis=-1).mean(axis=-1)
            way = way / heights[None]
            best = way.min(axis=0) if len(found) else np.full(len(wanted), np.inf)
            errors += [float(error) for error in best if error < 0.2]
            faces += len(wanted)
            spurious += len(found) - int((best < 0.2).sum())
            pictures += 1
    return {
        "recall": len(errors) / faces,
        "keypoints": float(np.mean(errors)) if errors else 1.0,
        "spurious": spurious / pictures,
    }


def false_alarms(path: Path, pictures: Sequence[np.ndarray]) -> float:
    """Detections per picture [H, W, 3] uint8 that shows nobody, at a score from 0.5 on."""
    detector = _open(path)
    found = [len(detector.detect(p[..., ::-1], input_size=(640, 640))[0]) for p in pictures]
    return sum(found) / len(found)


def main() -> None:
    """The command line."""
    parser = argparse.ArgumentParser(description=__doc__)
    add_loop_arguments(parser, steps=1200)
    parser.add_argument("--pictures", type=int, default=20_000)
    parser.add_argument("--pairs", type=int, default=4_000)
    parser.add_argument("--held-out-pictures", type=int, default=300)
    parser.add_argument("--vague", action="store_true", help="learn from vague pictures, too")
    parser.add_argument("--album-seed", type=int, default=1)
    parser.set_defaults(batch=24, learning_rate=2e-3, ema_decay=0.99)
    arguments = parser.parse_args()
    folder, seed, count = arguments.folder / "albums", arguments.album_seed, arguments.pictures
    wide = (288, 192)
    albums = [load_or_paint(folder, count, seed)]
    albums.append(load_or_paint(folder, arguments.pairs, seed, wide, 2))
    if arguments.vague:
        # Canvases take each album by its share of all pictures.
        albums += [load_vague(arguments.folder)] * VAGUE_TIMES
    few = arguments.held_out_pictures
    held_out = [load_or_paint(folder, few, 5, numbers=HELD_OUT)]
    held_out.append(load_or_paint(folder, few, 5, wide, 2, HELD_OUT))
    settings = DetectorSettings(batch=arguments.batch)
    train_detector(albums, held_out, settings, loop_settings(arguments, NAME))


if __name__ == "__main__":
    main()
