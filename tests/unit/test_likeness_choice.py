"""The named amounts of likeness: what each sets, and that one's own numbers stay as they are."""

from __future__ import annotations

import pytest

from instantid_core.adapter import CUSTOM, LIKENESS, LIKENESS_CHOICES, Amounts, Span, amounts_of
from instantid_core.errors import SettingError

OWN = Amounts(0.7, 0.45, Span(0.2, 0.6))


@pytest.mark.parametrize(
    ("likeness", "weight", "strength", "window"),
    [
        ("faithful", 1.0, 0.9, (0, 1)),
        ("balanced", 0.8, 0.8, (0, 1)),
        ("stylised", 0.6, 0.5, (0.1, 1)),
        ("pose only", 0.0, 0.8, (0, 1)),
    ],
)
def test_a_name_sets_all_numbers(
    likeness: str, weight: float, strength: float, window: tuple[float, float]
) -> None:
    found = amounts_of(likeness, OWN)
    assert (found.weight, found.strength, tuple(found.window)) == (weight, strength, window)


def test_custom_hands_on_what_it_is_given() -> None:
    assert amounts_of(CUSTOM, OWN) is OWN


def test_custom_comes_first_and_names_go_from_more_to_less() -> None:
    assert LIKENESS_CHOICES[0] == CUSTOM
    weights = [amounts.weight for amounts in LIKENESS.values()]
    assert weights == sorted(weights, reverse=True)


def test_another_name_is_refused_with_the_names_there_are() -> None:
    with pytest.raises(SettingError, match=r"likeness must be one of custom, .*; found 'twin'\."):
        amounts_of("twin", OWN)
