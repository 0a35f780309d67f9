"""Train the small world's autoencoder: `python -m training.autoencoder_training --folder RUN`.

L1, a Laplacian pyramid that keeps small features sharp (Optimizing the Latent Space of Generative
Networks, arXiv 1707.05776, section 3), the squared error, the likeness that the run's recogniser
finds, and a small Kullback-Leibler term (Latent Diffusion, arXiv 2112.10752, appendix G).
"""

from __future__ import annotations

import argparse
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import torch
from torch import nn
from torch.nn import functional

from .buckets import Lots, add_album_arguments, album_sizes, load_albums, pictures_of
from .face_embeddings import remembered
from .face_likeness import FaceLikeness, ways_back
from .loop import (
    WEIGHTS_FILE,
    Tensors,
    add_loop_arguments,
    channels_last,
    loop_settings,
    start_from,
    train,
    training_device,
)
from .networks.autoencoder import FACTOR, LATENT_CHANNELS, SCALE, Autoencoder
from .recogniser import NAME as RECOGNISER

if TYPE_CHECKING:
    from .dataset import Album

NAME = "autoencoder"
STATISTICS_FILE = "statistics.pt"
BATCH = 64
"""Pictures that are encoded at once where nothing is trained."""
ENCODERS_PACE = 0.4
"""Learning rate of an encoder that was trained before: a UNet that knows its latents still does."""


@dataclass(frozen=True)
class LossWeights:
    """Weights of the loss's terms."""

    edges: float = 1.0
    squares: float = 2.0
    faces: float = 0.3
    """Of 1 - the cosine of a face's embeddings; 0 leaves the recogniser out."""
    divergence: float = 1e-5
    """Per latent number; keeps latents near a unit Gaussian without blurring pictures."""
    pyramid_levels: int = 2


def pyramid_loss(found: torch.Tensor, wanted: torch.Tensor, levels: int) -> torch.Tensor:
    """L1 between Laplacian pyramids of pictures [B, 3, H, W], the finest level first."""
    error, total = found - wanted, found.new_zeros(())
    for _ in range(levels):
        coarse = functional.avg_pool2d(error, 2)
        total = total + (error - functional.interpolate(coarse, scale_factor=2)).abs().mean()
        error = coarse
    return total + error.abs().mean()


class AutoencoderLoss:
    """The loss of a batch: `images` [B, H, W, 3] uint8, `noise` of the latents and the `back` ways
    of its first faces (see `FaceLikeness`)."""

    def __init__(self, weights: LossWeights, likeness: FaceLikeness | None) -> None:
        self.weights, self.likeness = weights, likeness

    def __call__(self, network: nn.Module, given: Tensors) -> tuple[torch.Tensor, Tensors]:
        """The weighted sum, and its terms."""
        pictures, weights = pictures_of(given["images"]), self.weights
        found, mean, log_variance = network(pictures, given["noise"])
        found = found.float()
        terms = {
            "l1": (found - pictures).abs().mean(),
            "edges": weights.edges * pyramid_loss(found, pictures, weights.pyramid_levels),
            "squares": weights.squares * (found - pictures).square().mean(),
            "divergence": 0.5 * (mean.square() + log_variance.exp() - 1 - log_variance).mean(),
        }
        terms["divergence"] = weights.divergence * terms["divergence"]
        if self.likeness:
            cosines = self.likeness(found, pictures, given["back"])
            terms["faces"] = weights.faces * (1 - cosines.mean())
        total = torch.stack(list(terms.values())).sum()
        return total, {name: value.detach() for name, value in terms.items()}


