"""Reader of the pickle inside a PyTorch file that does not unpickle it.

A pickle is a program. This interprets the few instructions that make a dictionary of tensors, on
plain values, and refuses all others: no name is imported, nothing is called, and the result
describes tensors instead of creating them.

`torch.load(weights_only=True)` is not used, for two reasons. A hostile file of a few kilobytes can
hang it: it hashes a deeply nested tuple that is used as a dictionary key, which takes time
exponential in its depth; this reader refuses such keys at once. And `weights_only` is no guarantee
on the versions of torch that people have: before torch 2.6 it could be made to execute code
(CVE-2025-32434).
"""

from __future__ import annotations

import pickletools
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, NamedTuple

from ..errors import TensorFileError, UnknownNumbersError
from .safetensors_check import TENSOR_LIMIT, numel, quoted

STORAGES = {
    "torch.DoubleStorage": "float64",
    "torch.FloatStorage": "float32",
    "torch.HalfStorage": "float16",
    "torch.BFloat16Storage": "bfloat16",
    "torch.LongStorage": "int64",
    "torch.IntStorage": "int32",
    "torch.ShortStorage": "int16",
    "torch.CharStorage": "int8",
    "torch.ByteStorage": "uint8",
    "torch.BoolStorage": "bool",
}
"""torch's storage classes that a file may hold, and the names of their dtypes."""
PLAIN = {
    *("BININT", "BININT1", "BININT2", "LONG1", "BINFLOAT"),
    *("BINUNICODE", "SHORT_BINUNICODE", "BINUNICODE8"),
}
CONSTANTS: dict[str, Callable[[], Any]] = {
    "NONE": lambda: None,
    "NEWTRUE": lambda: True,
    "NEWFALSE": lambda: False,
    "EMPTY_DICT": dict,
    "EMPTY_LIST": list,
    "EMPTY_TUPLE": tuple,
}
TUPLES = {"TUPLE1": 1, "TUPLE2": 2, "TUPLE3": 3}
REBUILT = "torch._utils._rebuild_tensor_v2"
PARAMETER = "torch._utils._rebuild_parameter"
ORDERED = "collections.OrderedDict"


@dataclass(frozen=True)
class Name:
    """A global name that unpickling would import."""

    path: str


class Storage(NamedTuple):
    """A tensor storage: a member of the archive that holds numbers."""

    dtype: str
    key: str
    length: int
    """Number of elements."""


@dataclass(frozen=True, eq=False)
class TensorSpec:
    """Description of a tensor, checked against the bounds of its storage."""

    storage: Storage
    offset: int
    shape: tuple[int, ...]
    stride: tuple[int, ...]
    count: int


_MARK = Name("(mark)")


def read_pickle(data: bytes) -> dict[str, Any]:
    """The saved dictionary, with a TensorSpec for every tensor. Raises TensorFileError."""
    try:
        found = _Reader().run(data)
    except (ValueError, IndexError, KeyError, TypeError, UnicodeError) as error:
        # Errors of the standard library's decoder and of an empty stack.
        raise TensorFileError("its pickle is damaged") from error
    if not isinstance(found, dict):
        raise TensorFileError("its pickle holds no dictionary")
    return found


