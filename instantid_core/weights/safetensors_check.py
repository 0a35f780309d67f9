"""Tensor files are hostile until their own figures fit the bytes that are there.

What a file claims (sizes, counts, places) is compared with the file before anything of that size is
allocated. `torch_archive` does the same for PyTorch's format.
"""

from __future__ import annotations

import json
import struct
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from ..errors import TensorFileError

HEADER_LIMIT = 1 << 20
"""Bytes of names, shapes and notes. The published adapter needs 20 thousand."""
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
NOTES = "__metadata__"


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
        [_span(name, header[name]) for name in header if name != NOTES], size - 8 - length
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
    """Where a tensor's bytes are, if their number fits its shape."""
    entry = entry if isinstance(entry, dict) else {}
    span, number = entry.get("data_offsets"), NUMBER_BYTES.get(str(entry.get("dtype")))
    if number is None or not _whole_numbers(span) or len(span) != 2:
        raise TensorFileError(f"the entry of tensor {shown(name)} is not complete")
    wanted = elements(entry.get("shape"), name) * number
    start, end = span
    if end - start != wanted:
        raise TensorFileError(
            f"tensor {shown(name)} claims {wanted} bytes by its shape, {end - start} by its place"
        )
    return start, end


def _require_tiling(spans: Sequence[tuple[int, int]], size: int) -> None:
    """Tensors lie one behind the other and fill the file: none outside, none on another."""
    end_before = 0
    for start, end in sorted(spans):
        if start != end_before:
            raise TensorFileError("its tensors overlap, or leave gaps")
        end_before = end
    if end_before != size:
        raise TensorFileError(f"its tensors claim {end_before} bytes, the file has {size} for them")


def elements(shape: Any, name: str) -> int:
    """How many numbers a shape holds. Raises TensorFileError for what is no shape."""
    if not _whole_numbers(shape) or len(shape) > DIMENSION_LIMIT:
        raise TensorFileError(f"the shape of tensor {shown(name)} is not a list of sizes")
    count = 1
    for side in shape:
        if side > SIDE_LIMIT:
            raise TensorFileError(f"tensor {shown(name)} has a side of {side}")
        count *= side
    return count


def _whole_numbers(value: Any) -> bool:
    """Whether it is a row of numbers from 0 on; True and False are none."""
    return isinstance(value, (list, tuple)) and all(
        type(number) is int and number >= 0 for number in value
    )


def shown(name: str) -> str:
    """A name for a message: not longer than a line, nothing that a terminal would act on."""
    return ascii(name[:60])
