"""OpenCV, imported on first use: it is not part of the host and takes a while to load."""

from types import ModuleType

from .errors import InstantIDError


def import_cv2() -> ModuleType:
    """The cv2 module. Raises InstantIDError with the command to run when it is not installed."""
    try:
        import cv2
    except (ImportError, OSError) as error:
        raise InstantIDError(
            f"OpenCV cannot be imported ({error}). Drawing needs it: run "
            "'python -m pip install opencv-python' with ComfyUI's Python."
        ) from error
    return cv2
