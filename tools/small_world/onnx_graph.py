"""A small expression builder for ONNX graphs.

Arithmetic on :class:`Value` appends nodes to its :class:`Graph`, so a model reads like the formula
it computes. Feature maps are laid out [batch, channels, height, width]; every helper that speaks of
channels works on axis 1. Only operators of opset 13 are used.
"""

from __future__ import annotations

import pathlib
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper

OPSET = 13
IR_VERSION = 8  # The oldest file format that carries opset 13 with room to spare.
CHANNEL_AXIS = 1

Shape = Sequence[int | str]


@dataclass(frozen=True)
class Value:
    """One tensor of the graph: an input, a constant or the result of a node."""

    graph: Graph
    name: str

    def __add__(self, other: Operand) -> Value:
        return self.graph.apply("Add", self, other)

    def __radd__(self, other: Operand) -> Value:
        return self.graph.apply("Add", other, self)

    def __sub__(self, other: Operand) -> Value:
        return self.graph.apply("Sub", self, other)

    def __rsub__(self, other: Operand) -> Value:
        return self.graph.apply("Sub", other, self)

    def __mul__(self, other: Operand) -> Value:
        return self.graph.apply("Mul", self, other)

    def __rmul__(self, other: Operand) -> Value:
        return self.graph.apply("Mul", other, self)

    def __truediv__(self, other: Operand) -> Value:
        return self.graph.apply("Div", self, other)

    def __lt__(self, other: Operand) -> Value:
        return self.graph.apply("Less", self, other)

    def squared(self) -> Value:
        return self * self

    def root(self) -> Value:
        return self.graph.apply("Sqrt", self)

    def tanh(self) -> Value:
        return self.graph.apply("Tanh", self)

    def clip(self, low: float = 0.0, high: float = 1.0) -> Value:
        return self.graph.apply("Clip", self, low, high)

    def rising(self, limits: tuple[float, float]) -> Value:
        """0 up to the lower limit, 1 from the upper one on, straight in between."""
        low, high = limits
        return ((self - low) / (high - low)).clip()

    def falling(self, limits: tuple[float, float]) -> Value:
        """1 up to the lower limit, 0 from the upper one on, straight in between."""
        return 1.0 - self.rising(limits)

    def channels(self, start: int, stop: int, step: int = 1) -> Value:
        """Channels ``start:stop:step``."""
        bounds = [np.array([number], np.int64) for number in (start, stop, CHANNEL_AXIS, step)]
        return self.graph.apply("Slice", self, *bounds)

    def channel(self, index: int) -> Value:
        """One channel, keeping its axis."""
        return self.channels(index, index + 1)

    def reordered(self, order: Sequence[int], axis: int = CHANNEL_AXIS) -> Value:
        """The entries of ``axis`` named by ``order``, in that order."""
        return self.graph.apply("Gather", self, np.array(order, np.int64), axis=axis)

    def channel_mean(self) -> Value:
        return self.graph.apply("ReduceMean", self, axes=[CHANNEL_AXIS], keepdims=1)

    def channel_min(self) -> Value:
        return self.graph.apply("ReduceMin", self, axes=[CHANNEL_AXIS], keepdims=1)

    def channel_max(self) -> Value:
        return self.graph.apply("ReduceMax", self, axes=[CHANNEL_AXIS], keepdims=1)

    def where(self, chosen: Value, otherwise: Value) -> Value:
        """``chosen`` where this boolean tensor holds, else ``otherwise``."""
        return self.graph.apply("Where", self, chosen, otherwise)

    def convolve(
        self, kernel: np.ndarray, *, stride: int = 1, padding: int = 0, groups: int = 1
    ) -> Value:
        """2-D convolution with a constant kernel [out, in / groups, height, width]."""
        return self.graph.apply(
            "Conv",
            self,
            kernel,
            strides=[stride, stride],
            pads=[padding] * 4,
            group=groups,
        )

    def transposed(self, order: Sequence[int]) -> Value:
        return self.graph.apply("Transpose", self, perm=list(order))

    def reshaped(self, shape: Sequence[int]) -> Value:
        """The same numbers in another shape; 0 keeps an axis, -1 takes what is left."""
        return self.graph.apply("Reshape", self, np.array(shape, np.int64))


Operand = Value | float | np.ndarray


def length(x: Value, y: Value) -> Value:
    """Length of the vector (x, y), never quite 0 so that it can divide."""
    return (x.squared() + y.squared() + 1e-6).root()


@dataclass
class Graph:
    """Collects the nodes, constants, inputs and outputs of one model."""

    name: str
    _nodes: list[onnx.NodeProto] = field(default_factory=list)
    _constants: list[onnx.TensorProto] = field(default_factory=list)
    _constant_names: dict[tuple[str, tuple[int, ...], bytes], str] = field(default_factory=dict)
    _inputs: list[onnx.ValueInfoProto] = field(default_factory=list)
    _outputs: list[onnx.ValueInfoProto] = field(default_factory=list)

    def input(self, name: str, shape: Shape) -> Value:
        """Declare a float32 input; a text in ``shape`` is a free dimension."""
        self._inputs.append(helper.make_tensor_value_info(name, TensorProto.FLOAT, list(shape)))
        return Value(self, name)

    def output(self, name: str, value: Value, shape: Shape) -> None:
        """Publish ``value`` as a float32 output; outputs keep the order of these calls."""
        self._nodes.append(helper.make_node("Identity", [value.name], [name], name=f"out_{name}"))
        self._outputs.append(helper.make_tensor_value_info(name, TensorProto.FLOAT, list(shape)))

    def apply(
        self, operator: str, *operands: Operand, node_name: str | None = None, **attributes: Any
    ) -> Value:
        """Append one node and return its (only) result; plain numbers become constants."""
        inputs = [self._as_value(operand).name for operand in operands]
        result = f"value_{len(self._nodes)}"
        # Lower-case default names: insightface reads "Sub..." and "Mul..." among the first nodes as
        # a sign that the model normalises its own input.
        name = node_name or f"node_{len(self._nodes)}_{operator.lower()}"
        self._nodes.append(helper.make_node(operator, inputs, [result], name=name, **attributes))
        return Value(self, result)

    def concatenate(self, values: Sequence[Value], axis: int = CHANNEL_AXIS) -> Value:
        return self.apply("Concat", *values, axis=axis)

    def save(self, path: str | pathlib.Path) -> None:
        """Check the model and write it; equal graphs give equal bytes."""
        graph = helper.make_graph(
            self._nodes, self.name, self._inputs, self._outputs, self._constants
        )
        opset = helper.make_opsetid("", OPSET)
        model = helper.make_model(graph, opset_imports=[opset], producer_name="test-harness")
        model.ir_version = IR_VERSION
        onnx.checker.check_model(model)
        pathlib.Path(path).write_bytes(model.SerializeToString(deterministic=True))

    def _as_value(self, operand: Operand) -> Value:
        if isinstance(operand, Value):
            return operand
        # Only arrays can be indices; a plain number takes part in arithmetic, whole or not.
        if isinstance(operand, np.ndarray) and operand.dtype == np.int64:
            return self._constant(operand)
        return self._constant(np.asarray(operand, np.float32))

    def _constant(self, array: np.ndarray) -> Value:
        key = (array.dtype.str, array.shape, array.tobytes())
        if key not in self._constant_names:
            name = f"constant_{len(self._constants)}"
            self._constant_names[key] = name
            self._constants.append(numpy_helper.from_array(np.ascontiguousarray(array), name))
        return Value(self, self._constant_names[key])
