"""Adapter files whose claims are many times what they hold are refused before they take memory."""

from __future__ import annotations

import io
import pickle
import struct
import subprocess
import sys
import time
import zipfile
from pathlib import Path
from typing import Any

import pytest
import torch

from instantid_core.adapter.checkpoint import read_checkpoint
from instantid_core.adapter.sd15_checkpoint import part_of
from instantid_core.errors import CheckpointError, IdentityFileError, SettingError, TensorFileError
from instantid_core.identity import identity_file
from instantid_core.keypoints import pose_json
from instantid_core.weights.torch_pickle import STORAGES
from instantid_core.weights.torch_zip import read_archive
from tools.small_world import published_shapes

MANY = 1_500
MEMORY = 100 << 20
"""Bytes that a refused file of a third of a megabyte may take."""


class Tensor:
    """A tensor of torch.save, described as in a pickle."""

    def __init__(self, kind: str, key: str, length: int, count: int) -> None:
        self.storage, self.count = ("storage", kind, key, "cpu", length), count

    def __reduce__(self) -> tuple[Any, ...]:
        place = (Persistent(self.storage), 0, (self.count,), (1,), False, {})
        return Named("torch._utils", "_rebuild_tensor_v2"), place


class Persistent:
    """What a pickle points at."""

    def __init__(self, value: tuple[Any, ...]) -> None:
        self.value = value


class Named:
    """A name that a pickle would import."""

    def __init__(self, module: str, name: str) -> None:
        self.module, self.name = module, name

    def __call__(self) -> None:
        """Pickles call it; nothing here does."""


class Pickler(pickle._Pickler):  # the one in Python can be taught names that are not importable
    def persistent_id(self, obj: Any) -> Any:
        if isinstance(obj, Persistent):
            kind, name, *rest = obj.value
            return (kind, Named("torch", name), *rest)
        return None

    def save(self, obj: Any, save_persistent_id: bool = True) -> None:
        if isinstance(obj, Named):
            self.write(pickle.GLOBAL + f"{obj.module}\n{obj.name}\n".encode())
            return
        super().save(obj, save_persistent_id)


def written(path: Path, content: Any, **members: bytes) -> Path:
    buffer = io.BytesIO()
    Pickler(buffer, protocol=2).dump(content)
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("archive/data.pkl", buffer.getvalue())
        archive.writestr("archive/version", b"3\n")
        for name, content in members.items():
            archive.writestr(f"archive/data/{name.removeprefix('m')}", content)
    return path


def multiplied(path: Path, outer: int = MANY, inner: int = MANY) -> Path:
    """One dictionary of one tensor without numbers, named again and again."""
    one = Tensor("FloatStorage", "0", 0, 0)
    shared = {f"{number:0100}": one for number in range(inner)}
    return written(path, {f"{number:0100}": shared for number in range(outer)}, m0=b"")


def test_the_claims_are_what_torch_reads(tmp_path: Path) -> None:
    """So the file is hostile, and not broken."""
    path = multiplied(tmp_path / "a.bin", 2, 2)
    found = torch.load(path, weights_only=True)
    assert found[f"{0:0100}"] is found[f"{1:0100}"]


MEASURED = """
import resource, sys, time
sys.path[:0] = sys.argv[1:3]
import conftest
from pathlib import Path
from instantid_core.errors import TensorFileError
from instantid_core.weights.torch_zip import read_archive
before, started = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss, time.process_time()
try:
    read_archive(Path(sys.argv[3]))
except TensorFileError as error:
    print(error)
seconds = time.process_time() - started
print(seconds, resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before)
"""


@pytest.mark.skipif(sys.platform != "linux", reason="memory is reported in other units elsewhere")
def test_one_dictionary_named_many_times_is_refused_at_once(tmp_path: Path) -> None:
    path = multiplied(tmp_path / "a.bin")
    assert path.stat().st_size < 400_000
    tests = Path(__file__).parents[1]
    command = [sys.executable, "-c", MEASURED, str(tests.parent), str(tests), str(path)]
    said = subprocess.run(command, capture_output=True, text=True, check=True).stdout.splitlines()
    seconds, kilobytes = map(float, said[-1].split())
    assert "names one dictionary more than once" in said[0]
    assert seconds < 3
    assert kilobytes * 1024 < MEMORY


