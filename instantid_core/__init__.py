"""InstantID without a host, in packages: each shows in its `__init__` what others may use.

Values that travel are in `types`, errors in `errors`, pictures as tensors and bytes in `images`.
Arrows between packages go one way:

    adapter -> identity -> faces -> keypoints -> libraries
    adapter, identity -> weights        faces, doctor -> models -> libraries

`models`, `doctor` and `libraries` need the standard library alone. Nothing here imports ComfyUI,
and importing `instantid_core` imports none of them.
"""

from .errors import InstantIDError
from .moved import explain_moved_modules

__all__ = ["InstantIDError"]

explain_moved_modules(__name__)
