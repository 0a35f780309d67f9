"""Identity embeddings: made from faces, blended, saved to files, and compared."""

from . import albums, angles, bands, blending, identity_file, likeness, likeness_figures, robust
from .embedding import (
    COMBINE,
    NEGATIVE,
    OLDER_NAMES,
    NegativeIdentity,
    combine,
    negative_references,
)
from .identity_file import IdentityFile, Notes

__all__ = [
    "COMBINE",
    "NEGATIVE",
    "OLDER_NAMES",
    "IdentityFile",
    "NegativeIdentity",
    "Notes",
    "albums",
    "angles",
    "bands",
    "blending",
    "combine",
    "identity_file",
    "likeness",
    "likeness_figures",
    "negative_references",
    "robust",
]