class AutoencoderBatches:
    """Draws whole pictures of albums that lie on the training's device."""

    def __init__(self, albums: dict[str, Album], batch: int) -> None:
        device = training_device()
        self.lots = Lots({kind: len(album) for kind, album in albums.items()}, batch, device)
        self.values = {
            kind: {
                "images": torch.from_numpy(album.images).to(device),
                "back": ways_back(album.keypoints[:, 0]).to(device),
            }
            for kind, album in albums.items()
        }

    def draw(self, generator: torch.Generator) -> Tensors:
        """The batch of a step; generator: on the CPU."""
        kind, rows = self.lots.draw(generator)
        found = {name: values[rows] for name, values in self.values[kind].items()}
        count, height, width, _ = found["images"].shape
        shape = (count, LATENT_CHANNELS, height // FACTOR, width // FACTOR)
        own = self.lots.own
        return found | {"noise": torch.randn(shape, generator=own, device=own.device)}


@torch.no_grad()
def encoded(run: Path, images: np.ndarray) -> Iterator[np.ndarray]:
    """[N, H, W, 3] uint8 -> latents of unit variance, [b, 4, H / 8, W / 8]: posterior means of the
    run's autoencoder."""
    device = training_device()
    autoencoder = channels_last(load_autoencoder(run)).to(device)
    for part in torch.from_numpy(images).split(BATCH):
        latents = autoencoder.encode(pictures_of(part.to(device))) * SCALE
        yield latents.cpu().contiguous().numpy()


def album_latents(run: Path, album: Album, kind: str) -> torch.Tensor:
    """Latents [N, 4, h, w] of unit variance of a run's album, by its autoencoder; kept on disk."""
    kept, source = run / NAME / f"latents-{kind}-{len(album)}.npy", run / NAME / WEIGHTS_FILE
    return remembered(kept, source, len(album), encoded(run, album.images))


@torch.no_grad()
def measure_statistics(
    autoencoder: Autoencoder, images: list[torch.Tensor]
) -> tuple[torch.Tensor, torch.Tensor]:
    """Mean and deviation of raw latents per channel, each [4], over some pictures."""
    parts = [part for album in images for part in album.split(BATCH)]
    means = [autoencoder.posterior(pictures_of(part))[0] for part in parts]
    raw = torch.cat([mean.movedim(1, 0).flatten(1) for mean in means], dim=1)
    return raw.mean(1), raw.std(1)


def load_autoencoder(run: Path) -> Autoencoder:
    """The autoencoder that a run has trained, with its statistics."""
    autoencoder = Autoencoder()
    folder = run / NAME
    weights = torch.load(folder / WEIGHTS_FILE, weights_only=True)
    weights |= torch.load(folder / STATISTICS_FILE, weights_only=True)
    autoencoder.load_state_dict(weights)
    return autoencoder.requires_grad_(False).eval()


def train_autoencoder(arguments: argparse.Namespace) -> None:
    """Train on a run's albums, then measure the latents' statistics."""
    settings, run = loop_settings(arguments, NAME), arguments.folder
    batches = AutoencoderBatches(load_albums(run, album_sizes(arguments)), settings.batch)
    weights = LossWeights(
        squares=arguments.squares, faces=arguments.faces, divergence=arguments.divergence
    )
    likeness = FaceLikeness(run / RECOGNISER / WEIGHTS_FILE) if weights.faces else None
    loss_of = AutoencoderLoss(weights, likeness and likeness.to(training_device()))
    network = channels_last(Autoencoder())
    start_from(network, arguments.start)

    def pace(name: str) -> float:
        return ENCODERS_PACE if arguments.start and name.startswith("encoder.") else 1.0

    averages = train(network, batches.draw, loss_of, settings, pace)
    network.load_state_dict(averages, strict=False)
    images = [values["images"][:1000] for values in batches.values.values()]
    mean, deviation = (value.cpu() for value in measure_statistics(network.eval(), images))
    statistics = {"latent_mean": mean, "latent_deviation": deviation}
    torch.save(statistics, settings.folder / STATISTICS_FILE)
    print(f"latent mean {mean.tolist()}, deviation {deviation.tolist()}")


def main() -> None:
    """The command line."""
    parser = argparse.ArgumentParser(description=__doc__)
    add_loop_arguments(parser, steps=3000)
    add_album_arguments(parser)
    weights = LossWeights()
    parser.add_argument("--squares", type=float, default=weights.squares, help="of squared errors")
    parser.add_argument("--faces", type=float, default=weights.faces, help="of faces' likeness")
    parser.add_argument(
        "--divergence",
        type=float,
        default=weights.divergence,
        help="weight of the Kullback-Leibler term; smaller keeps more detail",
    )
    train_autoencoder(parser.parse_args())


if __name__ == "__main__":
    main()
