"""Reader of files written by `torch.save`, such as the published ip-adapter.bin.

`torch.load` allocates whatever sizes a file claims, and may read another part of the archive than
the one that was validated. Here the validated figures are the ones that are used. `torch_pickle`
says why `weights_only=True` is not enough.
"""

from __future__ import annotations

import io
import os
import struct
import sys
import zipfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import torch

from ..errors import TensorFileError
from .safetensors_check import HEADER_LIMIT, TENSOR_LIMIT, quoted
from .torch_pickle import Storage, TensorSpec, read_pickle

PICKLE, NUMBERS, ORDER = "data.pkl", "data/", "byteorder"
OTHER_MEMBERS = 16
"""Members other than tensors: versions, the byte order, an id."""
WRAPPER = "state_dict"
ENCRYPTED = 1
CHUNK = HEADER_LIMIT // 2


def read_archive(path: Path) -> dict[Any, Any]:
    """The saved dictionary of tensors, or of dictionaries of tensors; other values are left out.

    Raises TensorFileError or OSError.
    """
    with _Guarded(path) as file, _refusals(), zipfile.ZipFile(file) as archive:
        members = _Members(archive, path.stat().st_size)
        described = _unwrapped(read_pickle(bytes(members.read(PICKLE, HEADER_LIMIT))))
        members.require_little_endian()
        return _Tensors(members).of(described)


@contextmanager
def _refusals() -> Iterator[None]:
    """Translates the errors of the standard library's zip reader."""
    try:
        yield
    except (zipfile.BadZipFile, NotImplementedError, RuntimeError, EOFError, OSError) as error:
        raise TensorFileError(f"it is not a complete file of torch.save: {error}") from error
    except (ValueError, OverflowError, struct.error, KeyError, IndexError) as error:
        raise TensorFileError("its list of members is damaged") from error


class _Guarded(io.FileIO):
    """A file that refuses large reads: zipfile reads the list of members at once, however long."""

    def __init__(self, path: Path) -> None:
        super().__init__(path, "rb")

    def read(self, size: int | None = -1, /) -> bytes:
        left = os.fstat(self.fileno()).st_size - self.tell()
        wanted = left if size is None or size < 0 else min(size, left)
        if wanted > HEADER_LIMIT:
            raise TensorFileError(f"its list of members claims {wanted} bytes")
        return super().read(max(0, wanted))


class _Members:
    """The members of the archive: uncompressed, and together no larger than the archive."""

    def __init__(self, archive: zipfile.ZipFile, size: int) -> None:
        self.size = size
        infos = archive.infolist()
        if len(infos) > TENSOR_LIMIT + OTHER_MEMBERS:
            raise TensorFileError(f"it has {len(infos)} members")
        for info in infos:
            compressed = info.compress_type != zipfile.ZIP_STORED or info.flag_bits & ENCRYPTED
            if compressed or info.compress_size != info.file_size:
                raise TensorFileError(
                    "its members are compressed; torch.save does not compress them"
                )
        if sum(info.file_size for info in infos) > size:
            raise TensorFileError("its members claim more bytes than the file has")
        self._archive = archive
        self._infos = {info.filename: info for info in infos}
        root = next((name for name in self._infos if name.endswith(f"/{PICKLE}")), None)
        if root is None or len(self._infos) != len(infos):
            raise TensorFileError(
                "it was not written by torch.save, or by one before PyTorch 1.6: save it as "
                "safetensors"
            )
        self._root = root.removesuffix(PICKLE)

    def read(self, name: str, limit: int) -> bytearray:
        """Content of a member, at most `limit` bytes; its checksum is verified."""
        info = self._infos.get(self._root + name)
        if info is None or info.file_size > limit:
            raise TensorFileError(f"its member {quoted(name)} is missing or too large")
        content = bytearray(info.file_size)
        with self._archive.open(info) as file:
            at = 0
            while piece := file.read(CHUNK):
                content[at : at + len(piece)] = piece
                at += len(piece)
        if at != info.file_size:
            raise TensorFileError(f"its member {quoted(name)} is cut short")
        return content

    def require_little_endian(self) -> None:
        noted = self._root + ORDER in self._infos
        order = bytes(self.read(ORDER, limit=16)) if noted else b"little"
        if order != b"little" or sys.byteorder != "little":
            raise TensorFileError("its byte order is not this machine's; save it as safetensors")


class _Tensors:
    """Creates tensors from their specs; reads each storage once, and counts all that it hands out:
    a pickle may name one dictionary, tensor or member many times."""

    def __init__(self, members: _Members) -> None:
        self._members = members
        self._storages: dict[str, tuple[Storage, torch.Tensor]] = {}
        self._dictionaries: set[int] = set()
        self._total_tensors = 0
        self._total_bytes = 0

    def of(self, described: Mapping[Any, Any]) -> dict[Any, Any]:
        made: dict[Any, Any] = {}
        for key, value in described.items():
            if isinstance(value, TensorSpec):
                made[key] = self._tensor(value)
            elif isinstance(value, dict):
                made[key] = self._inner(value)
        return made

    def _inner(self, described: dict[Any, Any]) -> dict[Any, torch.Tensor]:
        if id(described) in self._dictionaries:
            raise TensorFileError("it names one dictionary more than once")
        self._dictionaries.add(id(described))
        specs = ((name, spec) for name, spec in described.items() if isinstance(spec, TensorSpec))
        return {name: self._tensor(spec) for name, spec in specs}

    def _tensor(self, spec: TensorSpec) -> torch.Tensor:
        self._total_tensors += 1
        if self._total_tensors > TENSOR_LIMIT:
            raise TensorFileError(f"it names more than {TENSOR_LIMIT} tensors")
        numbers = self._numbers(spec.storage)
        self._total_bytes += spec.count * numbers.element_size()
        if self._total_bytes > self._members.size:
            raise TensorFileError("its tensors claim more bytes than the file has")
        return numbers.as_strided(spec.shape, spec.stride, spec.offset)

    def _numbers(self, storage: Storage) -> torch.Tensor:
        """Numbers of a member. Each is read once, so that no more than the file is read."""
        known = self._storages.get(storage.key)
        if known is None:
            known = self._storages[storage.key] = (storage, self._read(storage))
        if known[0] != storage:
            raise TensorFileError(f"its member {quoted(storage.key)} is described in two ways")
        return known[1]

    def _read(self, storage: Storage) -> torch.Tensor:
        dtype = getattr(torch, storage.dtype)
        content = self._members.read(NUMBERS + storage.key, self._members.size)
        if len(content) != storage.length * dtype.itemsize:
            raise TensorFileError(
                f"its member {quoted(storage.key)} has {len(content)} bytes, expected "
                f"{storage.length} numbers of {dtype.itemsize}"
            )
        return torch.frombuffer(content, dtype=dtype) if content else torch.empty(0, dtype=dtype)


def _unwrapped(described: dict[Any, Any]) -> dict[Any, Any]:
    """The state dict inside the wrapper that some trainers write; ComfyUI does the same."""
    inner = described.get(WRAPPER)
    if inner is None and len(described) == 1:
        (inner,) = described.values()
    return inner if isinstance(inner, dict) else described
