"""Spans of the denoising process and curves over them, read from the noise level of a call."""

from __future__ import annotations

import math
from collections.abc import Callable

import pytest
import torch

from instantid_core.adapter.rows import Row, SamplingRows
from instantid_core.adapter.run import Run
from instantid_core.adapter.window import CURVES, Span, span
from instantid_core.errors import SettingError, finite
from instantid_core.types import Polarity

ONE_ROW = (Row(Polarity.POSITIVE, 0, None, None),)


class CountedSigma:
    """A noise level that counts how often it is read: on a GPU every read waits for the device."""

    def __init__(self, value: float) -> None:
        self.value = value
        self.reads = 0

    def __getitem__(self, _: int) -> CountedSigma:
        return self

    def __float__(self) -> float:
        self.reads += 1
        return self.value


def linear(percent: float) -> float:
    """Sigma falls from 10 to 0."""
    return 10 * (1 - percent)


def call_at(
    sigma: CountedSigma | float, percent_to_sigma: Callable[[float], float] = linear
) -> SamplingRows:
    known = torch.tensor([sigma]) if isinstance(sigma, (int, float)) else sigma
    return SamplingRows(ONE_ROW, Run(percent_to_sigma), known)  # type: ignore[arg-type]


# --- spans ----------------------------------------------------------------------------------------


@pytest.mark.parametrize(("start", "end"), [(0, 1), (0.2, 0.8), (0.5, 0.501)])
def test_spans_keep_their_numbers(start: float, end: float) -> None:
    assert span(start, end) == Span(start, end)


def test_only_the_whole_process_is_everything() -> None:
    assert span(0, 1).is_everything
    assert not span(0.001, 1).is_everything
    assert not span(0, 0.999).is_everything


@pytest.mark.parametrize(("start", "end"), [(0.8, 0.2), (0.5, 0.5), (0, 0), (1, 1)])
def test_a_span_without_length_is_refused_with_both_numbers(start: float, end: float) -> None:
    with pytest.raises(SettingError) as caught:
        span(start, end)
    assert f"start_at ({start}) does not lie before end_at ({end})" in str(caught.value)
    assert "Swap the two" in str(caught.value)


@pytest.mark.parametrize(
    ("start", "end"), [(-0.1, 1), (0, 1.1), (math.nan, 1), (0, math.nan), (-math.inf, math.inf)]
)
def test_values_outside_the_process_are_refused(start: float, end: float) -> None:
    with pytest.raises(SettingError, match="fractions from 0 to 1") as caught:
        span(start, end)
    assert f"{start} and {end}" in str(caught.value)


@pytest.mark.parametrize("value", [math.nan, math.inf, -math.inf])
def test_numbers_must_be_finite(value: float) -> None:
    with pytest.raises(SettingError, match=f"weight must be a finite number, found {value}"):
        finite("weight", value)


@pytest.mark.parametrize("value", [0.0, -1.0, 5.0, 1])
def test_finite_numbers_pass_unchanged(value: float) -> None:
    assert finite("weight", value) == value


# --- inside the window ----------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("sigma", "active"),
    [(10, False), (7.6, False), (7.5, True), (5, True), (2.5, True), (2.4, False), (0, False)],
)
def test_window_reaches_from_start_to_end_inclusive(sigma: float, active: bool) -> None:
    # From sigma 7.5 to 2.5, both exact in binary.
    assert call_at(sigma).active(Span(0.25, 0.75)) is active


def test_sigma_may_be_a_tensor() -> None:
    inside = SamplingRows(ONE_ROW, Run(linear), torch.tensor([5.0]))
    assert inside.active(Span(0.2, 0.7)) is True


def test_whole_window_never_looks_at_sigma() -> None:
    sigma = CountedSigma(5.0)

    def no_sigma(percent: float) -> float:
        raise AssertionError(f"asked for the sigma of {percent}")

    call = call_at(sigma, no_sigma)
    assert all(call.active(Span(0, 1)) for _ in range(70))
    assert sigma.reads == 0


def test_seventy_sites_cost_one_look_at_sigma() -> None:
    sigma = CountedSigma(5.0)
    asked: list[float] = []
    call = call_at(sigma, lambda percent: asked.append(percent) or linear(percent))
    answers = {call.active(Span(0.2, 0.7)) for _ in range(70)}
    assert answers == {True}
    assert sigma.reads == 1
    assert asked == [0.2, 0.7]


def test_each_call_looks_for_itself() -> None:
    window = Span(0, 0.5)
    assert [call_at(sigma).active(window) for sigma in (10.0, 6.0, 4.0)] == [True, True, False]


def test_two_windows_still_cost_one_look_at_sigma() -> None:
    sigma = CountedSigma(5.0)
    call = call_at(sigma)
    assert call.active(Span(0, 0.7))
    assert not call.active(Span(0.7, 1))
    assert sigma.reads == 1


def test_windows_of_two_identities_are_kept_apart() -> None:
    call = call_at(9.0)
    assert call.active(Span(0, 0.5))
    assert not call.active(Span(0.5, 0.9))
    assert call.active(Span(0, 0.5))


# --- curves ---------------------------------------------------------------------------------------

# Progress comes from a search that halves 12 times: 2 ** -13 of the process, over a window of 0.5,
# and the peak climbs twice as fast.
SEARCH = 5e-4


def curve_at(curve: str, progress: float) -> float:
    """The factor at this point of the window from 0.25 to 0.75."""
    return call_at(linear(0.25 + 0.5 * progress)).factor(curve, Span(0.25, 0.75))


@pytest.mark.parametrize(
    ("curve", "expected"),
    [
        ("constant", [1, 1, 1, 1, 1]),
        ("fade in", [0, 0.25, 0.5, 0.75, 1]),
        ("fade out", [1, 0.75, 0.5, 0.25, 0]),
        ("peak", [0, 0.5, 1, 0.5, 0]),
    ],
)
def test_curves_run_over_the_window(curve: str, expected: list[float]) -> None:
    found = [curve_at(curve, progress) for progress in (0, 0.25, 0.5, 0.75, 1)]
    assert found == pytest.approx(expected, abs=SEARCH)


def test_every_curve_is_checked_here() -> None:
    assert set(CURVES) == {"constant", "fade in", "fade out", "peak"}


@pytest.mark.parametrize("progress", [-0.4, 1.4])
def test_curves_stay_at_their_ends_outside_the_window(progress: float) -> None:
    expected = 0.0 if progress < 0 else 1.0
    assert curve_at("fade in", progress) == pytest.approx(expected, abs=SEARCH)


def test_curves_follow_progress_not_sigma() -> None:
    def squared(percent: float) -> float:
        return 10 * (1 - percent) ** 2

    call = call_at(squared(0.5), squared)
    assert call.factor("fade in", Span(0, 1)) == pytest.approx(0.5, abs=SEARCH)


def test_a_window_without_length_has_a_factor() -> None:
    assert 0 <= call_at(linear(0.5)).factor("fade in", Span(0.5, 0.5)) <= 1


def test_a_constant_never_looks_at_sigma_and_a_curve_once() -> None:
    sigma = CountedSigma(5.0)
    call = call_at(sigma)
    assert {call.factor("constant", Span(0, 1)) for _ in range(70)} == {1.0}
    assert sigma.reads == 0
    assert len({call.factor("peak", Span(0, 1)) for _ in range(70)}) == 1
    assert call.active(Span(0.1, 0.9))
    assert sigma.reads == 1
