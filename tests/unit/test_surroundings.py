"""Lines behind people."""

from __future__ import annotations

import numpy as np
import pytest

from training.outlines import agreement, around, outlines

FACE = np.array([[24.0, 24.0, 40.0, 40.0]])


def picture(edge: int) -> np.ndarray:
    """Dark at the left of a column, bright from it on."""
    image = np.zeros((64, 64, 3), np.uint8)
    image[:, edge:] = 255
    return image


def test_lines_are_where_brightness_changes():
    lines = outlines(picture(10), np.zeros((0, 4)))
    assert lines.dtype == np.float32 and lines[:, 9:11].min() == 1.0
    assert lines[:, :8].max() == lines[:, 13:].max() == 0.0


def test_no_line_is_drawn_near_a_face():
    lines = outlines(picture(32), FACE)
    assert lines[20:45, 31].max() == 0.0
    assert lines[:15, 31].min() == 1.0
    assert around(FACE, 64, 64)[0, 0] and not around(FACE, 64, 64)[32, 32]


@pytest.mark.parametrize(("edge", "expected"), [(10, 1.0), (50, 0.0)])
def test_agreement_is_one_for_the_same_lines(edge, expected):
    wanted = outlines(picture(10), FACE)
    found = agreement(outlines(picture(edge), FACE), wanted, FACE)
    assert found == pytest.approx(expected, abs=0.05)


def test_no_lines_agree_with_nothing():
    wanted = outlines(picture(10), FACE)
    assert agreement(np.zeros_like(wanted), wanted, FACE) == 0.0
