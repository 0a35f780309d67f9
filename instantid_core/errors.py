"""Failures that a user can cause, and the checks of single values that raise them.

Messages say what was expected, what was found, what to do. Standard library only.
"""

from __future__ import annotations

import math


class InstantIDError(Exception):
    """Base of all errors raised on purpose by this package."""


class ImageError(InstantIDError):
    """An image or mask that cannot be read as pixels."""


class NoFaceError(InstantIDError):
    """A face was required and none was found."""


class FaceModelError(InstantIDError):
    """The face models (antelopev2) are missing, broken, or of another family."""


class CheckpointError(InstantIDError):
    """A file that is not an InstantID image adapter."""


class IncompatibleModelError(InstantIDError):
    """A base model or ControlNet that the loaded adapter was not trained for."""


class SettingError(InstantIDError):
    """A widget value, or a combination of values, that has no meaning."""


class DownloadError(InstantIDError):
    """A model file that could not be fetched, or that was not the published one."""


class DownloadCancelledError(InstantIDError):
    """A download that somebody stopped; what had come is kept for the next time."""


class ArchiveError(InstantIDError):
    """An archive that does not hold what it should, or holds what it should not."""


class InstallationError(InstantIDError):
    """A ComfyUI or its Python that was not found where it was looked for."""


class IdentityError(InstantIDError):
    """Identities that cannot be taken together, or nobody where somebody is needed."""


class IdentityFileError(InstantIDError):
    """A file that holds no identity, or that cannot be written."""


class TensorFileError(InstantIDError):
    """A file whose figures do not fit its bytes. The message is a reason and names no file."""


class UnknownNumbersError(TensorFileError):
    """A whole file with numbers in a format that its kind cannot tell."""


def finite(name: str, value: float) -> float:
    """Check that a widget's number is a number. Raises SettingError for NaN and infinity."""
    if not math.isfinite(value):
        raise SettingError(f"{name} must be a finite number, found {value}.")
    return value
