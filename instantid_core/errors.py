"""Failures that a user can cause. Messages say what was expected, what was found, what to do."""


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
