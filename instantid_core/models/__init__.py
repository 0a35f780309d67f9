"""The published model files: what they are, which are present, and how to download them.

Standard library only.
"""

from . import installation
from .background_job import DownloadJob
from .comfyui_folders import KINDS, ExtraPathsError, model_roots
from .disk_space import require_space_for_all
from .download import Manners, Progress, sha256_of
from .face_model_files import (
    DETECTOR,
    FOREIGN_RECOGNISERS,
    MODEL_PACK,
    PUBLISHED_RECOGNISER,
    RECOGNISER,
    FaceModelFiles,
    find_models,
)
from .folders import files_below, size_of
from .inventory import Found, Item, State, may_serve, take_stock
from .manifest import HOW_TO_GET, MIRROR_VARIABLE, Download, chosen, published
from .retrieval import fetch

__all__ = [
    "DETECTOR",
    "FOREIGN_RECOGNISERS",
    "HOW_TO_GET",
    "KINDS",
    "MIRROR_VARIABLE",
    "MODEL_PACK",
    "PUBLISHED_RECOGNISER",
    "RECOGNISER",
    "Download",
    "DownloadJob",
    "ExtraPathsError",
    "FaceModelFiles",
    "Found",
    "Item",
    "Manners",
    "Progress",
    "State",
    "chosen",
    "fetch",
    "files_below",
    "find_models",
    "installation",
    "may_serve",
    "model_roots",
    "published",
    "require_space_for_all",
    "sha256_of",
    "size_of",
    "take_stock",
]
