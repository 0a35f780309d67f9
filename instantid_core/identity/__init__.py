"""Identity embeddings: made from faces, blended, edited, saved to files, and compared."""

from . import (
    albums,
    angles,
    bands,
    blending,
    direction_file,
    directions,
    editing,
    identity_file,
    likeness,
    likeness_figures,
    people,
    person_notes,
    robust,
)
from .best import Best, best, require_as_many
from .embedding import (
    COMBINE,
    NEGATIVE,
    OLDER_NAMES,
    NegativeIdentity,
    combine,
    negative_references,
)
from .identity_file import IdentityFile, Notes, Summary
from .saved_file import UNKNOWN, Kind

__all__ = [
    "COMBINE",
    "NEGATIVE",
    "OLDER_NAMES",
    "UNKNOWN",
    "Best",
    "IdentityFile",
    "Kind",
    "NegativeIdentity",
    "Notes",
    "Summary",
    "albums",
    "angles",
    "bands",
    "best",
    "blending",
    "combine",
    "direction_file",
    "directions",
    "editing",
    "identity_file",
    "likeness",
    "likeness_figures",
    "negative_references",
    "people",
    "person_notes",
    "require_as_many",
    "robust",
]
