"""ONNX files whose tensors point at other files are refused wherever a tensor can stand."""

from __future__ import annotations

import random
from pathlib import Path

import onnx
import pytest
from onnx import TensorProto, helper

from instantid_core.errors import FaceModelError, TensorFileError
from instantid_core.libraries import open_sessions
from instantid_core.libraries.onnx_check import CHILDREN, DEPTH_LIMIT, require_own_data

PLACES = ("../../secret.bin", "/etc/passwd", "weights.bin", "*/_ORT_MEM_ADDR_/*")


def external(place: str = PLACES[0]) -> TensorProto:
    tensor = TensorProto(name="w", data_type=TensorProto.FLOAT, dims=[1])
    tensor.data_location = TensorProto.EXTERNAL
    tensor.external_data.add(key="location", value=place)
    return tensor


def model(graph: onnx.GraphProto) -> onnx.ModelProto:
    return helper.make_model(graph, opset_imports=[helper.make_opsetid("", 13)])


def in_initializer(tensor: TensorProto) -> onnx.ModelProto:
    return model(helper.make_graph([], "g", [], [], initializer=[tensor]))


def in_sparse_initializer(tensor: TensorProto) -> onnx.ModelProto:
    found = model(helper.make_graph([], "g", [], []))
    found.graph.sparse_initializer.add().values.CopyFrom(tensor)
    return found


def in_node(**attributes: object) -> onnx.ModelProto:
    return model(helper.make_graph([helper.make_node("Op", [], ["y"], **attributes)], "g", [], []))


def in_function(tensor: TensorProto) -> onnx.ModelProto:
    found = in_node()
    function = found.functions.add(name="f")
    function.node.append(helper.make_node("Constant", [], ["y"], value=tensor))
    function.attribute_proto.append(helper.make_attribute("a", tensor))
    return found


def in_training(tensor: TensorProto) -> onnx.ModelProto:
    found = in_node()
    found.training_info.add().initialization.CopyFrom(in_initializer(tensor).graph)
    return found


def sparse(tensor: TensorProto) -> onnx.SparseTensorProto:
    return onnx.SparseTensorProto(indices=tensor)


WAYS = {
    "initializer": in_initializer,
    "sparse initializer": in_sparse_initializer,
    "attribute": lambda tensor: in_node(value=tensor),
    "attributes": lambda tensor: in_node(value=[tensor]),
    "subgraph": lambda tensor: in_node(body=in_initializer(tensor).graph),
    "subgraphs": lambda tensor: in_node(body=[in_initializer(tensor).graph]),
    "sparse attribute": lambda tensor: in_node(value=sparse(tensor)),
    "sparse attributes": lambda tensor: in_node(value=[sparse(tensor)]),
    "function": in_function,
    "training": in_training,
}


@pytest.mark.parametrize("place", PLACES)
@pytest.mark.parametrize("way", WAYS)
def test_no_tensor_may_lie_in_another_file(tmp_path: Path, way: str, place: str) -> None:
    path = tmp_path / "model.onnx"
    own = TensorProto(name="w", data_type=TensorProto.FLOAT, dims=[1], raw_data=bytes(4))
    path.write_bytes(WAYS[way](own).SerializeToString())
    require_own_data(path)
    path.write_bytes(WAYS[way](external(place)).SerializeToString())
    with pytest.raises(TensorFileError, match="keeps its data in another file"):
        require_own_data(path)
    with pytest.raises(FaceModelError, match=r"cannot open .*model\.onnx: .*in another file"):
        open_sessions((path,), "cpu")


def test_every_field_of_onnx_that_may_hold_a_tensor_is_walked() -> None:
    """A newer onnx with another way to a tensor turns this red."""
    holders = {"ModelProto", "TrainingInfoProto", "FunctionProto", "GraphProto", "NodeProto"}
    holders |= {"AttributeProto", "SparseTensorProto"}
    wanted = holders | {"TensorProto"}
    ways = sum(
        field.message_type is not None and field.message_type.name in wanted
        for holder in holders
        for field in getattr(onnx, holder).DESCRIPTOR.fields
    )
    assert ways == sum(map(len, CHILDREN.values()))


@pytest.mark.parametrize(
    "marker", [b"\x70\x01", b"\x70\x81\x80\x80\x80\x10", b"\x6a\x00", b"\x72\x00"]
)
def test_the_mark_is_known_however_it_is_written(tmp_path: Path, marker: bytes) -> None:
    graph = b"\x2a" + bytes([len(marker)]) + marker
    path = tmp_path / "model.onnx"
    path.write_bytes(b"\x3a" + bytes([len(graph)]) + graph)
    with pytest.raises(TensorFileError, match="in another file"):
        require_own_data(path)


@pytest.mark.parametrize(
    "content",
    [
        *(b"", b"\x3a", b"\x3a\x7f", b"<html>no model</html>", b"\x3b\x00", b"\xff" * 40),
        b"\x00\x01",  # field 0
        b"\x3a" + b"\xff" * 9 + b"\x01",  # a length of 2**70
    ],
)
def test_what_is_no_model_is_refused(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "model.onnx"
    path.write_bytes(content)
    with pytest.raises(TensorFileError):
        require_own_data(path)


def wrapped(key: int, content: bytes) -> bytes:
    """A message as a field of another."""
    length, head = len(content), bytearray([key])
    while length >= 0x80:
        head.append(length & 0x7F | 0x80)
        length >>= 7
    return bytes([*head, length]) + content


def test_graphs_deep_in_each_other_are_refused(tmp_path: Path) -> None:
    content = b""
    for _ in range(DEPTH_LIMIT):
        for key in (0x32, 0x2A, 0x0A):  # attribute.g, node.attribute, graph.node
            content = wrapped(key, content)
    path = tmp_path / "model.onnx"
    path.write_bytes(wrapped(0x3A, content))
    with pytest.raises(TensorFileError, match="deep"):
        require_own_data(path)


def test_damaged_models_are_read_or_refused(tmp_path: Path) -> None:
    """5,000 changed files: no other error than a refusal."""
    whole, choose = in_function(external()).SerializeToString(), random.Random(5)
    path = tmp_path / "model.onnx"
    for _ in range(5_000):
        content = bytearray(whole)
        for _ in range(choose.randint(1, 3)):
            content[choose.randrange(len(content))] = choose.randrange(256)
        path.write_bytes(content[: choose.randint(1, len(content))])
        try:
            require_own_data(path)
        except TensorFileError:
            continue
