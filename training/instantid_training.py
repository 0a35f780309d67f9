"""Train InstantID as the paper does: `python -m training.instantid_training --folder RUN`.

The base model is frozen. The image adapter and IdentityNet learn to predict the noise of a picture
from its text, its five keypoints and the embedding of its own face; neither text nor identity is
dropped (arXiv 2401.07519, section 3.3).
"""

from __future__ import annotations

import argparse
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import torch
from torch import nn
from torch.nn.attention import SDPBackend, sdpa_kernel

from instantid_core.keypoints import draw_frame
from instantid_core.types import Box, Detection, Extent, FrameFaces

from .adapter_network import InstantID
from .buckets import AlbumSizes, add_album_arguments, album_sizes, choose, load_album
from .diffusion import WEIGHTINGS, add_noise, draw_timesteps, noise_loss, offset_noise, size_numbers
from .face_embeddings import album_embeddings
from .foundation import Foundation, Text, load_foundation
from .frozen_hint_encoder import hint_features, load_hint_encoder, take_features
from .loop import WEIGHTS_FILE, Tensors, add_loop_arguments, loop_settings, train
from .networks.autoencoder import FACTOR

if TYPE_CHECKING:
    from .dataset import Album

NAME = "instantid"
ENCODED_TOGETHER = 256
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


@dataclass(frozen=True)
class Portraits:
    """Data that InstantID's training takes from an album with one person a picture."""

    latents: torch.Tensor
    """[N, 4, h, w], unit variance."""
    captions: torch.Tensor
    """[N] int64, rows of `text`."""
    text: Text
    """Context [n, T, C] and pooled [n, P] of the distinct captions."""
    embeddings: torch.Tensor
    """[N, 512], raw."""
    keypoints: np.ndarray
    """[N, 5, 2] pixels."""
    places: torch.Tensor
    """[N, 1, h, w]: how much each place counts in the loss, of mean 1."""
    features: torch.Tensor | None = None
    """[N, C, h, w] bfloat16, where the hint encoder no longer learns."""

    @property
    def extent(self) -> Extent:
        """Size of the pictures in pixels."""
        return Extent(self.latents.shape[3] * FACTOR, self.latents.shape[2] * FACTOR)

    def hints(self, indices: torch.Tensor) -> torch.Tensor:
        """Keypoints drawn at the pictures' size: [B, 3, H, W] in 0..1."""
        drawn = [hint_picture(self.keypoints[index], self.extent) for index in indices.tolist()]
        return torch.from_numpy(np.stack(drawn)).movedim(-1, 1).float() / 255

    def condition(self, indices: torch.Tensor) -> torch.Tensor:
        """Input of IdentityNet: drawn keypoints, or a frozen hint encoder's features of them."""
        return self.hints(indices) if self.features is None else self.features[indices].float()

    def text_of(self, indices: torch.Tensor) -> Text:
        """Context and pooled embedding of some pictures' captions."""
        rows = self.captions[indices]
        return self.text[0][rows], self.text[1][rows]


def hint_picture(keypoints: np.ndarray, extent: Extent) -> np.ndarray:
    """IdentityNet's condition for keypoints [5, 2] in pixels: [H, W, 3] uint8."""
    face = Detection(Box(0, 0, *extent), 1.0, keypoints)
    return draw_frame(FrameFaces(extent, (face,)), extent, "stretch")


