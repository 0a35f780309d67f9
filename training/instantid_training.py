"""Train InstantID as the paper does: `python -m training.instantid_training --folder RUN`.

The base model is frozen. The image adapter and IdentityNet learn to predict the noise of a picture
from its text, its five keypoints and the embedding of its own face; neither text nor identity is
dropped (arXiv 2401.07519, section 3.3). On small latents IdentityNet's hint encoder costs more than
all other networks together, and it is done learning long before they are: so it may be kept still,
what it makes of each picture's keypoints computed once.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import nn
from torch.nn import functional

from instantid_core.keypoints import draw_frame
from instantid_core.types import Box, Detection, Extent, FrameFaces

from .adapter_network import InstantID
from .command_line import loop_settings, settings_of
from .dataset import Album, remembered
from .diffusion import noise_loss, signal_shares
from .diffusion_batches import Batches, BatchSettings, Bucket, diffusion_parser
from .foundation import add_foundation_arguments, load_foundation, portraits
from .latent_recogniser import COVERED, LatentRecogniser, latent_crops
from .latent_recogniser import NAME as READER
from .loop import Loss, Tensors, load_trained, start_from, train, training_device

NAME = "instantid"
LARGEST_LATENT = 5.0
"""In deviations: late predictions show more."""
HINT_ENCODER = "controlnet_cond_embedding"
TOGETHER = 32
"""Pictures whose hints are encoded at once."""
PACES = (
    ("identity_net.controlnet_down_blocks", 10.0),
    ("identity_net.controlnet_mid_block", 10.0),
    ("identity_net.controlnet_cond_embedding.conv_out", 10.0),
    ("identity_net.controlnet_cond_embedding", 3.0),
    ("adapter.resampler", 0.5),
    ("adapter.to_", 2.0),
)
"""Multiples of the learning rate, by the first beginning of a name that fits. Zero convolutions
stand between everything else in IdentityNet and the loss: while they are small, little is learned
behind them. A fast resampler makes the same tokens of everybody before anything learns to read
them.
"""


def hint_picture(keypoints: np.ndarray, extent: Extent) -> np.ndarray:
    """IdentityNet's condition for keypoints [5, 2] in pixels: [H, W, 3] uint8."""
    face = Detection(Box(0, 0, *extent), 1.0, keypoints)
    return draw_frame(FrameFaces(extent, (face,)), extent, "stretch")


def with_hints(
    bucket: Bucket, album: Album, net: nn.Module, encoder: Path | None, kept: Path
) -> Bucket:
    """The bucket with IdentityNet's `hints`: drawn keypoints, or a still encoder's features.

    encoder: the file that the encoder of `net` is from, None where it learns. kept: where the
    features stay for the next run.
    """
    device, points = training_device(), album.keypoints[:, 0]
    extent = Extent(album.images.shape[2], album.images.shape[1])

    def drawn(some: np.ndarray) -> torch.Tensor:
        """[N, 5, 2] -> [N, 3, H, W] uint8."""
        pictures = np.stack([hint_picture(points, extent) for points in some])
        return torch.from_numpy(pictures).movedim(-1, 1).contiguous().to(device)

    def features() -> Iterator[np.ndarray]:
        for start in range(0, len(points), TOGETHER):
            hints = drawn(points[start : start + TOGETHER]).float() / 255
            yield hint_features(net, hints).view(torch.int16).cpu().numpy()

    if encoder is None:
        return replace(bucket, told=bucket.told | {"hints": drawn(points)})
    values = remembered(kept, encoder, len(points), features()).view(torch.bfloat16)
    return replace(bucket, cells=bucket.cells | {"hints": values.to(device)})


def load_hint_encoder(identity_net: nn.Module, weights: Path) -> None:
    """Give IdentityNet the hint encoder that an earlier training wrote to `weights`."""
    values = torch.load(weights, weights_only=True)
    prefix = f"identity_net.{HINT_ENCODER}."
    ours = {name[len(prefix) :]: v for name, v in values.items() if name.startswith(prefix)}
    identity_net.get_submodule(HINT_ENCODER).load_state_dict(ours)


