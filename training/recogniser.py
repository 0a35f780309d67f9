"""The small world's recogniser: aligned crops to embeddings, in glintr100's place.

Trained with CosFace's additive margin (arXiv 1801.09414) between the faces of a batch: with one
direction per identity, four pictures each are too few to turn six thousand directions. As in
ArcFace's nets the last layer is a batch norm without gain, so that embeddings are centred: two
strangers have a cosine near 0, and a raw embedding is about sqrt(512) = 22.6 long.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import torch
from torch import nn
from torch.nn import functional

from .alignment import CROP_SIDE, crops, jittered, normalised
from .command_line import loop_settings
from .dataset import Album
from .degradation import degrade, unit_pictures
from .loop import Draw, Tensors, channels_last
from .onnx_files import (
    REPORT_BATCH,
    convolution,
    export,
    face_model_parser,
    painted,
    train_finished,
    write_report,
)

NAME, JUDGE = "recogniser", "judge"
FILE = "glintr100.onnx"
JUDGE_FILE = "judge.onnx"
"""Conditions nothing and judges all figures, so that generation cannot please its own measure."""
EMBEDDING_WIDTH = 512
WIDTHS = (16, 32, 80, 160)
"""Channels at 1/2, 1/4, 1/8 and 1/16 of the crop's side."""
MARGIN = 0.2
"""Lead that the cosine of two pictures of one person must have."""
COSINE_SCALE = 16.0
"""Cosines are multiplied by this before the softmax."""
PEOPLE = 48
"""Identities in a batch: several pictures of each meet in one step."""
JITTER = 0.02
"""Keypoint noise as a fraction of the face's height."""


class EmbeddingNetwork(nn.Module):
    """[N, 3, 112, 112] RGB in -1..1 -> [N, 512] raw embeddings."""

    def __init__(self, widths: tuple[int, int, int, int] = WIDTHS) -> None:
        super().__init__()
        first, second, third, fourth = widths
        self.features = nn.Sequential(
            *convolution(3, first, 2),
            *convolution(first, second, 2), _Residual(second),
            *convolution(second, third, 2), _Residual(third),
            *convolution(third, fourth, 2), _Residual(fourth),
        )  # fmt: skip
        # One weight per place and channel (MobileFaceNet, arXiv 1804.07573) instead of a mean:
        # where a feature lies in an aligned crop matters.
        side = CROP_SIDE // 16
        self.gather = nn.Conv2d(fourth, fourth * 2, side, groups=fourth, bias=False)
        self.gather_norm = nn.BatchNorm2d(fourth * 2)
        self.embed = nn.Linear(fourth * 2, EMBEDDING_WIDTH, bias=False)
        self.centre = nn.BatchNorm1d(EMBEDDING_WIDTH, affine=False)

    def forward(self, crops: torch.Tensor) -> torch.Tensor:
        x = self.gather_norm(self.gather(self.features(crops)))
        return self.centre(self.embed(x.flatten(1)).float())


class JudgeNetwork(nn.Module):
    """The same answers from another architecture: patches, then depthwise and pointwise layers
    (ConvNeXt, arXiv 2201.03545, with batch norms), and the mean over places in the end."""

    def __init__(self, widths: tuple[int, int, int] = (40, 80, 160)) -> None:
        super().__init__()
        layers: list[nn.Module] = []
        for inputs, outputs, patch in zip((3, *widths), widths, (4, 2, 2), strict=False):
            layers += [nn.Conv2d(inputs, outputs, patch, patch), nn.BatchNorm2d(outputs)]
            layers += [_Mixer(outputs), _Mixer(outputs)]
        self.features = nn.Sequential(*layers)
        self.embed = nn.Linear(2 * widths[-1], EMBEDDING_WIDTH, bias=False)
        self.centre = nn.BatchNorm1d(EMBEDDING_WIDTH, affine=False)

    def forward(self, crops: torch.Tensor) -> torch.Tensor:
        x = self.features(crops)
        pooled = torch.cat([x.mean((2, 3)), x.amax((2, 3))], dim=1)
        return self.centre(self.embed(pooled).float())


class _Mixer(nn.Module):
    def __init__(self, width: int) -> None:
        super().__init__()
        self.layers = nn.Sequential(
            nn.Conv2d(width, width, 5, padding=2, groups=width, bias=False),
            nn.BatchNorm2d(width),
            nn.Conv2d(width, 2 * width, 1), nn.GELU(), nn.Conv2d(2 * width, width, 1),
        )  # fmt: skip

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return x + self.layers(x)


class _Residual(nn.Module):
    def __init__(self, width: int) -> None:
        super().__init__()
        self.layers = nn.Sequential(*convolution(width, width), *convolution(width, width)[:2])

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return torch.relu(x + self.layers(x))


