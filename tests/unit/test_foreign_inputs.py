"""The check on advice that the host tests make of every error."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import pytest
from support.advice import foreign_inputs


def node(name: str, *inputs: str) -> Any:
    schema = SimpleNamespace(
        display_name=name, inputs=[SimpleNamespace(id=each) for each in inputs]
    )
    return SimpleNamespace(define_schema=lambda: schema)


APPLY = node("InstantID", "image", "weight")
ANALYZE = node("InstantID Analyze Faces", "image", "select", "min_score")
GROUP = node("InstantID Apply Group", "match")


@pytest.mark.parametrize(
    ("sentence", "foreign"),
    [
        ("Use a photo with a face, or lower weight.", []),
        ("Lower min_score.", ["min_score"]),
        ("Set select to all.", ["select"]),
        ("Use select = all.", ["select"]),
        ("In InstantID Analyze Faces use select = all or a lower min_score.", []),
        ("Use match = by_index.", ["match"]),
        ("InstantID Apply Group has match = by_index.", []),
        ("Select a face. The faces match.", []),
        ("models/min_score.bin is no adapter.", []),
    ],
)
def test_inputs_of_other_nodes(sentence: str, foreign: list[str]) -> None:
    assert foreign_inputs(sentence, APPLY, [APPLY, ANALYZE, GROUP]) == foreign
