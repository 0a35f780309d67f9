"""The published model files: their list, an inventory, and their download.

Standard library only.
"""

from . import installation
from .background_job import DownloadJob
from .comfyui_folders import KINDS, ExtraPathsError, model_roots
from .download import Progress, RetryPolicy, sha256_of
from .face_model_files import (
    BUFFALO,
    BUFFALO_RECOGNISER,
    DETECTOR,
    FOREIGN_RECOGNISERS,
    MODEL_PACK,
    PACKS,
    PUBLISHED_BUFFALO,
    PUBLISHED_RECOGNISER,
    RECOGNISER,
    FaceModelFiles,
    find_models,
)
from .inventory import Found, Item, State, files_below, may_serve, scan, size_of
from .manifest import (
    HOW_TO_GET,
    MIRROR_VARIABLE,
    Download,
    chosen,
    published,
    relatives,
    shown_mirror,
)
from .retrieval import fetch, require_space_for

__all__ = [
    "BUFFALO",
    "BUFFALO_RECOGNISER",
    "DETECTOR",
    "FOREIGN_RECOGNISERS",
    "HOW_TO_GET",
    "KINDS",
    "MIRROR_VARIABLE",
    "MODEL_PACK",
    "PACKS",
    "PUBLISHED_BUFFALO",
    "PUBLISHED_RECOGNISER",
    "RECOGNISER",
    "Download",
    "DownloadJob",
    "ExtraPathsError",
    "FaceModelFiles",
    "Found",
    "Item",
    "Progress",
    "RetryPolicy",
    "State",
    "chosen",
    "fetch",
    "files_below",
    "find_models",
    "installation",
    "may_serve",
    "model_roots",
    "published",
    "relatives",
    "require_space_for",
    "scan",
    "sha256_of",
    "shown_mirror",
    "size_of",
]
