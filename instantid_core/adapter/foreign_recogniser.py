"""Files that have InstantID's layout and want another recogniser's embeddings."""

from __future__ import annotations

from collections.abc import Callable

from ..errors import CheckpointError

UNNORM = "unnorm"
"""Part of the name of h94's ip-adapter-faceid-portrait_sdxl_unnorm.bin, by which IPAdapter_plus
knows it as well."""
UNNORM_SIZE = 1009523411
UNNORM_SHA256 = "220bb86e205393a3d0411631cb473caddbf35fd371be2905ca9008818170db55"
"""As a public inventory of a ComfyUI installation lists the published file."""


def require_own_recogniser(name: str, size: int, sha256: Callable[[], str]) -> None:
    """Refuse FaceID-Portrait unnorm, which no shape tells from InstantID's adapter.

    name: the file's. size: in bytes. sha256: reads the file, and is asked only where the size is
    that of the published one. Raises CheckpointError.
    """
    is_it = UNNORM in name.lower() or (size == UNNORM_SIZE and sha256() == UNNORM_SHA256)
    if is_it:
        raise CheckpointError(
            f"'{name}' is IP-Adapter FaceID-Portrait unnorm, not InstantID's adapter: its layout "
            "is the same, but it wants embeddings of buffalo_l's recogniser, and likeness would be "
            "lost. Choose InstantID's ip-adapter.bin (1.69 GB), or load this file with "
            "IPAdapter_plus."
        )