def margin_loss(network: nn.Module, given: Tensors) -> tuple[torch.Tensor, Tensors]:
    """CosFace with the batch's own faces as directions: `pictures` and `labels` [N].

    Every pair of one person is a softmax of its own: the pair's cosine less `MARGIN` against the
    cosines with everybody else in the batch. Gives the mean over pairs, and as `misses` the share
    of pairs that are not closer than every stranger.
    """
    labels = given["labels"]
    units = functional.normalize(network(given["pictures"]).float())
    # Half the precision would be a tenth of the loss: cosines are multiplied by a large number.
    with torch.autocast(units.device.type, enabled=False):
        cosines = units @ units.T
    same = labels[:, None] == labels[None]
    strangers = cosines.masked_fill(same, -torch.inf)
    others = (COSINE_SCALE * strangers).logsumexp(dim=1, keepdim=True)
    losses = functional.softplus(others - COSINE_SCALE * (cosines - MARGIN))
    pairs = same.float() - torch.eye(len(labels), device=labels.device)
    missed = (cosines <= strangers.amax(dim=1, keepdim=True)).float()
    misses = (missed * pairs).sum() / pairs.sum()
    return (losses * pairs).sum() / pairs.sum(), {"misses": misses.detach()}


def face_batches(album: Album, batch: int) -> Draw:
    """Draws degraded, aligned crops from an album; every face counts once.

    `pictures`, crops [batch, 3, 112, 112] in -1..1, and `labels` [batch].
    """
    # A face's number: picture * people in a picture + place.
    people, labels = np.unique(album.identities.ravel(), return_inverse=True)

    def draw(generator: torch.Generator) -> Tensors:
        rng = np.random.default_rng(int(torch.randint(1 << 62, (), generator=generator)))
        chosen = rng.choice(len(people), min(PEOPLE, len(people)), replace=False)
        pool = np.concatenate([np.flatnonzero(labels == person) for person in chosen])
        faces = rng.choice(pool, batch, replace=len(pool) < batch)
        pictures, places = np.divmod(faces, album.identities.shape[1])
        worse = degrade(unit_pictures(album.images[pictures]), generator)
        images = (worse * 255).round().byte().movedim(1, -1).contiguous().numpy()
        points = jittered(album.keypoints[pictures, places], rng, JITTER)
        found = normalised(crops(images, points))
        return {"pictures": found, "labels": torch.from_numpy(labels[faces])}

    return draw


@torch.no_grad()
def verify(network: nn.Module, album: Album) -> dict[str, Any]:
    """Measure how well embeddings of each picture's first face tell people apart who were not in
    the training, over all pairs.

    `same` and `different` are mean cosines; `accepted` is the share of pairs of one person above
    the cosine that one pair in a hundred of two people exceeds.
    """
    faces = normalised(crops(album.images, album.keypoints[:, 0]))
    raw = torch.cat([network(part) for part in faces.split(REPORT_BATCH)])
    units = functional.normalize(raw)
    upper = torch.triu(torch.ones(len(raw), len(raw), dtype=torch.bool), diagonal=1)
    people = torch.from_numpy(album.identities[:, 0])
    cosines, same = units @ units.T, people[:, None] == people[None]
    threshold = float(np.quantile(cosines[upper & ~same].numpy(), 0.99))
    return {
        "same": float(cosines[upper & same].mean()),
        "different": float(cosines[upper & ~same].mean()),
        "threshold": threshold,
        "accepted": float((cosines[upper & same] > threshold).float().mean()),
        "norm": float(raw.norm(dim=1).mean()),
    }


def main() -> None:
    """Train, write the ONNX file and `report.json` into the loop's folder."""
    parser = face_model_parser(__doc__, steps=1100, batch=128, learning_rate=3e-3, ema_decay=0.99)
    parser.add_argument("--judge", action="store_true", help="another net, that only judges")
    arguments = parser.parse_args()
    judge = arguments.judge
    loop = loop_settings(arguments, JUDGE if judge else NAME)
    album, held_out = painted(arguments)
    network = channels_last(JudgeNetwork() if judge else EmbeddingNetwork())
    draw = face_batches(album, loop.batch)
    network = train_finished(network, draw, margin_loss, loop, 24)
    write_report(loop.folder, verify(network, held_out))
    # As insightface's ArcFaceONNX opens it: any number of crops at once.
    axes = {"input.1": {0: "crops"}, "embedding": {0: "crops"}}
    path = loop.folder / (JUDGE_FILE if judge else FILE)
    export(network, torch.zeros(1, 3, CROP_SIDE, CROP_SIDE), path, axes)


if __name__ == "__main__":
    main()
