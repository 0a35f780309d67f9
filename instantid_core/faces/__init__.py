"""Faces in pictures: found, chosen, embedded, and described to people.

Needs insightface's models to run, and OpenCV and ONNX Runtime, all imported on first use.
"""

from . import advice, portraits, preview
from .advice import (
    about_identity,
    about_landmarks,
    about_pictures,
    about_recogniser,
    about_size,
)
from .analysis import Analysis, analyse
from .analyzer import FaceAnalyzer
from .embedder import Embedder
from .quality import SURE_DETECTION, Flaw, flaws_of
from .recognisers import (
    BASE_MODELS,
    mismatch_message,
    require_pack,
    require_recogniser,
)
from .report import face_report, thumbnails
from .selection import ON_NO_FACE, SELECT, Selection, read_numbers

__all__ = [
    "BASE_MODELS",
    "ON_NO_FACE",
    "SELECT",
    "SURE_DETECTION",
    "Analysis",
    "Embedder",
    "FaceAnalyzer",
    "Flaw",
    "Selection",
    "about_identity",
    "about_landmarks",
    "about_pictures",
    "about_recogniser",
    "about_size",
    "advice",
    "analyse",
    "face_report",
    "flaws_of",
    "mismatch_message",
    "portraits",
    "preview",
    "read_numbers",
    "require_pack",
    "require_recogniser",
    "thumbnails",
]
