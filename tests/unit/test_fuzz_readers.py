"""Files and texts from elsewhere: whatever is in them, a reader reads them or says a sentence.

Hypothesis makes the cases; `tests/fuzz` runs the same readers under a coverage-guided fuzzer.
"""

from __future__ import annotations

import sys
import zipfile
from collections import Counter
from pathlib import Path
from typing import Any

import pytest
import torch
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from support.hostile_changes import hostile
from support.hostile_files import REFUSALS, readers

from instantid_core.errors import TensorFileError
from instantid_core.weights.torch_zip import read_archive

READERS = readers()
CASES = 250
GROWTH = 300 << 20
"""Bytes that all of this may add to the process, libraries included."""

pytestmark = pytest.mark.filterwarnings("ignore:Duplicate name")

each_reader = pytest.mark.parametrize("name", READERS)
quick = settings(
    max_examples=CASES,
    deadline=None,
    derandomize=True,
    database=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)


@pytest.fixture(scope="module", autouse=True)
def memory():
    """Nothing is allocated because a file says so."""
    resource = pytest.importorskip("resource", reason="Windows tells no peak of memory")
    unit = 1 if sys.platform == "darwin" else 1024
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * unit
    yield
    assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * unit - before < GROWTH


@each_reader
def test_a_whole_file_is_read(name: str, tmp_path: Path) -> None:
    path = tmp_path / "whole"
    path.write_bytes(READERS[name].whole)
    assert READERS[name].accepts(path)


@each_reader
def test_changed_files(name: str, tmp_path: Path) -> None:
    path, seen = tmp_path / "hostile", Counter()

    @quick
    @given(st.binary(max_size=200))
    def attack(data: bytes) -> None:
        path.write_bytes(hostile(name, READERS[name].whole, data))
        seen[READERS[name].accepts(path)] += 1

    attack()
    assert seen[False] > CASES / 2, "the changes should do harm"


@each_reader
def test_any_bytes(name: str, tmp_path: Path) -> None:
    path = tmp_path / "bytes"

    @quick
    @given(st.binary(max_size=300))
    def attack(data: bytes) -> None:
        path.write_bytes(data)
        READERS[name].accepts(path)

    attack()


def refusal(name: str, path: Path) -> str:
    with pytest.raises(REFUSALS) as caught:
        READERS[name].read(path)
    return str(caught.value)


@pytest.mark.parametrize("name", ["adapter as safetensors", "identity"])
def test_a_header_of_a_terabyte(name: str, tmp_path: Path) -> None:
    path = tmp_path / "long"
    path.write_bytes((1 << 40).to_bytes(8, "little") + READERS[name].whole[8:])
    assert "its header claims 1099511627776 bytes" in refusal(name, path)


def test_a_list_of_members_without_end(tmp_path: Path) -> None:
    path = tmp_path / "many"
    with zipfile.ZipFile(path, "w") as archive:
        for number in range(30_000):
            archive.writestr(f"archive/data/{number}", b"")
    assert "its list of members claims" in refusal("adapter by torch.save", path)


def test_a_packed_bomb(tmp_path: Path) -> None:
    path = tmp_path / "bomb"
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("archive/data.pkl", bytes(50 << 20))
    assert "members are compressed" in refusal("adapter by torch.save", path)


def test_a_program_in_a_pickle(tmp_path: Path) -> None:
    path, trace = tmp_path / "program", tmp_path / "trace"
    program = f"cos\nsystem\n(V touch {trace}\ntR.".encode()
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("archive/data.pkl", program)
    assert "pickle" in refusal("adapter by torch.save", path)
    assert not trace.exists()


class Claim:
    """A tensor of torch.save with an offset, a shape and strides of any kind."""

    def __init__(self, numbers: torch.Tensor, *place: Any) -> None:
        self.numbers, self.place = numbers, place

    def __reduce__(self) -> tuple[Any, ...]:
        storage = self.numbers._typed_storage()
        return torch._utils._rebuild_tensor_v2, (storage, *self.place, False, {})


@pytest.mark.parametrize(
    ("offset", "shape", "stride"),
    [(5, (1,), (1,)), (2, (2, 2), (2, 1)), (1, (2, 1, 3), (0, 9, 2)), (5, (), ())],
)
def test_a_tensor_ends_at_the_last_number(
    tmp_path: Path, offset: int, shape: tuple[int, ...], stride: tuple[int, ...]
) -> None:
    path, numbers = tmp_path / "claim", torch.arange(6.0)
    torch.save({"latents": Claim(numbers, offset, shape, stride)}, path)
    found = read_archive(path)["latents"]
    assert torch.equal(found, numbers.as_strided(shape, stride, offset))
    assert found.max() == 5
    torch.save({"latents": Claim(numbers, offset + 1, shape, stride)}, path)
    with pytest.raises(TensorFileError, match="claims more numbers than its 6"):
        read_archive(path)
