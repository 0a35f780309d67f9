"""Decoupled guidance: what each scale weighs."""

from __future__ import annotations

from itertools import product

import pytest
import torch

from instantid_core.adapter import GuidanceScales, Predictions
from instantid_core.errors import SettingError

SCALES = (0.0, 1.0, 2.5, 4.5)


def predictions() -> Predictions:
    return Predictions(*torch.randn(3, 2, 4, 8, 8, generator=torch.Generator().manual_seed(0)))


def guided(scales: GuidanceScales, found: Predictions) -> torch.Tensor:
    """As the guider puts the parts together, without the host's hooks."""
    text = found.negative + (found.text - found.negative) * scales.text
    return scales.with_identity(text, found)


@pytest.mark.parametrize(("text", "identity"), [*product(SCALES, SCALES)])
def test_each_scale_weighs_its_difference(text: float, identity: float) -> None:
    scales, found = GuidanceScales(text, identity), predictions()
    negative, words, positive = found
    expected = (1 - text) * negative + (text - identity) * words + identity * positive
    assert torch.allclose(guided(scales, found), expected, atol=1e-5)
    if not scales.needs_negative:
        assert torch.allclose(
            guided(scales, found._replace(negative=0 * negative)), expected, atol=1e-5
        )
    if not scales.needs_positive:
        assert torch.allclose(
            guided(scales, found._replace(positive=0 * positive)), expected, atol=1e-5
        )
    assert scales.is_plain is (text == identity)


def test_a_prediction_without_noise_is_no_fault() -> None:
    x = torch.ones(1, 4, 8, 8)
    assert GuidanceScales(4.5, 3.0, rescale=1.0).rescaled(x, x, x).isfinite().all()


@pytest.mark.parametrize(
    "wrong", [{"text": -1.0}, {"identity": 101.0}, {"rescale": 1.5}, {"text": float("nan")}]
)
def test_scales_beyond_their_range_are_refused(wrong: dict[str, float]) -> None:
    with pytest.raises(SettingError, match=next(iter(wrong))):
        GuidanceScales(**({"text": 4.5, "identity": 4.5} | wrong))