@torch.no_grad()
def hint_features(identity_net: nn.Module, hints: torch.Tensor) -> torch.Tensor:
    """Drawn keypoints [B, 3, 8 h, 8 w] in 0..1 -> [B, C, h, w] bfloat16, before the last layer."""
    encoder: Any = identity_net.get_submodule(HINT_ENCODER)
    features = functional.silu(encoder.conv_in(hints))
    for block in encoder.blocks:
        features = functional.silu(block(features))
    return features.bfloat16()


def take_features(identity_net: nn.Module) -> None:
    """Make IdentityNet take `hint_features` from now on, not pictures.

    Its hint encoder's last layer, which starts at zero, goes on learning. The others get no
    gradient; they stay in the network, and so in its files.
    """
    encoder: Any = identity_net.get_submodule(HINT_ENCODER)
    encoder.forward = encoder.conv_out.forward


def instantid_loss(reader: LatentRecogniser | None = None, weight: float = 0.0) -> Loss:
    """The loss of batches: the error of the noise, and how little of the people is recognised.

    The latents that a prediction shows are read by a recogniser of latents, if there is one; 1 -
    the cosine to the picture's own embedding counts `weight` times, most in the middle of the
    timesteps: early ones show the picture itself, late ones hardly a face.
    """
    reader = reader and reader.to(training_device())
    all_shares = signal_shares().to(training_device())

    def loss_of(network: nn.Module, given: Tensors) -> tuple[torch.Tensor, Tensors]:
        # Pictures are bytes, features are bfloat16.
        hints = given["hints"]
        hints = hints.float() / 255 if hints.dtype == torch.uint8 else hints.float()
        found = network(given | {"hints": hints})
        loss, figures = noise_loss(found, given)
        if reader is None:
            return loss, figures
        shares = all_shares[given["timesteps"]]
        signal = shares.view(-1, 1, 1, 1)
        shown = (given["noisy"] - (1 - signal).sqrt() * found.float()) / signal.sqrt()
        shown = shown.clamp(-LARGEST_LATENT, LARGEST_LATENT)
        crops, inside = latent_crops(shown, given["back"], given["sizes"])
        cosines = functional.cosine_similarity(reader(crops), given["embeddings"])
        counts = shares.sqrt() * (1 - shares) * (inside > COVERED)
        faces = weight * ((1 - cosines) * counts).mean()
        return loss + faces, figures | {"faces": faces.detach()}

    return loss_of


def pace(name: str) -> float:
    """Learning rate of a parameter, as a multiple of the learning rate."""
    return next((factor for beginning, factor in PACES if name.startswith(beginning)), 1.0)


def main() -> None:
    """Train the image adapter and IdentityNet on a run's base model, or on a published one."""
    parser = diffusion_parser(__doc__, steps=8500, batch=32, ema_decay=0.999)
    add_foundation_arguments(parser)
    parser.add_argument(
        "--hint-encoder", type=Path, help="an earlier training's weights.pt, to keep its encoder"
    )
    parser.add_argument(
        "--another-picture", action="store_true", help="embed another picture of the same person"
    )
    parser.add_argument(
        "--identity-weight", type=float, default=0.0, help="of people not recognised; the paper: 0"
    )
    arguments = parser.parse_args()
    settings, encoder = loop_settings(arguments, NAME), arguments.hint_encoder
    foundation = load_foundation(arguments.folder, arguments.pretrained)
    model = InstantID(foundation.unet).to(training_device())
    net, buckets = model.identity_net, {}
    start_from(model, arguments.start)
    if encoder:
        load_hint_encoder(net, encoder)
    for kind, album, bucket in portraits(arguments, foundation):
        kept = settings.folder / f"hints-{kind}-{len(album)}.npy"
        buckets[kind] = with_hints(bucket, album, net, encoder, kept)
    if encoder:
        take_features(net)
    else:
        # A picture of keypoints is not cut.
        arguments.window = 0
    batches = Batches(buckets, settings_of(BatchSettings, arguments))
    weight = arguments.identity_weight
    reader = load_trained(LatentRecogniser(), arguments.folder / READER) if weight else None
    train(model, batches.draw, instantid_loss(reader, weight), settings, pace)


if __name__ == "__main__":
    main()
