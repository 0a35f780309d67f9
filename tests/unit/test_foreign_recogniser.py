"""A file with InstantID's layout that wants another recogniser is refused by name and by hash."""

from __future__ import annotations

import pytest

from instantid_core.adapter import require_own_recogniser
from instantid_core.adapter.foreign_recogniser import UNNORM_SHA256, UNNORM_SIZE
from instantid_core.errors import CheckpointError

PUBLISHED = 1691134141


def never() -> str:
    raise AssertionError("a file was read for nothing")


@pytest.mark.parametrize(
    ("name", "size", "sha256"),
    [
        ("ip-adapter-faceid-portrait_sdxl_unnorm.bin", 5, never),
        ("my/IP-Adapter-UNNORM.safetensors", 5, never),
        ("ip-adapter.bin", UNNORM_SIZE, lambda: UNNORM_SHA256),
    ],
)
def test_the_file_is_refused(name: str, size: int, sha256: object) -> None:
    with pytest.raises(CheckpointError, match="buffalo_l") as caught:
        require_own_recogniser(name, size, sha256)  # type: ignore[arg-type]
    assert str(caught.value).startswith(f"'{name}' is IP-Adapter FaceID-Portrait unnorm")


def test_others_are_not_read_for_it() -> None:
    require_own_recogniser("ip-adapter.bin", PUBLISHED, never)
    require_own_recogniser("ip-adapter.bin", UNNORM_SIZE, lambda: "another")
