"""Train the small world's autoencoder: `python -m training.autoencoder_training --folder RUN`.

L1, a Laplacian pyramid that keeps small features sharp (Optimizing the Latent Space of Generative
Networks, arXiv 1707.05776, section 3), the squared error, the likeness that the run's recogniser
finds, and a small Kullback-Leibler term (Latent Diffusion, arXiv 2112.10752, appendix G).
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import torch
from torch import nn
from torch.nn import functional

from .alignment import aligned, ways_back
from .command_line import loop_settings, training_parser
from .dataset import Album, Lots, add_album_arguments, load_albums, pictures_of, remembered
from .loop import (
    WEIGHTS_FILE,
    Draw,
    Loss,
    Tensors,
    channels_last,
    load_trained,
    start_from,
    train,
    training_device,
)
from .networks.autoencoder import FACTOR, LATENT_CHANNELS, SCALE, Autoencoder
from .recogniser import NAME as RECOGNISER
from .recogniser import EmbeddingNetwork

NAME = "autoencoder"
STATISTICS_FILE = "statistics.pt"
BATCH = 64
"""Pictures that are encoded at once where nothing is trained."""
ENCODERS_PACE = 0.4
"""Learning rate of an encoder that was trained before: a UNet that knows its latents still does."""


SQUARES, FACES = 2.0, 0.3
"""Weights beside L1 and the pyramid: of the squared error, and of 1 - the cosine of a face's
embeddings."""
DIVERGENCE = 1e-5
"""Per latent number; keeps latents near a unit Gaussian without blurring pictures."""
LEVELS = 2


def pyramid_loss(found: torch.Tensor, wanted: torch.Tensor, levels: int) -> torch.Tensor:
    """L1 between Laplacian pyramids of pictures [B, 3, H, W], the finest level first."""
    error, total = found - wanted, found.new_zeros(())
    for _ in range(levels):
        coarse = functional.avg_pool2d(error, 2)
        total = total + (error - functional.interpolate(coarse, scale_factor=2)).abs().mean()
        error = coarse
    return total + error.abs().mean()


def face_likeness(
    recogniser: nn.Module, found: torch.Tensor, wanted: torch.Tensor, back: torch.Tensor
) -> torch.Tensor:
    """Cosines [N] of faces in pictures [N, 3, H, W] in -1..1.

    recogniser: one that goes by the statistics of each batch. back: `ways_back` of both.
    """
    crops = aligned(torch.cat([found, wanted]), back.repeat(2, 1, 1))
    first, second = functional.normalize(recogniser(crops).float()).chunk(2)
    return (first * second).sum(1)


def autoencoder_loss(recogniser: nn.Module) -> Loss:
    """The loss of `autoencoder_batches`; for `recogniser` see `face_likeness`."""

    def loss_of(network: nn.Module, given: Tensors) -> tuple[torch.Tensor, Tensors]:
        pictures, back = pictures_of(given["images"]), given["back"]
        found, mean, log_variance = network(pictures, given["noise"])
        found = found.float()
        divergence = 0.5 * (mean.square() + log_variance.exp() - 1 - log_variance).mean()
        terms = {
            "l1": (found - pictures).abs().mean(),
            "edges": pyramid_loss(found, pictures, LEVELS),
            "squares": SQUARES * (found - pictures).square().mean(),
            "divergence": DIVERGENCE * divergence,
            "faces": FACES * (1 - face_likeness(recogniser, found, pictures, back).mean()),
        }
        total = torch.stack(list(terms.values())).sum()
        return total, {name: value.detach() for name, value in terms.items()}

    return loss_of


def autoencoder_batches(albums: dict[str, Tensors], batch: int) -> Draw:
    """Draws of albums that lie on the training's device, as `images` [N, H, W, 3] uint8 and the
    `back` ways of the first faces: the same [batch, ...], and `noise` of the latents."""
    counts = {kind: len(album["images"]) for kind, album in albums.items()}
    lots = Lots(counts, batch, training_device())

    def draw(generator: torch.Generator) -> Tensors:
        kind, rows = lots.draw(generator)
        found = {name: values[rows] for name, values in albums[kind].items()}
        count, height, width, _ = found["images"].shape
        shape = (count, LATENT_CHANNELS, height // FACTOR, width // FACTOR)
        noise = torch.randn(shape, generator=lots.own, device=lots.own.device)
        return found | {"noise": noise}

    return draw


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
def statistics_of(autoencoder: Autoencoder, albums: list[torch.Tensor]) -> Tensors:
    """Mean and deviation of raw latents per channel, each [4], over some pictures."""
    parts = [part for images in albums for part in images.split(BATCH)]
    means = [autoencoder.posterior(pictures_of(part))[0] for part in parts]
    raw = torch.cat([mean.movedim(1, 0).flatten(1) for mean in means], dim=1)
    return {"latent_mean": raw.mean(1).cpu(), "latent_deviation": raw.std(1).cpu()}


def load_autoencoder(run: Path) -> Autoencoder:
    """The autoencoder that a run has trained, with its statistics."""
    autoencoder = load_trained(Autoencoder(), run / NAME)
    statistics = torch.load(run / NAME / STATISTICS_FILE, weights_only=True)
    autoencoder.load_state_dict(statistics, strict=False)
    return autoencoder


def main() -> None:
    """Train on a run's albums, then measure the latents' statistics."""
    parser = training_parser(__doc__)
    add_album_arguments(parser)
    parser.set_defaults(steps=3000)
    arguments = parser.parse_args()
    settings, start = loop_settings(arguments, NAME), arguments.start
    device = training_device()
    albums = {
        kind: {
            "images": torch.from_numpy(album.images).to(device),
            "back": ways_back(album.keypoints[:, 0]).to(device),
        }
        for kind, album in load_albums(arguments)
    }
    recogniser = load_trained(EmbeddingNetwork(), arguments.folder / RECOGNISER).train().to(device)
    network = channels_last(Autoencoder())
    start_from(network, start)

    def pace(name: str) -> float:
        return ENCODERS_PACE if start and name.startswith("encoder.") else 1.0

    draw = autoencoder_batches(albums, settings.batch)
    averages = train(network, draw, autoencoder_loss(recogniser), settings, pace)
    network.load_state_dict(averages, strict=False)
    images = [album["images"][:1000] for album in albums.values()]
    statistics = statistics_of(network.eval(), images)
    torch.save(statistics, settings.folder / STATISTICS_FILE)
    print(statistics)


if __name__ == "__main__":
    main()
