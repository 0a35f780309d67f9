"""Identities on disk: what is written comes back, and nothing else is taken for it."""

from __future__ import annotations

import json
import os
import struct
import subprocess
import sys
import threading
from pathlib import Path

import numpy as np
import pytest
import torch
from safetensors import safe_open
from safetensors.torch import save_file

from instantid_core.errors import IdentityError, IdentityFileError
from instantid_core.faces.recognisers import require_recogniser
from instantid_core.identity import identity_file
from instantid_core.identity.identity_file import FORMAT, VERSION, Notes, read, write
from instantid_core.types import ColourOrder, Extent, IdentityEmbedding, Recogniser

TESTS = Path(__file__).parents[1]
SHA256 = "4ab1d6435d639628a6f3e5008dd4f929edf4c4124b1a7169e1048f9fef534cdf"
RECOGNISER = Recogniser(SHA256)


def identity(batch: int = 1, sequence: int = 1) -> IdentityEmbedding:
    generator = torch.Generator().manual_seed(batch * 10 + sequence)
    references = torch.randn(batch, sequence, 512, generator=generator)
    references[0, 0, :4] = torch.tensor([0.0, -0.0, 1e-42, 3.4e38])  # bits that are easily lost
    return IdentityEmbedding(references, RECOGNISER)


def bits(references: torch.Tensor) -> bytes:
    return references.contiguous().numpy().tobytes()


def metadata(path: Path) -> dict[str, str]:
    with safe_open(path, framework="pt") as file:
        return file.metadata()


def forged(path: Path, references: torch.Tensor | None = None, **changes: str) -> Path:
    """A file like `write` makes, with parts exchanged."""
    genuine = path.with_name("genuine.safetensors")
    if not genuine.exists():
        write(genuine, identity(), Notes())
    tensors = {"references": identity().references if references is None else references}
    kept = {name: value for name, value in (metadata(genuine) | changes).items() if value}
    save_file(tensors, path, kept)
    return path


# --- there and back -------------------------------------------------------------------------------


@pytest.mark.parametrize("shape", [(1, 1), (1, 4), (5, 1), (3, 2)])
def test_bits_come_back(tmp_path: Path, shape: tuple[int, int]) -> None:
    path = tmp_path / "anna.safetensors"
    notes = Notes((Extent(512, 768), Extent(1, 2)), "1.2.3")
    write(path, identity(*shape), notes)
    found = read(path)
    assert bits(found.identity.references) == bits(identity(*shape).references)
    assert found.identity.references.dtype == torch.float32
    assert found.identity.recogniser == RECOGNISER
    assert found.notes == notes


def test_another_process_reads_the_same_bits(tmp_path: Path) -> None:
    path = tmp_path / "anna.safetensors"
    write(path, identity(2, 3), Notes())
    program = (
        "import sys, pathlib, numpy; sys.path.insert(0, sys.argv[1]); import conftest;"
        "from instantid_core.identity.identity_file import read;"
        "found = read(pathlib.Path(sys.argv[2])).identity;"
        "numpy.save(sys.argv[3], found.references.numpy()); print(found.recogniser.sha256)"
    )
    arguments = [str(TESTS), str(path), str(tmp_path / "there.npy")]
    done = subprocess.run(
        [sys.executable, "-c", program, *arguments], capture_output=True, text=True, check=True
    )
    assert done.stdout.strip() == SHA256
    assert np.load(tmp_path / "there.npy").tobytes() == bits(identity(2, 3).references)


def test_the_file_says_what_it_holds(tmp_path: Path) -> None:
    path = tmp_path / "anna.safetensors"
    write(path, identity(3, 2), Notes((Extent(512, 768),), "1.2.3"))
    assert metadata(path) == {
        "format": FORMAT,
        "format_version": str(VERSION),
        "identities": "3",
        "references_each": "2",
        "recogniser_sha256": SHA256,
        "recogniser_colours": "BGR",
        "source_sizes": "[[512, 768]]",
        "pack_version": "1.2.3",
    }


def test_unknown_notes_are_allowed(tmp_path: Path) -> None:
    path = tmp_path / "anna.safetensors"
    write(path, identity(), Notes())
    assert metadata(path)["source_sizes"] == "unknown"
    assert read(path).notes == Notes((), "unknown")