def test_one_tensor_under_many_names_is_counted(tmp_path: Path) -> None:
    one = Tensor("FloatStorage", "0", 0, 0)
    path = written(tmp_path / "a.bin", {str(number): one for number in range(5_000)}, m0=b"")
    with pytest.raises(TensorFileError, match="names more than 4096 tensors"):
        read_archive(path)


@pytest.mark.parametrize("other", [name.removeprefix("torch.") for name in STORAGES])
def test_one_member_has_one_number_format(tmp_path: Path, other: str) -> None:
    size = getattr(torch, STORAGES[f"torch.{other}"]).itemsize
    tensors = {
        "first": Tensor("FloatStorage", "0", 2, 1),
        "second": Tensor(other, "0", 8 // size, 1),
    }
    path = written(tmp_path / "a.bin", tensors, m0=bytes(8))
    if other == "FloatStorage":
        assert set(read_archive(path)) == {"first", "second"}
        return
    with pytest.raises(TensorFileError, match="described in two ways"):
        read_archive(path)


# Readers raise their own errors alone


@pytest.mark.parametrize("name", ["proj_in.weight", "proj.0.weight", "latents", "proj_out.weight"])
def test_a_tensor_without_sides_is_a_sentence(name: str) -> None:
    raw = published_shapes.published()
    raw["image_proj"][name] = torch.empty((), device="meta")
    with pytest.raises(CheckpointError):
        read_checkpoint(raw, "hostile")


@pytest.mark.parametrize("part", ["image_proj", "ip_adapter"])
def test_numbers_as_names_are_a_sentence(part: str) -> None:
    raw: dict[str, Any] = published_shapes.published()
    raw[part] = {**raw[part], 5: torch.empty(1, device="meta")}
    with pytest.raises(CheckpointError):
        read_checkpoint(raw, "hostile")


def test_a_layer_number_of_many_digits_is_no_layer() -> None:
    name = "down_blocks.{}.attentions.0.transformer_blocks.0.attn2.processor.to_k_ip.weight"
    assert part_of({name.format("1"): torch.zeros(1)}) == "ip_adapter"
    assert part_of({name.format("9" * 5000): torch.zeros(1)}) is None
    assert part_of({name.format("\u0663"): torch.zeros(1)}) is None


def test_an_identity_of_impossible_sides_is_a_sentence(tmp_path: Path) -> None:
    path = tmp_path / "a.safetensors"
    shape = [1, 1, 0, 1 << 31, 1 << 31, 1 << 31]
    notes = '{"format":"instantid-compose identity","format_version":"1"}'
    tensor = f'{{"dtype":"F32","shape":{shape},"data_offsets":[0,0]}}'
    header = f'{{"__metadata__":{notes},"references":{tensor}}}'.encode()
    path.write_bytes(struct.pack("<Q", len(header)) + header)
    with pytest.raises(IdentityFileError):
        identity_file.read(path)


@pytest.mark.parametrize("depth", range(900, 1100, 3))
def test_a_pose_of_lists_in_each_other_is_a_sentence(depth: int) -> None:
    with pytest.raises(SettingError):
        pose_json.from_json("[" * depth + "]" * depth)


def test_a_pose_has_a_limit_of_faces() -> None:
    face = "[[0.2,0.2],[0.4,0.2],[0.3,0.3],[0.2,0.4],[0.4,0.4]]"
    started = time.process_time()
    with pytest.raises(SettingError, match="at most 256 faces, found 18000"):
        pose_json.from_json(
            f'{{"version":1,"extent":[64,64],"faces":[{",".join([face] * 18_000)}]}}'
        )
    assert time.process_time() - started < 10
