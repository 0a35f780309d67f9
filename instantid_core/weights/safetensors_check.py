"""Validation of a safetensors file's header, before any of its tensors is loaded.

The sizes, counts and offsets in the header are compared with the file before anything of that size
is allocated. The safetensors library validates offsets as well, but it does not see every file:
ComfyUI has a memory-mapping reader of its own, which takes the offsets from the header and bypasses
the library. `torch_zip` does the same for PyTorch's format.
"""

from __future__ import annotations

import json
import struct
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from ..errors import TensorFileError

HEADER_LIMIT = 1 << 20
"""Bytes of names, shapes and metadata. The published adapter needs 20 thousand."""
TENSOR_LIMIT = 4096
"""The published adapter has 191."""
DIMENSION_LIMIT = 8
SIDE_LIMIT = 1 << 31
NUMBER_BYTES = {
    **dict.fromkeys(("F64", "I64", "U64", "C64"), 8),
    **dict.fromkeys(("F32", "I32", "U32"), 4),
    **dict.fromkeys(("F16", "BF16", "I16", "U16"), 2),
    **dict.fromkeys(("I8", "U8", "BOOL", "F8_E4M3", "F8_E5M2"), 1),
}
METADATA = "__metadata__"


def require_sound_safetensors(path: Path) -> None:
    """Compare a safetensors file's header with the file. Raises TensorFileError or OSError."""
    size = path.stat().st_size
    with path.open("rb") as file:
        beginning = file.read(8)
        if len(beginning) < 8:
            raise TensorFileError(f"it has {size} bytes, too few for a header")
        (length,) = struct.unpack("<Q", beginning)
        if length > min(HEADER_LIMIT, size - 8):
            raise TensorFileError(
                f"its header claims {length} bytes, expected at most {min(HEADER_LIMIT, size - 8)}"
            )
        header = _parsed(file.read(length))
    _require_tiling(
        [_span(name, header[name]) for name in header if name != METADATA], size - 8 - length
    )


def _parsed(text: bytes) -> dict[str, Any]:
    try:
        header = json.loads(text.decode("utf-8"))
    except (ValueError, RecursionError) as error:
        raise TensorFileError("its header is not JSON") from error
    if not isinstance(header, dict):
        raise TensorFileError("its header is not a JSON object")
    if len(header) > TENSOR_LIMIT:
        raise TensorFileError(f"it claims {len(header)} tensors, expected at most {TENSOR_LIMIT}")
    return header


def _span(name: str, entry: Any) -> tuple[int, int]:
    """Offsets of a tensor's bytes, whose number must fit its shape."""
    entry = entry if isinstance(entry, dict) else {}
    span, number = entry.get("data_offsets"), NUMBER_BYTES.get(str(entry.get("dtype")))
    if number is None or not _whole_numbers(span) or len(span) != 2:
        raise TensorFileError(f"the entry of tensor {quoted(name)} is incomplete")
    wanted = numel(entry.get("shape"), name) * number
    start, end = span
    if end - start != wanted:
        raise TensorFileError(
            f"tensor {quoted(name)} claims {wanted} bytes by its shape, "
            f"{end - start} by its offsets"
        )
    return start, end


def _require_tiling(spans: Sequence[tuple[int, int]], size: int) -> None:
    """Require that tensors follow each other without gaps or overlaps and fill the file."""
    end_before = 0
    for start, end in sorted(spans):
        if start != end_before:
            raise TensorFileError("its tensors overlap, or leave gaps")
        end_before = end
    if end_before != size:
        raise TensorFileError(f"its tensors claim {end_before} bytes, the file has {size} for them")


def numel(shape: Any, name: str) -> int:
    """Number of elements of a shape. Raises TensorFileError for anything else."""
    if not _whole_numbers(shape) or len(shape) > DIMENSION_LIMIT:
        raise TensorFileError(f"the shape of tensor {quoted(name)} is not a list of sizes")
    count = 1
    for side in shape:
        if side > SIDE_LIMIT:
            raise TensorFileError(f"tensor {quoted(name)} has a side of {side}")
        count *= side
    return count


def _whole_numbers(value: Any) -> bool:
    """Whether the value is a list of non-negative integers; booleans do not count."""
    return isinstance(value, (list, tuple)) and all(
        type(number) is int and number >= 0 for number in value
    )


def quoted(name: str) -> str:
    """A name for a message: short, and without control characters."""
    return ascii(name[:60])
