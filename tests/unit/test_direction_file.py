"""Directions on disk: what is written comes back, and nothing else is taken for it."""

from __future__ import annotations

import os
import struct
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors import safe_open
from safetensors.torch import save_file

from instantid_core.errors import DirectionFileError, IdentityFileError
from instantid_core.identity import direction_file, identity_file
from instantid_core.types import (
    ColourOrder,
    Direction,
    Evidence,
    IdentityEmbedding,
    Recogniser,
)

RECOGNISER = Recogniser("5e" * 32, ColourOrder.RGB)
VECTOR = torch.randn(512, generator=torch.Generator().manual_seed(4))
WHOLE = Direction(VECTOR, 0.1 + 0.2, RECOGNISER, "glasses", Evidence(9, 12, False, 1 / 3))


def forged(path: Path, vector: torch.Tensor = VECTOR, **changes: str) -> Path:
    """A file like `write` makes, with parts exchanged."""
    genuine = path.with_name("genuine")
    if not genuine.exists():
        direction_file.write(genuine, WHOLE)
    with safe_open(genuine, framework="pt") as file:
        metadata = file.metadata() | changes
    save_file({"direction": vector}, path, metadata)
    return path


@pytest.mark.parametrize("evidence", [WHOLE.evidence, Evidence(4, 4, True, 1.0)])
def test_bits_come_back(tmp_path: Path, evidence: Evidence) -> None:
    path = tmp_path / "glasses.safetensors"
    direction_file.write(path, replace(WHOLE, evidence=evidence), "1.2.3")
    found = direction_file.read(path)
    assert found.vector.numpy().tobytes() == VECTOR.numpy().tobytes()
    assert (found.midpoint, found.recogniser, found.name) == (0.1 + 0.2, RECOGNISER, "glasses")
    assert found.evidence == evidence
    assert os.listdir(tmp_path) == ["glasses.safetensors"]


def test_the_file_says_what_it_holds(tmp_path: Path) -> None:
    path = tmp_path / "glasses.safetensors"
    direction_file.write(path, WHOLE, "1.2.3")
    with safe_open(path, framework="pt") as file:
        assert file.metadata() == {
            "format": "instantid-compose direction",
            "format_version": "1",
            "recogniser_sha256": RECOGNISER.sha256,
            "recogniser_colours": "RGB",
            "pack_version": "1.2.3",
            "name": "glasses",
            "photos_with": "9",
            "photos_without": "12",
            "paired": "false",
            "auc": repr(1 / 3),
            "midpoint": repr(0.1 + 0.2),
        }


def test_nothing_is_overwritten(tmp_path: Path) -> None:
    path = tmp_path / "glasses.safetensors"
    path.write_bytes(b"a treasure")
    with pytest.raises(DirectionFileError, match="is there already"):
        direction_file.write(path, WHOLE)
    assert path.read_bytes() == b"a treasure"


def test_a_full_disk_leaves_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "fsync", refuse)
    with pytest.raises(DirectionFileError, match=r"cannot be written .*No space left"):
        direction_file.write(tmp_path / "glasses.safetensors", WHOLE)
    assert os.listdir(tmp_path) == []


def test_numbers_that_are_none_are_not_saved(tmp_path: Path) -> None:
    with pytest.raises(DirectionFileError, match=r"holds NaN.*Learn it again"):
        direction_file.write(tmp_path / "x", replace(WHOLE, vector=VECTOR * torch.nan))


def test_a_file_without_a_name_is_called_by_its_own(tmp_path: Path) -> None:
    path = forged(tmp_path / "beard_00002_.safetensors", name="")
    assert direction_file.read(path).name == "beard 2"


@pytest.mark.parametrize("kept", [0, 7, 40, 300, -1, -512])
def test_files_cut_short_are_refused(tmp_path: Path, kept: int) -> None:
    direction_file.write(tmp_path / "whole", WHOLE)
    cut = tmp_path / "cut.safetensors"
    cut.write_bytes((tmp_path / "whole").read_bytes()[:kept])
    with pytest.raises(DirectionFileError, match=r"cannot be read .*copy it again"):
        direction_file.read(cut)


def test_a_header_without_end_is_refused(tmp_path: Path) -> None:
    (tmp_path / "long").write_bytes(struct.pack("<Q", 1 << 40) + b"{}")
    with pytest.raises(DirectionFileError, match="its header claims"):
        direction_file.read(tmp_path / "long")


def test_identities_and_directions_are_not_taken_for_each_other(tmp_path: Path) -> None:
    direction_file.write(tmp_path / "glasses", WHOLE)
    identity = IdentityEmbedding(torch.ones(1, 1, 512), RECOGNISER)
    identity_file.write(tmp_path / "anna", identity, identity_file.Notes())
    with pytest.raises(DirectionFileError, match=r"not a direction.*file of InstantID Learn"):
        direction_file.read(tmp_path / "anna")
    with pytest.raises(IdentityFileError, match=r"not an identity.*file of InstantID Save"):
        identity_file.read(tmp_path / "glasses")


def test_missing_and_newer_files_are_sentences(tmp_path: Path) -> None:
    with pytest.raises(DirectionFileError, match="There is no direction file 'gone'"):
        direction_file.read(tmp_path / "gone")
    with pytest.raises(DirectionFileError, match=r"format version 2, written by .*9\.0"):
        direction_file.read(forged(tmp_path / "new", format_version="2", pack_version="9.0"))


@pytest.mark.parametrize(
    ("vector", "said"),
    [
        (torch.ones(1, 512), r"wrong shape: expected \[512\], found \[1, 512\]"),
        (torch.ones(513), "wrong shape"),
        (torch.ones(512, dtype=torch.float64), "expected float32, found float64"),
        (torch.full((512,), torch.inf), "holds NaN or infinite"),
        (torch.zeros(512), "points nowhere"),
    ],
)
def test_other_numbers_are_refused(tmp_path: Path, vector: torch.Tensor, said: str) -> None:
    with pytest.raises(DirectionFileError, match=said):
        direction_file.read(forged(tmp_path / "odd", vector))


@pytest.mark.parametrize(
    "change",
    [
        {"photos_with": "0"},
        {"photos_with": "-8"},
        {"photos_without": "9" * 5000},
        {"photos_without": ""},
        {"paired": "True"},
        {"auc": "1.01"},
        {"auc": "nan"},
        {"auc": "much"},
        {"midpoint": "inf"},
        {"midpoint": ""},
        {"recogniser_sha256": "5e"},
        {"recogniser_colours": "GBR"},
    ],
    ids=str,
)
def test_notes_that_make_no_sense_are_refused(tmp_path: Path, change: dict[str, Any]) -> None:
    with pytest.raises(DirectionFileError, match="is damaged: what it notes about itself"):
        direction_file.read(forged(tmp_path / "odd", **change))
