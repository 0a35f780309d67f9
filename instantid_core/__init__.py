"""InstantID without a host: faces, identities, the image adapter, keypoint pictures.

Nothing here imports ComfyUI. Modules that need OpenCV, insightface or ONNX Runtime are imported
by those who use them, so that this package costs a start-up little.
"""

from .errors import InstantIDError

__all__ = ["InstantIDError"]