def test_views_are_written_whole(tmp_path: Path) -> None:
    view = identity().references.expand(4, 1, 512)
    write(tmp_path / "view", IdentityEmbedding(view, RECOGNISER), Notes())
    assert torch.equal(read(tmp_path / "view").identity.references, view)


def test_what_was_read_outlives_its_file(tmp_path: Path) -> None:
    path = tmp_path / "anna.safetensors"
    write(path, identity(), Notes())
    found = read(path).identity.references
    size = path.stat().st_size
    path.write_bytes(bytes(size))
    assert torch.equal(found, identity().references)


# --- writing --------------------------------------------------------------------------------------


def test_nothing_is_overwritten(tmp_path: Path) -> None:
    path = tmp_path / "anna.safetensors"
    path.write_bytes(b"a treasure")
    with pytest.raises(IdentityFileError, match=r"'anna.safetensors' is there already"):
        write(path, identity(), Notes())
    assert path.read_bytes() == b"a treasure"
    assert os.listdir(tmp_path) == ["anna.safetensors"]


@pytest.mark.parametrize("step", ["replace", "fsync"])
def test_a_failure_leaves_nothing_behind(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, step: str
) -> None:
    def refuse(*_: object) -> None:
        raise OSError(28, "No space left on device")

    # Without hard links the last step is a replacement.
    for name in ("link", step):
        monkeypatch.setattr(identity_file.os, name, refuse)
    with pytest.raises(IdentityFileError, match=r"cannot be written .*No space left"):
        write(tmp_path / "anna.safetensors", identity(), Notes())
    assert os.listdir(tmp_path) == []


KILLED = """
import os, sys
from pathlib import Path
sys.path.insert(0, sys.argv[1])
import torch
from instantid_core.identity import identity_file
from instantid_core.types import IdentityEmbedding, Recogniser
setattr(os, sys.argv[3], lambda *given: os._exit(7))
identity = IdentityEmbedding(torch.ones(1, 1, 512), Recogniser("5e" * 32))
identity_file.write(Path(sys.argv[2]), identity, identity_file.Notes())
"""


@pytest.mark.parametrize("moment", ["fsync", "link"])
def test_a_killed_writer_leaves_no_half_of_a_file(tmp_path: Path, moment: str) -> None:
    """Neither under the final name nor, once somebody writes again, under another."""
    path = tmp_path / "me.safetensors"
    command = [sys.executable, "-c", KILLED, str(TESTS.parent), str(path), moment]
    assert subprocess.run(command, check=False).returncode == 7
    assert not path.exists()
    (draft,) = tmp_path.iterdir()
    write(tmp_path / "other.safetensors", identity(), Notes())
    assert draft.exists(), "somebody may be writing it"
    os.utime(draft, (0, 0))
    write(path, identity(), Notes())
    assert {one.name for one in tmp_path.iterdir()} == {"me.safetensors", "other.safetensors"}


def test_a_disk_without_hard_links_will_do(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: object) -> None:
        raise PermissionError(1, "Operation not permitted")

    monkeypatch.setattr(os, "link", refuse)
    path = tmp_path / "me.safetensors"
    write(path, identity(), Notes())
    assert bits(read(path).identity.references) == bits(identity().references)
    with pytest.raises(IdentityFileError, match="is there already"):
        write(path, identity(), Notes())


