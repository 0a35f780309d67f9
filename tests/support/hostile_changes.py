"""Hostile files, made of a whole one and of bytes that decide what is changed.

Standard library only. Equal bytes give equal files, so that a failure can be tried again.
"""

import copy
import io
import json
import struct
import zipfile
from collections.abc import Callable, Sequence
from typing import Any, TypeVar

WILD = (0, 1, -1, 7, 1 << 16, 1 << 31, 1 << 40, 1 << 62, (1 << 63) - 1, 1 << 64, -(1 << 63))
ODD = (None, True, "", "x", [], {}, [[]], 1e308, -0.0, "F32", "\x00", 10**30, *WILD)
ODD_POSES = ([1, 2, 3], [[0.5, 0.5]] * 5, [[[0.5, 0.5]] * 5] * 50)
DEEP = 100_000

T = TypeVar("T")


class Choices:
    """Decisions read off a row of bytes; zeros when it is used up."""

    def __init__(self, data: bytes) -> None:
        self._stream = io.BytesIO(data)

    def below(self, limit: int) -> int:
        """A number from 0 to limit - 1."""
        return int.from_bytes(self._stream.read(4), "little") % limit

    def of(self, options: Sequence[T]) -> T:
        """One of them."""
        return options[self.below(len(options))]

    def odd(self) -> Any:
        """A value that does not belong where it is put."""
        return copy.deepcopy(self.of(ODD))

    def some_bytes(self) -> bytes:
        """Up to 40 bytes."""
        return self._stream.read(self.below(40))


Change = Callable[[bytes, Choices], bytes]


def spliced(whole: bytes, choices: Choices) -> bytes:
    """Parts overwritten, cut out or repeated."""
    data = bytearray(whole)
    for _ in range(1 + choices.below(4)):
        start = choices.below(len(data) + 1)
        end = min(len(data), start + choices.of((0, 1, 8, 64, 4096)))
        data[start:end] = choices.of((choices.some_bytes(), b"", bytes(data[start:end]) * 2))
    return bytes(data)


def cut(whole: bytes, choices: Choices) -> bytes:
    """The beginning."""
    return whole[: choices.below(len(whole))]


def odd_header(whole: bytes, choices: Choices) -> bytes:
    """A safetensors file with other figures in its header, or another length of it."""
    (length,) = struct.unpack("<Q", whole[:8])
    header, numbers = json.loads(whole[8 : 8 + length]), whole[8 + length :]
    for _ in range(1 + choices.below(3)):
        _change_entry(header, choices)
    text = json.dumps(header).encode()
    if choices.below(10) == 0:
        text = choices.of((b"[" * DEEP, b'{"a":' * DEEP, b"", b"{}", b"null", b'"\xff'))
    length = len(text) if choices.below(4) else choices.of(WILD) % (1 << 64)
    return struct.pack("<Q", length) + text + numbers


def _change_entry(header: dict[str, Any], choices: Choices) -> None:
    if not header:
        return
    name = choices.of(list(header))
    entry = header[name]
    action = choices.below(5)
    if action == 0:
        header[name] = choices.odd()
    elif action == 1:
        header[choices.of(("references", "a" * 5000, "", "__metadata__"))] = header.pop(name)
    elif action == 2 and len(header) < 10:
        header.update({f"{name}.{number}": entry for number in range(5000)})
    elif isinstance(entry, dict) and entry:
        key = choices.of(list(entry))
        if isinstance(entry[key], list) and entry[key]:
            entry[key][choices.below(len(entry[key]))] = choices.odd()
        else:
            entry[key] = choices.odd()


def odd_archive(whole: bytes, choices: Choices) -> bytes:
    """A file of torch.save whose members are changed, missing, packed, or there twice."""
    members = _members(whole)
    name = choices.of(list(members))
    if choices.below(2):
        name = next(found for found in members if found.endswith("data.pkl"))
    action = choices.below(4)
    if action < 2:
        members[name] = (spliced if action else cut)(members[name] or b"\0", choices)
    elif action == 2:
        del members[name]
    packed = zipfile.ZIP_DEFLATED if choices.below(8) == 0 else zipfile.ZIP_STORED
    twice = [name] if choices.below(8) == 0 and name in members else []
    return _zipped([*members.items(), *((name, members[name]) for name in twice)], packed)


def odd_pickle(whole: bytes, choices: Choices) -> bytes:
    """A file of torch.save with another pickle: tensors of any claim, foreign names, loops."""
    members = _members(whole)
    root = next(found for found in members if found.endswith("data.pkl"))
    keys = [name.rsplit("/", 1)[1] for name in members if "/data/" in name]
    parts = {
        part: {
            f"{name}{number}": _tensor(choices, keys)
            for number in range(choices.below(4))
            for name in ("latents", "1.to_k_ip.weight", "proj_in.weight")
        }
        for part in ("image_proj", "ip_adapter")
    }
    members[root] = b"\x80\x02" + _pickled(parts) + choices.of((b".", b"", _BOMB, b"0" * 9 + b"."))
    return _zipped(list(members.items()), zipfile.ZIP_STORED)


