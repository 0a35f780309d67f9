"""From faces to an identity, and the identity to steer away from."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import torch

from ..errors import SettingError, one_of
from ..types import EMBEDDING_WIDTH, Faces, IdentityEmbedding, Recogniser
from .people import person_of
from .robust import ROBUST, weigh, weighted_mean

COMBINE = ("average", "normalized_average", "sequence", ROBUST)
OLDER_NAMES = {"norm average": "normalized_average", "concat": "sequence"}
"""Names in the older InstantID pack for ComfyUI, and in graphs made for it."""
NEGATIVE = ("zeros", "noise")


class NegativeIdentity(NamedTuple):
    """The identity of the negative rows."""

    kind: str = "zeros"
    """`zeros`: the resampler applied to zeros, as in the reference. `noise`: applied to noise."""
    strength: float = 0.35
    """Upper end of the uniform noise; only for `noise`."""
    seed: int = 0


def combine(faces: Faces, how: str) -> IdentityEmbedding:
    """Make one identity of all selected faces.

    how: `average` takes the mean embedding (what InstantID's authors advise for several photos);
    `normalized_average` gives every photo the same say by averaging directions and restoring the
    mean length; `sequence` hands all embeddings to the resampler, which the reference allows;
    `robust` takes the mean of the faces that agree, clear ones counting more.
    No face at all gives an identity that is nobody (N = 0).
    """
    how = one_of("combine", OLDER_NAMES.get(how, how), COMBINE)
    recogniser = recogniser_of(faces)
    if not faces.count:
        return IdentityEmbedding(torch.empty(0, 1, EMBEDDING_WIDTH), recogniser)
    embeddings = torch.from_numpy(np.stack([face.embedding for face in faces.known])).float()
    if how == "average":
        embeddings = embeddings.mean(0, keepdim=True)
    elif how == ROBUST:
        embeddings = weighted_mean(embeddings, weigh(faces).weights)
    elif how == "normalized_average":
        embeddings = _mean_direction(embeddings)
    return IdentityEmbedding(embeddings.unsqueeze(0), recogniser, person_of(faces))


def recogniser_of(faces: Faces) -> Recogniser:
    """The recogniser that has read all these faces. Raises SettingError for a pose."""
    if faces.recogniser is None or faces.count != len(faces.known):
        raise SettingError(
            "A pose says where a face is, not whose it is. Expected faces of a photo, from "
            "InstantID Analyze Faces."
        )
    return faces.recogniser


def _mean_direction(embeddings: torch.Tensor) -> torch.Tensor:
    """[F, 512] -> [1, 512]: mean of the directions at the mean length."""
    if len(embeddings) == 1:
        return embeddings
    lengths = embeddings.norm(dim=-1, keepdim=True).clamp(min=1e-12)
    direction = (embeddings / lengths).mean(0, keepdim=True)
    return direction / direction.norm() * lengths.mean()


def negative_references(references: torch.Tensor, negative: NegativeIdentity) -> torch.Tensor:
    """[N, S, 512] -> the same shape, for the negative rows. The global RNG is not touched."""
    if one_of("negative_identity", negative.kind, NEGATIVE) == "zeros":
        return torch.zeros_like(references)
    generator = torch.Generator(device="cpu").manual_seed(negative.seed)
    return negative.strength * torch.rand(references.shape, generator=generator)
