"""Train InstantID as the paper does: `python -m training.instantid_training --folder RUN`.

The base model is frozen. The image adapter and IdentityNet learn to predict the noise of a picture
from its text, its five keypoints and the embedding of its own face; neither text nor identity is
dropped (arXiv 2401.07519, section 3.3).
"""

from __future__ import annotations

import argparse
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import torch
from torch import nn
from torch.nn.attention import SDPBackend, sdpa_kernel

from instantid_core.keypoints import draw_frame
from instantid_core.types import Box, Detection, Extent, FrameFaces

from .adapter_network import InstantID
from .base_training import add_window_argument, face_places, view
from .buckets import AlbumSizes, add_album_arguments, album_sizes, choose, load_album
from .diffusion import WEIGHTINGS, add_noise, noise_loss, offset_noise, size_numbers
from .face_embeddings import album_embeddings
from .foundation import Foundation, Text, load_foundation
from .frozen_hint_encoder import KeptFeatures, load_hint_encoder, take_features
from .loop import Tensors, add_loop_arguments, load_trained, loop_settings, start_from, train
from .networks.autoencoder import FACTOR, LATENT_CHANNELS
from .networks.denoiser import TIMESTEPS

if TYPE_CHECKING:
    from .dataset import Album

NAME = "instantid"
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
    identities: np.ndarray
    """[N]: whom the pictures show."""
    boxes: np.ndarray
    """[N, 1, 4] pixels."""
    features: KeptFeatures | None = None
    """Features of the hints, where the hint encoder no longer learns."""

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
        return self.hints(indices) if self.features is None else self.features(indices)

    def views(
        self, indices: torch.Tensor, side: int, generator: torch.Generator
    ) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor, torch.Tensor]:
        """Latents, condition, places and size condition of whole pictures or windows of `side`."""
        latents, condition = self.latents[indices], self.condition(indices)
        places = self.places[indices]
        if not side:
            sizes = size_numbers(self.extent.height, self.extent.width, len(indices))
            return latents, condition, places, sizes
        both = torch.cat([latents, condition], dim=1)
        both, places, sizes = view(both, places, self.boxes[indices], side, generator)
        return both[:, :LATENT_CHANNELS], both[:, LATENT_CHANNELS:], places, sizes

    @cached_property
    def others(self) -> list[np.ndarray]:
        """For each picture the other pictures of its person, or itself where there are none."""
        order = np.argsort(self.identities, kind="stable")
        groups = np.split(order, np.flatnonzero(np.diff(self.identities[order])) + 1)
        of = {int(i): group for group in groups for i in group}
        return [of[i][of[i] != i] if len(of[i]) > 1 else of[i] for i in range(len(order))]

    def sources(self, indices: torch.Tensor, generator: torch.Generator) -> torch.Tensor:
        """For each picture another one of the same person, drawn at random."""
        drawn = torch.rand(len(indices), generator=generator).tolist()
        pools = (self.others[index] for index in indices.tolist())
        chosen = [pool[int(share * len(pool))] for pool, share in zip(pools, drawn, strict=True)]
        return torch.tensor(chosen)

    def text_of(self, indices: torch.Tensor) -> Text:
        """Context and pooled embedding of some pictures' captions."""
        rows = self.captions[indices]
        return self.text[0][rows], self.text[1][rows]


def hint_of(keypoints: np.ndarray, extent: tuple[int, int]) -> torch.Tensor:
    """[1, 3, H, W] in 0..1 for keypoints [5, 2]; extent: height and width."""
    drawn = hint_picture(keypoints, Extent(extent[1], extent[0]))
    return torch.from_numpy(drawn).movedim(-1, 0)[None].float() / 255


def hint_picture(keypoints: np.ndarray, extent: Extent) -> np.ndarray:
    """IdentityNet's condition for keypoints [5, 2] in pixels: [H, W, 3] uint8."""
    face = Detection(Box(0, 0, *extent), 1.0, keypoints)
    return draw_frame(FrameFaces(extent, (face,)), extent, "stretch")


def prepare(
    foundation: Foundation,
    album: Album,
    latents: torch.Tensor,
    embeddings: torch.Tensor,
    face_weight: float = 1.0,
) -> Portraits:
    """Gather what training takes of an album; its captions are encoded once."""
    captions, text = foundation.encode_distinct(album.captions)
    return Portraits(
        latents,
        captions,
        text,
        embeddings,
        album.keypoints[:, 0],
        face_places(album.boxes, album.images.shape[1:3], face_weight),
        album.identities[:, 0],
        album.boxes,
    )


