"""A fixed number of hostile files for every reader: read, or refused by the pack's own errors.

`tests/fuzz/mutate_readers.py` runs any number of the same files.
"""

from __future__ import annotations

from pathlib import Path

import pytest
from support.hostile_files import readers
from support.mutations import attack

FEW, MANY = 150, 10_000
"""Files for each reader in a quick and in a thorough run."""

each_reader = pytest.mark.parametrize("name", readers())


@each_reader
def test_hostile_files_are_read_or_refused(name: str, tmp_path: Path) -> None:
    seen = attack(name, FEW, tmp_path)
    assert seen.total() == FEW
    assert seen[False] > FEW / 3, "the changes should do harm"


@pytest.mark.thorough
@each_reader
def test_many_hostile_files_are_read_or_refused(name: str, tmp_path: Path) -> None:
    assert attack(name, MANY, tmp_path, first=FEW).total() == MANY