def face_places(boxes: np.ndarray, extent: Extent, weight: float) -> torch.Tensor:
    """Weights of the places of latents, [N, 1, h, w] of mean 1: `weight` at a face, else 1.

    boxes: of the faces, [N, 4] pixels.
    """
    x0, y0, x1, y1 = (torch.from_numpy(side)[:, None, None] for side in boxes.T / FACTOR)
    x = torch.arange(extent.width // FACTOR) + 0.5
    y = torch.arange(extent.height // FACTOR)[:, None] + 0.5
    inside = (x > x0) & (x < x1) & (y > y0) & (y < y1)
    places = 1 + (weight - 1) * inside[:, None].float()
    return places / places.mean((1, 2, 3), keepdim=True)


def prepare(
    foundation: Foundation, album: Album, embeddings: torch.Tensor, face_weight: float = 1.0
) -> Portraits:
    """Encode an album's pictures and captions once, before training."""
    extent = Extent(album.images.shape[2], album.images.shape[1])
    captions, text = foundation.encode_distinct(album.captions)
    return Portraits(
        foundation.encode_pictures(torch.from_numpy(album.images)),
        captions,
        text,
        embeddings,
        album.keypoints[:, 0],
        face_places(album.boxes[:, 0], extent, face_weight),
    )


def load_portraits(arguments: argparse.Namespace, foundation: Foundation) -> dict[str, Portraits]:
    """The run's albums of one person, ready for training."""
    sizes = album_sizes(arguments)
    portraits = {}
    for kind in (kind for kind in sizes.kinds if kind != "pairs"):
        album = load_album(arguments.folder, kind, sizes)
        kept = arguments.folder / NAME / f"embeddings-{kind}.npy"
        embeddings = album_embeddings(album, arguments.recogniser, kept)
        portraits[kind] = prepare(foundation, album, embeddings, arguments.face_weight)
    return portraits


def with_features(portraits: Portraits, identity_net: nn.Module) -> Portraits:
    """The same portraits with their hints already encoded."""
    parts = torch.arange(len(portraits.latents)).split(ENCODED_TOGETHER)
    features = [hint_features(identity_net, portraits.hints(part)) for part in parts]
    return replace(portraits, features=torch.cat(features))


def train_instantid(arguments: argparse.Namespace) -> None:
    """Train the image adapter and IdentityNet on a run's base model, or on a published one."""
    settings = loop_settings(arguments, NAME)
    torch.manual_seed(settings.seed)
    foundation = load_foundation(arguments.folder, arguments.pretrained)
    portraits = load_portraits(arguments, foundation)
    counts = {kind: len(album.latents) for kind, album in portraits.items()}
    model = InstantID(foundation.unet)
    if arguments.hint_encoder:
        load_hint_encoder(model.identity_net, arguments.hint_encoder)
        net = model.identity_net
        portraits = {kind: with_features(album, net) for kind, album in portraits.items()}
        take_features(net)
    trained = sum(p.numel() for p in model.parameters() if p.requires_grad)
    print(f"{trained / 1e6:.2f} M trained parameters", flush=True)

    def loss_of(network: nn.Module, generator: torch.Generator) -> tuple[torch.Tensor, Tensors]:
        kind, indices = choose(counts, arguments.batch, generator)
        album, batch = portraits[kind], len(indices)
        latents = album.latents[indices]
        noise = offset_noise(latents.shape, arguments.noise_offset, generator)
        timesteps = draw_timesteps(batch, arguments.timesteps == "cubic", generator)
        known = torch.rand(batch, 1, generator=generator) >= arguments.zero_embedding_rate
        with kernels_for(latents.device):
            found = network(
                add_noise(latents, noise, timesteps),
                timesteps,
                album.text_of(indices),
                size_numbers(album.extent.height, album.extent.width, batch),
                album.embeddings[indices] * known,
                album.condition(indices),
            )
        return noise_loss(found, noise, timesteps, arguments.weighting, album.places[indices])

    train(model, loss_of, settings, pace)


def kernels_for(device: torch.device) -> AbstractContextManager[object]:
    """Attention as plain products on CPUs: their fused kernel is slower over a few dozen places."""
    return sdpa_kernel(SDPBackend.MATH) if device.type == "cpu" else nullcontext()


def pace(name: str) -> float:
    """Learning rate of a parameter, as a multiple of the learning rate."""
    return next((factor for beginning, factor in PACES if name.startswith(beginning)), 1.0)


def load_instantid(run: Path) -> InstantID:
    """The InstantID that a run has trained on its own base model, frozen."""
    model = InstantID(load_foundation(run, None).unet)
    weights = torch.load(run / NAME / WEIGHTS_FILE, weights_only=True)
    missing, unexpected = model.load_state_dict(weights, strict=False)
    absent = [name for name in missing if not name.startswith("unet.")]
    if absent or unexpected:
        raise ValueError(f"{run} holds another model: differs at {[*absent, *unexpected][:3]}.")
    return model.requires_grad_(False).eval()


def main() -> None:
    """The command line."""
    parser = argparse.ArgumentParser(description=__doc__)
    add_loop_arguments(parser, steps=8500)
    add_album_arguments(parser, AlbumSizes())
    parser.add_argument("--noise-offset", type=float, default=0.15)
    parser.add_argument("--weighting", choices=WEIGHTINGS, default="even")
    parser.add_argument(
        "--face-weight", type=float, default=1.0, help="of the loss at a face; the paper has none"
    )
    parser.add_argument("--timesteps", choices=("uniform", "cubic"), default="uniform")
    parser.add_argument(
        "--hint-encoder", type=Path, help="an earlier training's weights.pt, to keep its encoder"
    )
    parser.add_argument("--recogniser", type=Path, required=True, help="the file glintr100.onnx")
    parser.add_argument("--pretrained", type=Path, help="an SDXL pipeline in diffusers' layout")
    parser.add_argument(
        "--zero-embedding-rate",
        type=float,
        default=0.0,
        help="share of embeddings replaced by zeros; the paper has none",
    )
    parser.set_defaults(batch=32, ema_decay=0.999)
    train_instantid(parser.parse_args())


if __name__ == "__main__":
    main()