def load_portraits(arguments: argparse.Namespace, foundation: Foundation) -> dict[str, Portraits]:
    """The run's albums of one person, ready for training."""
    sizes = album_sizes(arguments)
    portraits = {}
    for kind in (kind for kind in sizes.kinds if kind != "pairs"):
        album = load_album(arguments.folder, kind, sizes)
        kept = arguments.folder / NAME / f"embeddings-{kind}.npy"
        latents = foundation.latents_of(album, kind)
        embeddings = album_embeddings(album, arguments.recogniser, kept)
        portraits[kind] = prepare(foundation, album, latents, embeddings, arguments.face_weight)
    return portraits


def with_features(portraits: Portraits, identity_net: nn.Module, path: Path) -> Portraits:
    """The same portraits with their hints encoded by a frozen encoder and kept at `path`."""
    count = len(portraits.latents)
    return replace(portraits, features=KeptFeatures(identity_net, portraits.hints, path, count))


def train_instantid(arguments: argparse.Namespace) -> None:
    """Train the image adapter and IdentityNet on a run's base model, or on a published one."""
    settings = loop_settings(arguments, NAME)
    torch.manual_seed(settings.seed)
    foundation = load_foundation(arguments.folder, arguments.pretrained)
    portraits = load_portraits(arguments, foundation)
    counts = {kind: len(album.latents) for kind, album in portraits.items()}
    model = InstantID(foundation.unet)
    if arguments.start:
        print(f"{start_from(model, arguments.start)} tensors taken over", flush=True)
    if arguments.hint_encoder:
        load_hint_encoder(model.identity_net, arguments.hint_encoder)
        net = model.identity_net
        kept = {kind: settings.folder / f"hints-{kind}.bin" for kind in portraits}
        portraits = {kind: with_features(a, net, kept[kind]) for kind, a in portraits.items()}
        take_features(net)
    trained = sum(p.numel() for p in model.parameters() if p.requires_grad)
    print(f"{trained / 1e6:.2f} M trained parameters", flush=True)

    def loss_of(network: nn.Module, generator: torch.Generator) -> tuple[torch.Tensor, Tensors]:
        kind, indices = choose(counts, arguments.batch, generator)
        album, side = portraits[kind], arguments.window if arguments.hint_encoder else 0
        latents, condition, places, sizes = album.views(indices, side, generator)
        noise = offset_noise(latents.shape, arguments.noise_offset, generator)
        timesteps = torch.randint(TIMESTEPS, (len(indices),), generator=generator)
        sources = album.sources(indices, generator) if arguments.another_picture else indices
        noisy = add_noise(latents, noise, timesteps)
        text, embeddings = album.text_of(indices), album.embeddings[sources]
        with kernels_for(latents.device):
            found = network(noisy, timesteps, text, sizes, embeddings, condition)
        return noise_loss(found, noise, timesteps, arguments.weighting, places)

    train(model, loss_of, settings, pace)


def kernels_for(device: torch.device) -> AbstractContextManager[object]:
    """Attention as plain products on CPUs: their fused kernel is slower over a few dozen places."""
    return sdpa_kernel(SDPBackend.MATH) if device.type == "cpu" else nullcontext()


def pace(name: str) -> float:
    """Learning rate of a parameter, as a multiple of the learning rate."""
    return next((factor for beginning, factor in PACES if name.startswith(beginning)), 1.0)


def load_instantid(run: Path) -> InstantID:
    """The InstantID that a run has trained on its own base model, frozen."""
    return load_trained(InstantID(load_foundation(run, None).unet), run / NAME)


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
    parser.add_argument(
        "--hint-encoder", type=Path, help="an earlier training's weights.pt, to keep its encoder"
    )
    parser.add_argument("--recogniser", type=Path, required=True, help="the file glintr100.onnx")
    parser.add_argument("--pretrained", type=Path, help="an SDXL pipeline in diffusers' layout")
    parser.add_argument(
        "--another-picture", action="store_true", help="embed another picture of the same person"
    )
    add_window_argument(parser)
    parser.set_defaults(batch=32, ema_decay=0.999)
    train_instantid(parser.parse_args())


if __name__ == "__main__":
    main()