_BOMB = b"".join((b"}(", b")", b"\x85q\x01h\x01h\x01\x86q\x01" * 40, b"K\x00u."))
"""A name made of tuples of tuples: whoever hashes it does so a trillion times."""


class _Raw(bytes):
    """Already pickled."""


def _tensor(choices: Choices, keys: Sequence[str]) -> _Raw:
    """`_rebuild_tensor_v2` with figures of any kind, or something else that is called."""
    usual = "torch._utils _rebuild_tensor_v2"
    called = choices.of((*[usual] * 6, "os system", "builtins bytearray"))
    kind = choices.of((*["torch FloatStorage"] * 4, "torch LongStorage", "torch QInt8Storage"))
    count = choices.of((4096, 64, *WILD))
    place = ("storage", _Raw(_global(kind)), choices.of((*keys, "../x")), "cpu", count)
    storage = _Raw(_pickled(place) + b"Q")
    shape = tuple(choices.of((1, 64, 512, *WILD)) for _ in range(choices.below(4)))
    stride = tuple(choices.of((1, 64, 0, *WILD)) for _ in range(len(shape)))
    arguments = (storage, choices.of((0, 0, 0, *WILD)), shape, stride, False, {})
    return _Raw(_global(called) + _pickled(arguments) + b"R")


def _global(name: str) -> bytes:
    return b"c" + name.replace(" ", "\n").encode() + b"\n"


def _pickled(value: Any) -> bytes:
    """Instructions that put a value on the stack."""
    if isinstance(value, _Raw):
        return bytes(value)
    if isinstance(value, bool):
        return b"\x88" if value else b"\x89"
    if isinstance(value, int):
        number = value.to_bytes(value.bit_length() // 8 + 1, "little", signed=True)
        return b"\x8a" + bytes([len(number)]) + number
    if isinstance(value, str):
        text = value.encode()
        return b"X" + struct.pack("<I", len(text)) + text
    if isinstance(value, tuple):
        return b"(" + b"".join(map(_pickled, value)) + b"t"
    items = b"".join(_pickled(key) + _pickled(inner) for key, inner in value.items())
    return b"}(" + items + b"u"


def odd_json(whole: bytes, choices: Choices) -> bytes:
    """A pose with something else in one or more places."""
    value = json.loads(whole)
    for _ in range(1 + choices.below(3)):
        parent: Any = value
        key = choices.of(list(value))
        while isinstance(parent[key], list) and parent[key] and choices.below(4):
            parent, key = parent[key], choices.below(len(parent[key]))
        parent[key] = copy.deepcopy(choices.of((*ODD, *ODD_POSES)))
    text = json.dumps(value)
    return choices.of((text, text.replace("0.2", "NaN"), text.replace("0.2", "1e999"))).encode()


def _members(whole: bytes) -> dict[str, bytes]:
    with zipfile.ZipFile(io.BytesIO(whole)) as archive:
        return {name: archive.read(name) for name in archive.namelist()}


def _zipped(members: Sequence[tuple[str, bytes]], packed: int) -> bytes:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", packed) as archive:
        for name, content in members:
            # A fixed date: equal choices give equal bytes.
            archive.writestr(zipfile.ZipInfo(name), content, packed)
    return buffer.getvalue()


def deep_json(_whole: bytes, choices: Choices) -> bytes:
    """Nesting without end, a number of many digits, or a very long text."""
    return choices.of((b"[" * DEEP, b'{"a":' * DEEP, b"9" * 5000, b'"' + b"x" * (2 << 20) + b'"'))


CHANGES: dict[str, tuple[Change, ...]] = {
    "adapter as safetensors": (spliced, cut, odd_header),
    "adapter by torch.save": (spliced, cut, odd_archive, odd_pickle),
    "FaceID as safetensors": (spliced, cut, odd_header),
    "FaceID by torch.save": (spliced, cut, odd_archive, odd_pickle),
    "adapter for SD 1.5": (spliced, cut, odd_archive, odd_pickle),
    "identity": (spliced, cut, odd_header),
    "person of an identity": (spliced, cut, odd_header),
    "direction": (spliced, cut, odd_header),
    "face model": (spliced, cut),
    "archive": (spliced, cut),
    "pose": (spliced, cut, odd_json, deep_json),
}


def hostile(name: str, whole: bytes, data: bytes) -> bytes:
    """A file for the reader of this name."""
    choices = Choices(data)
    return choices.of(CHANGES[name])(whole, choices)
