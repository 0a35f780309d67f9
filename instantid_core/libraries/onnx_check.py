"""ONNX files that keep their numbers elsewhere are refused before a runtime opens them.

A tensor may say that its data lie in another file, and ONNX Runtime up to 1.23 follows that to
anywhere on the disk: the bytes of any file would come out as keypoints. The published face models
hold all of their data. Standard library only: this walks over the file's protobuf messages, skips
the numbers, and believes no length before it was compared with the file.
"""

from __future__ import annotations

import mmap
from collections.abc import Iterator
from pathlib import Path

from ..errors import TensorFileError

FIELD_LIMIT = 2_000_000
"""Fields that are looked at in one file. The published recogniser has some ten thousand."""
DEPTH_LIMIT = 32
VARINT, FIXED64, MESSAGE, FIXED32 = 0, 1, 2, 5
EXTERNAL_DATA, DATA_LOCATION = 13, 14
"""Fields of a tensor. Any value of the second but 0 says that its data lie elsewhere."""
TENSOR = "tensor"
CHILDREN: dict[str, dict[int, str]] = {
    "model": {7: "graph", 20: "training", 25: "function"},
    "training": {1: "graph", 2: "graph"},
    "function": {7: "node", 11: "attribute"},
    "graph": {1: "node", 5: TENSOR, 15: "sparse tensor"},
    "node": {5: "attribute"},
    "attribute": {
        **{5: TENSOR, 6: "graph", 10: TENSOR, 11: "graph"},
        **{22: "sparse tensor", 23: "sparse tensor"},
    },
    "sparse tensor": {1: TENSOR, 2: TENSOR},
    TENSOR: {},
}
"""Messages by the number of their field, as onnx.proto has them: the paths to a tensor."""


def require_own_data(path: Path) -> None:
    """Raise TensorFileError unless the file is a row of protobuf messages and every tensor of it
    holds its own data; OSError when it cannot be read."""
    if not path.stat().st_size:
        raise TensorFileError("it is empty")
    with (
        path.open("rb") as file,
        mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as content,
    ):
        _Walk(content).message("model", 0, len(content), 0)


class _Walk:
    """One pass over a file."""

    def __init__(self, content: mmap.mmap) -> None:
        self._content = content
        self._left = FIELD_LIMIT

    def message(self, kind: str, start: int, end: int, depth: int) -> None:
        """Look at a message and at all in it that may hold a tensor."""
        if depth > DEPTH_LIMIT:
            raise TensorFileError(f"its graphs lie more than {DEPTH_LIMIT} deep in each other")
        for field, wire, at, stop in self._fields(start, end):
            if kind == TENSOR and self._is_elsewhere(field, wire, at):
                raise TensorFileError("a tensor of it keeps its data in another file")
            child = CHILDREN[kind].get(field)
            if child is not None and wire == MESSAGE:
                self.message(child, at, stop, depth + 1)

    def _is_elsewhere(self, field: int, wire: int, at: int) -> bool:
        if field == DATA_LOCATION and wire == VARINT:
            return self._varint(at, len(self._content))[0] != 0
        return field in (EXTERNAL_DATA, DATA_LOCATION)

    def _fields(self, start: int, end: int) -> Iterator[tuple[int, int, int, int]]:
        """Number, wire type, and place of each field's content."""
        while start < end:
            self._left -= 1
            tag, start = self._varint(start, end)
            if self._left < 0 or not 8 <= tag < 1 << 32:
                raise TensorFileError("it is no ONNX model")
            wire = tag & 7
            start, stop = self._span(wire, start, end)
            if stop > end:
                raise TensorFileError("it is cut short, or no ONNX model")
            yield tag >> 3, wire, start, stop
            start = stop

    def _span(self, wire: int, start: int, end: int) -> tuple[int, int]:
        if wire == VARINT:
            return start, self._varint(start, end)[1]
        if wire == MESSAGE:
            length, start = self._varint(start, end)
            return start, start + length
        if wire in (FIXED32, FIXED64):
            return start, start + (4 if wire == FIXED32 else 8)
        raise TensorFileError("it is no ONNX model")

    def _varint(self, at: int, end: int) -> tuple[int, int]:
        value = 0
        for shift in range(0, 70, 7):
            if at >= end:
                raise TensorFileError("it is cut short, or no ONNX model")
            byte = self._content[at]
            value |= (byte & 0x7F) << shift
            at += 1
            if byte < 0x80:
                return value, at
        raise TensorFileError("it is no ONNX model")
