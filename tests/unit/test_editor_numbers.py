"""`tests/data/editor_numbers.json`, with which `tests/js` compares the browser's code, is fresh."""

from __future__ import annotations

import json
from typing import Any

import pytest
from support import editor_numbers

KEPT = json.loads(editor_numbers.FILE.read_text(encoding="utf-8"))


def flat(value: Any, path: str = "") -> dict[str, Any]:
    """Path to leaf."""
    if isinstance(value, dict):
        parts = value.items()
    elif isinstance(value, list):
        parts = enumerate(value)
    else:
        return {path: value}
    return {k: v for name, part in parts for k, v in flat(part, f"{path}/{name}").items()}


@pytest.mark.parametrize("part", KEPT)
def test_the_numbers_are_those_of_the_server(part: str) -> None:
    kept, fresh = flat(KEPT[part]), flat(editor_numbers.numbers()[part])
    assert kept.keys() == fresh.keys()
    for path, value in fresh.items():
        if isinstance(value, float):
            assert kept[path] == pytest.approx(value, abs=1e-6), path
        else:
            assert kept[path] == value, path


@pytest.mark.parametrize("text", KEPT["refused"])
def test_the_server_refuses_these_texts(text: str) -> None:
    assert editor_numbers.is_refused(text)
