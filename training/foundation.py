"""Frozen models that InstantID is trained on, and the pictures that it is trained with.

A UNet, and how pictures and captions reach it: of the small world's own base model, or of a
published SDXL in diffusers' layout.
"""

from __future__ import annotations

import argparse
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import torch
from diffusers import UNet2DConditionModel

from instantid_core.libraries import CPU, import_runtime

from .alignment import crops, normalised, ways_back
from .autoencoder_training import album_latents
from .base_training import load_base
from .dataset import Album, load_albums, pictures_of, remembered
from .diffusion_batches import Bucket, Text, bucket_of
from .loop import Tensors

KEPT = "instantid"
"""Folder of a run where embeddings stay."""
BATCH = 64
"""Faces that are embedded at once, where the file does not say."""


@dataclass(frozen=True)
class Foundation:
    """Frozen models."""

    unet: UNet2DConditionModel
    latents_of: Callable[[Album, str], torch.Tensor]
    """An album and its kind -> latents [N, 4, H / 8, W / 8] of unit variance."""
    encode_captions: Callable[[list[str]], Text]
    """N captions -> context [N, T, C] and pooled [N, P]."""

    def encode_distinct(self, captions: Sequence[str] | np.ndarray) -> tuple[torch.Tensor, Text]:
        """N captions -> for each its row, [N] int64, and the text of the distinct ones."""
        distinct, rows = np.unique(captions, return_inverse=True)
        return torch.from_numpy(rows), self.encode_captions(distinct.tolist())

    def bucket(self, album: Album, kind: str, told: Tensors, face_weight: float) -> Bucket:
        """An album as latents and text, with what else is `told` of its pictures."""
        captions, text = self.encode_distinct(album.captions)
        told = {"captions": captions} | told
        return bucket_of(album, self.latents_of(album, kind), told, face_weight, text)


def portraits(
    arguments: argparse.Namespace, foundation: Foundation
) -> Iterator[tuple[str, Album, Bucket]]:
    """The run's albums of one person by kind, one at a time, and their buckets with embeddings."""
    for kind, album in load_albums(arguments):
        if kind != "pairs":
            kept = arguments.folder / KEPT / f"embeddings-{kind}-{len(album)}.npy"
            parts = embedded(album, arguments.recogniser)
            embeddings = remembered(kept, arguments.recogniser, len(album), parts)
            told = {"embeddings": embeddings, "back": ways_back(album.keypoints[:, 0])}
            yield kind, album, foundation.bucket(album, kind, told, arguments.face_weight)


def embedded(album: Album, recogniser: Path) -> Iterator[np.ndarray]:
    """Raw embeddings of the first face of each picture, by an ONNX file: [b, 512] each."""
    session = import_runtime().InferenceSession(str(recogniser), providers=[CPU])
    entrance, points = session.get_inputs()[0], album.keypoints[:, 0]
    batch = entrance.shape[0] if isinstance(entrance.shape[0], int) else BATCH
    for start in range(0, len(album), batch):
        part = slice(start, start + batch)
        faces = normalised(crops(album.images[part], points[part])).contiguous()
        yield session.run(None, {entrance.name: faces.numpy()})[0]


def add_foundation_arguments(parser: argparse.ArgumentParser) -> None:
    """The command line's frozen models."""
    parser.add_argument("--recogniser", type=Path, required=True, help="the file glintr100.onnx")
    parser.add_argument("--pretrained", type=Path, help="an SDXL pipeline in diffusers' layout")


def load_foundation(run: Path, pretrained: Path | None = None) -> Foundation:
    """The run's own base model, or a pipeline folder of diffusers where one is named."""
    return _published(pretrained) if pretrained else _own(run)


def _own(run: Path) -> Foundation:
    base = load_base(run)
    encoder = base.caption_encoder

    @torch.no_grad()
    def encode_captions(captions: list[str]) -> Text:
        return encoder(torch.tensor([encoder.tokenize(caption) for caption in captions]))

    return Foundation(base.unet, partial(album_latents, run), encode_captions)


def _published(folder: Path) -> Foundation:
    from diffusers import StableDiffusionXLPipeline

    pipeline: Any = StableDiffusionXLPipeline.from_pretrained(folder)
    vae = pipeline.vae.requires_grad_(False)

    @torch.no_grad()
    def latents_of(album: Album, _kind: str) -> torch.Tensor:
        images = torch.from_numpy(album.images).split(1)
        parts = [vae.encode(pictures_of(part)).latent_dist.mean for part in images]
        return torch.cat(parts) * vae.config.scaling_factor

    @torch.no_grad()
    def encode_captions(captions: list[str]) -> Text:
        context, _, pooled, _ = pipeline.encode_prompt(captions, do_classifier_free_guidance=False)
        return context, pooled

    return Foundation(pipeline.unet, latents_of, encode_captions)
