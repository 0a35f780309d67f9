"""OpenCV, imported on first use: it is not part of the host and takes a while to load."""

import sys
from types import ModuleType

from .errors import InstantIDError
from .native_libraries import OPENCVS, require_whole
from .repairs import IMPORT_FAILURES, OPENCV, first_line, install


def import_cv2() -> ModuleType:
    """The cv2 module. Raises InstantIDError with the command to run when it does not work."""
    try:
        if "cv2" not in sys.modules:
            require_whole(OPENCVS)
        import cv2

        cv2.fillConvexPoly  # noqa: B018  absent when one of two builds was removed
    except IMPORT_FAILURES as error:
        missing = isinstance(error, ModuleNotFoundError) and error.name == "cv2"
        command = install(OPENCV) if missing else install(OPENCV, "--force-reinstall", "--no-deps")
        raise InstantIDError(
            f"OpenCV cannot be imported ({first_line(error)}). Faces and drawings need it: run "
            f"{command}. Then start ComfyUI again."
        ) from error
    return cv2