class _Reader:
    def __init__(self) -> None:
        self.stack: list[Any] = []
        self.memo: dict[int, Any] = {}
        self.tensors = 0

    def run(self, data: bytes) -> Any:
        for opcode, argument, _ in pickletools.genops(data):
            name = opcode.name
            if name == "STOP":
                return self.stack.pop()
            if name not in ("PROTO", "FRAME"):
                self._step(name, argument)
        raise TensorFileError("its pickle is cut short")

    def _step(self, name: str, argument: Any) -> None:
        if name in PLAIN:
            self.stack.append(argument)
        elif name in CONSTANTS:
            self.stack.append(CONSTANTS[name]())
        elif name in TUPLES:
            self.stack.append(tuple(self._pop(TUPLES[name])))
        elif name in ("BINGET", "LONG_BINGET"):
            self.stack.append(self.memo[argument])
        elif name in ("BINPUT", "LONG_BINPUT"):
            self.memo[argument] = self.stack[-1]
        elif action := _ACTIONS.get(name):
            action(self, argument)
        else:
            raise TensorFileError(f"its pickle does more than list tensors ({name})")

    def _pop(self, count: int) -> list[Any]:
        """Pops the last `count` values off the stack."""
        if len(self.stack) < count:
            raise TensorFileError("its pickle is damaged")
        values = self.stack[len(self.stack) - count :]
        del self.stack[len(self.stack) - count :]
        return values

    def _pop_to_mark(self) -> list[Any]:
        position = len(self.stack) - 1
        while self.stack[position] is not _MARK:
            position -= 1
            if position < 0:
                raise TensorFileError("its pickle is damaged")
        values = self.stack[position + 1 :]
        del self.stack[position:]
        return values

    def memoize(self, _: Any) -> None:
        self.memo[len(self.memo)] = self.stack[-1]

    def mark(self, _: Any) -> None:
        self.stack.append(_MARK)

    def long_tuple(self, _: Any) -> None:
        self.stack.append(tuple(self._pop_to_mark()))

    def name(self, argument: str) -> None:
        self.stack.append(Name(argument.replace(" ", ".")))

    def name_on_stack(self, _: Any) -> None:
        module, attribute = self._pop(2)
        self.stack.append(Name(f"{_text(module)}.{_text(attribute)}"))

    def item(self, _: Any) -> None:
        self._put(self._pop(2))

    def items(self, _: Any) -> None:
        self._put(self._pop_to_mark())

    def _put(self, values: list[Any]) -> None:
        target = self.stack[-1]
        if not isinstance(target, dict) or len(values) % 2:
            raise TensorFileError("its pickle is damaged")
        for key, value in zip(values[::2], values[1::2], strict=True):
            # Nothing else: hashing a deeply nested tuple can take years.
            if type(key) not in (str, int):
                raise TensorFileError("its pickle has names that are neither text nor numbers")
            target[key] = value

    def append(self, _: Any) -> None:
        self._extend(self._pop(1))

    def appends(self, _: Any) -> None:
        self._extend(self._pop_to_mark())

    def _extend(self, values: list[Any]) -> None:
        target = self.stack[-1]
        if not isinstance(target, list):
            raise TensorFileError("its pickle is damaged")
        target.extend(values)

    def attributes(self, _: Any) -> None:
        """Discards attributes of an OrderedDict."""
        self._pop(1)
        if not isinstance(self.stack[-1], dict):
            raise TensorFileError(
                "its pickle sets attributes of an object that is not a dictionary"
            )

    def storage(self, _: Any) -> None:
        (found,) = self._pop(1)
        if not isinstance(found, tuple) or len(found) != 5 or found[0] != "storage":
            raise TensorFileError("its pickle refers to something other than numbers")
        kind, key, count = found[1], _text(found[2]), found[4]
        name = kind.path if isinstance(kind, Name) else ""
        dtype = STORAGES.get(name)
        if dtype is None and name.startswith("torch.") and name.endswith("Storage"):
            raise UnknownNumbersError("it holds numbers in a format that is not known")
        if dtype is None:
            raise TensorFileError("its pickle refers to something other than numbers")
        self.stack.append(Storage(dtype, key, numel((count,), key)))

    def call(self, _: Any) -> None:
        function, arguments = self._pop(2)
        if not isinstance(function, Name) or not isinstance(arguments, tuple):
            raise TensorFileError("its pickle is damaged")
        if function.path == ORDERED and not arguments:
            self.stack.append({})
        elif function.path == REBUILT and len(arguments) in (6, 7):
            self.stack.append(self._spec(*arguments[:4]))
        elif function.path == PARAMETER and arguments and isinstance(arguments[0], TensorSpec):
            self.stack.append(arguments[0])
        else:
            raise TensorFileError(f"its pickle calls {quoted(function.path)}")

    def _spec(self, storage: Any, offset: Any, shape: Any, stride: Any) -> TensorSpec:
        self.tensors += 1
        if self.tensors > TENSOR_LIMIT:
            raise TensorFileError(f"it claims more than {TENSOR_LIMIT} tensors")
        if not isinstance(storage, Storage):
            raise TensorFileError("its pickle is damaged")
        count = numel(shape, storage.key)
        numel(stride, storage.key)
        numel((offset,), storage.key)
        reach = sum((side - 1) * step for side, step in zip(shape, stride, strict=True))
        inside = not count or offset + reach < storage.length
        if not inside or count > storage.length:
            raise TensorFileError(
                f"a tensor of shape {list(shape)} claims more numbers than its {storage.length}"
            )
        return TensorSpec(storage, offset, shape, stride, count)


def _text(value: Any) -> str:
    if not isinstance(value, str):
        raise TensorFileError("its pickle is damaged")
    return value


_ACTIONS: dict[str, Callable[[_Reader, Any], None]] = {
    "MEMOIZE": _Reader.memoize,
    "MARK": _Reader.mark,
    "TUPLE": _Reader.long_tuple,
    "GLOBAL": _Reader.name,
    "STACK_GLOBAL": _Reader.name_on_stack,
    "SETITEM": _Reader.item,
    "SETITEMS": _Reader.items,
    "APPEND": _Reader.append,
    "APPENDS": _Reader.appends,
    "BUILD": _Reader.attributes,
    "BINPERSID": _Reader.storage,
    "REDUCE": _Reader.call,
}