def test_of_two_writers_one_wins_and_one_is_reported(tmp_path: Path) -> None:
    path, outcomes = tmp_path / "anna.safetensors", []

    def attempt(number: int) -> None:
        try:
            write(path, identity(number), Notes())
            outcomes.append(number)
        except IdentityFileError:
            outcomes.append(0)

    threads = [threading.Thread(target=attempt, args=(number,)) for number in range(1, 9)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    (winner,) = [number for number in outcomes if number]
    assert len(outcomes) == 8
    assert read(path).identity.references.shape[0] == winner
    assert os.listdir(tmp_path) == ["anna.safetensors"]


def test_a_folder_that_is_not_there_is_a_sentence(tmp_path: Path) -> None:
    with pytest.raises(IdentityFileError, match=r"cannot be written to .*Check the name"):
        write(tmp_path / "missing" / "anna.safetensors", identity(), Notes())


def test_a_name_that_no_disk_takes_is_a_sentence(tmp_path: Path) -> None:
    for name in ("a" * 300, "nul\0byte"):
        with pytest.raises(IdentityFileError, match="cannot be written"):
            write(tmp_path / name, identity(), Notes())
    assert os.listdir(tmp_path) == []


def test_nobody_and_nan_are_not_saved(tmp_path: Path) -> None:
    path = tmp_path / "anna.safetensors"
    with pytest.raises(IdentityError, match="nobody to save"):
        write(path, IdentityEmbedding(torch.empty(0, 1, 512), RECOGNISER), Notes())
    with pytest.raises(IdentityFileError, match="holds NaN"):
        write(path, IdentityEmbedding(torch.full((1, 1, 512), torch.nan), RECOGNISER), Notes())
    assert os.listdir(tmp_path) == []


# --- reading what is no identity ------------------------------------------------------------------


@pytest.mark.parametrize("kept", [0, 1, 7, 8, 40, 300, -1, -512])
def test_files_cut_short_are_refused(tmp_path: Path, kept: int) -> None:
    whole, cut = tmp_path / "whole", tmp_path / "cut.safetensors"
    write(whole, identity(2), Notes())
    cut.write_bytes(whole.read_bytes()[:kept])
    with pytest.raises(
        IdentityFileError, match=r"'cut.safetensors' cannot be read .*copy it again"
    ):
        read(cut)


@pytest.mark.parametrize(
    "content", [b"<!DOCTYPE html><html>Not found</html>", b"PK\x03\x04" * 40, bytes(4096)]
)
def test_other_files_are_refused(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "page.safetensors").write_bytes(content)
    with pytest.raises(IdentityFileError, match=r"'page.safetensors' cannot be read"):
        read(tmp_path / "page.safetensors")


def test_folders_and_missing_files_are_refused(tmp_path: Path) -> None:
    with pytest.raises(IdentityFileError, match="cannot be read"):
        read(tmp_path)
    with pytest.raises(IdentityFileError, match="There is no identity file 'gone'"):
        read(tmp_path / "gone")


def test_every_single_flipped_byte_is_refused_or_harmless(tmp_path: Path) -> None:
    """No byte of the header can turn a file into anything but a sentence or sound numbers."""
    write(tmp_path / "whole", identity(), Notes())
    whole = (tmp_path / "whole").read_bytes()
    broken = tmp_path / "broken"
    refused = 0
    for place in range(0, len(whole) - 4 * 512, 3):
        broken.write_bytes(whole[:place] + bytes([whole[place] ^ 0x15]) + whole[place + 1 :])
        try:
            assert torch.isfinite(read(broken).identity.references).all()
        except IdentityFileError:
            refused += 1
    assert refused > 50


def test_foreign_safetensors_are_refused(tmp_path: Path) -> None:
    path = tmp_path / "lora.safetensors"
    for tensors, found in (
        ({"lora.weight": torch.zeros(2)}, None),
        ({"references": torch.zeros(1, 1, 512)}, {"format": "pt"}),
    ):
        save_file(tensors, path, found)
        with pytest.raises(
            IdentityFileError, match=r"is not an identity: expected .*Save Identity"
        ):
            read(path)


def test_newer_files_name_the_pack_that_wrote_them(tmp_path: Path) -> None:
    path = forged(tmp_path / "new", format_version="3", pack_version="9.0")
    with pytest.raises(IdentityFileError, match=r"version 3, written by .*9\.0; .*Update the pack"):
        read(path)


@pytest.mark.parametrize("version", ["", "0", "-1", "one", "1.5", "9" * 5000])
def test_odd_versions_are_damage(tmp_path: Path, version: str) -> None:
    with pytest.raises(IdentityFileError, match="is damaged: its format version"):
        read(forged(tmp_path / "odd", format_version=version))


@pytest.mark.parametrize("shape", [(1, 1, 511), (512,), (1, 512), (0, 1, 512), (1, 0, 512)])
def test_wrong_shapes_are_refused(tmp_path: Path, shape: tuple[int, ...]) -> None:
    with pytest.raises(IdentityFileError, match=r"wrong shape: expected .*512.*found") as caught:
        read(forged(tmp_path / "odd", torch.zeros(shape)))
    assert str(list(shape)) in str(caught.value)


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16, torch.float64, torch.int64])
def test_other_number_formats_are_refused(tmp_path: Path, dtype: torch.dtype) -> None:
    with pytest.raises(IdentityFileError, match="expected float32, found"):
        read(forged(tmp_path / "odd", torch.zeros(1, 1, 512, dtype=dtype)))


