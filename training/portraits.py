"""Pictures of one person with their embeddings, as the trainings on a person see them."""

from __future__ import annotations

import argparse
from collections.abc import Iterator
from typing import TYPE_CHECKING

from .buckets import album_sizes, load_album
from .diffusion_batches import Bucket, bucket_of
from .face_embeddings import album_embeddings
from .face_likeness import ways_back
from .foundation import Foundation

if TYPE_CHECKING:
    from .dataset import Album

KEPT = "instantid"
"""Folder of a run where the embeddings stay."""


def portraits(
    arguments: argparse.Namespace, foundation: Foundation
) -> Iterator[tuple[str, Album, Bucket]]:
    """The run's albums of one person by kind, one at a time, and their buckets."""
    sizes = album_sizes(arguments)
    for kind in (kind for kind in sizes.kinds if kind != "pairs"):
        album = load_album(arguments.folder, kind, sizes)
        kept = arguments.folder / KEPT / f"embeddings-{kind}-{len(album)}.npy"
        embeddings = album_embeddings(album, arguments.recogniser, kept)
        captions, text = foundation.encode_distinct(album.captions)
        back = ways_back(album.keypoints[:, 0])
        told = {"captions": captions, "embeddings": embeddings, "back": back}
        latents = foundation.latents_of(album, kind)
        yield kind, album, bucket_of(album, latents, told, arguments.face_weight, text)