@pytest.mark.parametrize("value", [torch.nan, torch.inf, -torch.inf])
def test_nan_is_refused(tmp_path: Path, value: float) -> None:
    references = identity().references.clone()
    references[0, 0, 500] = value
    with pytest.raises(IdentityFileError, match="holds NaN or infinite numbers"):
        read(forged(tmp_path / "odd", references))


@pytest.mark.parametrize(
    "change",
    [
        {"identities": "2"},
        {"identities": ""},
        {"references_each": "7"},
        {"recogniser_sha256": ""},
        {"recogniser_sha256": "exchanged:" + SHA256},
        {"recogniser_colours": "GBR"},
        {"recogniser_colours": ""},
        {"source_sizes": "[[1]]"},
        {"source_sizes": "[[1.5, 2]]"},
        {"source_sizes": "[512, 512]"},
        {"source_sizes": "not json"},
        {"source_sizes": "[" * 100_000},
        {"source_sizes": json.dumps({"a": 1})},
    ],
    ids=lambda change: next(iter(change)),
)
def test_notes_that_do_not_fit_are_refused(tmp_path: Path, change: dict[str, str]) -> None:
    with pytest.raises(IdentityFileError, match="is damaged: what it notes about itself"):
        read(forged(tmp_path / "odd", **change))


def test_other_tensors_are_refused(tmp_path: Path) -> None:
    forged(tmp_path / "odd")
    notes = metadata(tmp_path / "odd")
    for tensors in ({"embedding": torch.zeros(1)}, {}):
        save_file(tensors, tmp_path / "odd", notes)
        with pytest.raises(IdentityFileError, match="one tensor called references, found"):
            read(tmp_path / "odd")


# --- recognisers ----------------------------------------------------------------------------------


def test_another_recogniser_is_refused() -> None:
    require_recogniser(identity(), RECOGNISER)
    with pytest.raises(IdentityError, match=r"sha256 4ab1d6435d63 and 5f00ba5e0000\)"):
        require_recogniser(identity(), Recogniser("5f00ba5e0000feed" * 4))


def test_identities_of_one_recogniser_for_two_base_models_do_not_mix(tmp_path: Path) -> None:
    other = Recogniser(SHA256, ColourOrder.RGB)
    with pytest.raises(IdentityError, match=r"on SDXL, .* for SD 1\.5; .*Choose one base_model"):
        require_recogniser(identity(), other)
    kept = IdentityEmbedding(identity().references, other)
    write(tmp_path / "sd15.safetensors", kept, Notes())
    assert read(tmp_path / "sd15.safetensors").identity.recogniser == other


@pytest.mark.parametrize(
    ("noted", "colours"), [(SHA256, ColourOrder.BGR), (f"exchanged:{SHA256}", ColourOrder.RGB)]
)
def test_files_of_version_1_are_read(tmp_path: Path, noted: str, colours: ColourOrder) -> None:
    path = tmp_path / "older.safetensors"
    path.write_bytes(of_version_1(noted))
    found = read(path)
    assert found.identity.recogniser == Recogniser(SHA256, colours)
    assert bits(found.identity.references) == struct.pack("<512f", *range(512))
    assert found.notes == Notes((Extent(1137, 910),), "0.1.0")
    write(tmp_path / "newer.safetensors", found.identity, found.notes)
    assert metadata(tmp_path / "newer.safetensors")["format_version"] == "2"
    assert read(tmp_path / "newer.safetensors").identity.recogniser == found.identity.recogniser


def of_version_1(noted: str) -> bytes:
    """Bytes as the pack wrote them before the order of colours had an entry of its own."""
    header = (
        '{"__metadata__":{"format":"instantid-compose identity","format_version":"1",'
        f'"identities":"1","recogniser_sha256":"{noted}","references_each":"1",'
        '"source_sizes":"[[1137, 910]]","pack_version":"0.1.0"},'
        '"references":{"dtype":"F32","shape":[1,1,512],"data_offsets":[0,2048]}}'
    ).encode()
    header += b" " * (-len(header) % 8)
    return struct.pack("<Q", len(header)) + header + struct.pack("<512f", *range(512))
