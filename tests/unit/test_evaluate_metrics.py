"""Measures of pictures against pictures whose measure is known, intervals against exact ones."""

from __future__ import annotations

import colorsys
import itertools
import math

import numpy as np
import pytest
from scipy import stats

from instantid_core.keypoints.poses import FacePlacement, pose
from instantid_core.types import Extent
from tools.evaluate import metrics
from tools.evaluate.figures import Criterion, Estimate
from tools.evaluate.poses import model_face
from tools.evaluate.settings import Placing

PLACING = Placing(face_height=0.5, eye_line=0.4)
FACE = model_face(0, PLACING, (400, 400))
"""A face 200 pixels high."""


def singles(numbers):
    """One picture per person."""
    return [[number] for number in numbers]


def binomial_quantile(tail: float, people: int, ones: int) -> float:
    """The exact bootstrap quantile of a mean of ones and zeros: drawn ones are binomial."""
    return float(stats.binom.ppf(tail, people, ones / people)) / people


@pytest.mark.parametrize(("people", "ones"), [(2, 1), (4, 1), (20, 10), (36, 33)])
def test_the_interval_of_a_share_is_the_binomial_one(people, ones):
    found = metrics.mean(singles([1] * ones + [0] * (people - ones)))
    assert found.value == pytest.approx(ones / people)
    assert found.low == pytest.approx(binomial_quantile(0.025, people, ones))
    assert found.high == pytest.approx(binomial_quantile(0.975, people, ones))
    assert found.n == people


def test_the_interval_of_a_ratio_draws_the_same_people_above_and_below():
    over, under = [0.9, 0.5, 0.7], [0.3, 0.1, 0.2]
    found = metrics.ratio(singles(over), singles(under))
    ratios = [
        sum(over[n] for n in drawn) / sum(under[n] for n in drawn)
        for drawn in itertools.product(range(3), repeat=3)
    ]
    assert found.value == pytest.approx(sum(over) / sum(under))
    # Each end is drawn with 1/27, more than the tail of 2.5 %: both are reached.
    assert found.low == pytest.approx(min(ratios))
    assert found.high == pytest.approx(max(ratios))


def test_people_count_alike_however_many_pictures_they_have():
    found = metrics.mean([[1.0], [0.0] * 99])
    assert found.value == pytest.approx(0.5)
    assert (found.low, found.high) == (0.0, 1.0)


def test_equal_values_give_equal_intervals():
    values = singles(np.random.default_rng(1).uniform(size=12))
    assert metrics.mean(values) == metrics.mean(values)


def test_people_without_a_value_are_left_out():
    found = metrics.mean([[0.2], [math.nan], [], [0.4, math.nan]])
    assert (found.value, found.n) == (pytest.approx(0.3), 2)
    paired = metrics.difference([[0.5], [0.9]], [[0.2], [math.nan]])
    assert (paired.value, paired.n) == (pytest.approx(0.3), 1)
    assert not metrics.mean([[], [math.nan]]).known


def test_a_ratio_to_nothing_stays_finite():
    found = metrics.ratio(singles([0.5, 0.7]), singles([-0.02, 0.0]))
    assert found.value == pytest.approx(0.6 / metrics.MIN_DENOMINATOR)
    assert metrics.ratio(singles([0.0, 0.0]), singles([0.0, 0.0])).value == 0


def test_cosines_are_of_mean_directions():
    one = np.array([[3.0, 0, 0], [0, 5.0, 0]])
    assert metrics.cosine(one, np.array([[0, 0, 2.0]])) == pytest.approx(0)
    assert metrics.cosine(one, np.array([[1.0, 0, 0]])) == pytest.approx(math.cos(math.pi / 4))
    assert metrics.cosine(one, 7 * one) == pytest.approx(1)


def test_keypoint_errors_are_in_heights_of_the_wanted_face():
    assert metrics.keypoint_error(FACE, FACE) == 0
    assert metrics.keypoint_error(FACE + np.array([6, 8]), FACE) == pytest.approx(
        10 / 200, rel=1e-3
    )
    assert metrics.keypoint_error(2 * FACE + np.array([12, 16]), 2 * FACE) == pytest.approx(
        0.05, rel=1e-3
    )
    apart = np.linalg.norm(FACE, axis=1).mean()
    assert metrics.keypoint_error(2 * FACE, FACE) == pytest.approx(apart / 200, rel=1e-3)


def test_the_turn_follows_the_yaw_alone():
    yaws = [-40, -20, 0, 20, 40]
    turns = [metrics.head_turn(model_face(yaw, PLACING, (400, 400))) for yaw in yaws]
    # The nose stands 0.17 before the line of the eyes, which are 0.3594 apart.
    assert turns == pytest.approx([0.17 / 0.3594 * math.tan(math.radians(y)) for y in yaws])
    tilt = np.array([[0.8, -0.6], [0.6, 0.8]])
    moved = 3 * model_face(20, PLACING, (400, 400)) @ tilt.T + (5, 9)
    assert metrics.head_turn(moved) == pytest.approx(turns[3])


def test_the_model_face_is_that_of_the_pose_node():
    extent = Extent(300, 400)
    for preset, yaw in (("front", 0), ("slight_left", -18), ("quarter_right", 40)):
        where = FacePlacement(PLACING.face_height, PLACING.eye_line, 0.3)
        (wanted,) = pose(preset, where, extent).all
        found = model_face(yaw, PLACING, extent, center_x=0.3)
        np.testing.assert_allclose(found, wanted.keypoints, atol=1e-3)


def test_painted_heads_turn_the_way_the_measure_says():
    from training.world import Person, Pose, Scene, paint

    turns = [
        metrics.head_turn(paint(Scene((Person(5, Pose(yaw)),))).keypoints[0])
        for yaw in (-30, -15, 0, 15, 30)
    ]
    assert turns == sorted(turns)
    assert turns[2] == pytest.approx(0, abs=1e-3)
    assert turns[4] > 0.1


def test_saturation_and_clipping():
    image = np.random.default_rng(3).integers(0, 256, (6, 7, 3), np.uint8)
    saturations = [colorsys.rgb_to_hsv(*(pixel / 255))[1] for pixel in image.reshape(-1, 3)]
    assert metrics.saturation(image) == pytest.approx(np.mean(saturations))
    assert metrics.saturation(np.zeros((2, 2, 3), np.uint8)) == 0
    image = np.full((2, 5, 3), 100, np.uint8)
    image[0, 0], image[1, 1, 2], image[1, 2] = (100, 0, 9), 255, (1, 254, 9)
    assert metrics.clipped(image) == pytest.approx(0.2)


@pytest.mark.parametrize(
    ("x", "y"),
    [
        ([0, 1, 2, 3], [0.1, 0.5, 0.4, 0.9]),
        ([0, 1, 2, 3], [0.9, 0.5, 0.5, 0.1]),
        ([3, 1, 2], [5, 6, 7]),
    ],
)
def test_rank_correlations_are_spearmans(x, y):
    assert metrics.rank_correlation(x, y) == pytest.approx(stats.spearmanr(x, y).statistic)


def test_there_is_no_rank_in_what_does_not_change():
    assert math.isnan(metrics.rank_correlation([0, 1, 2], [0.5, 0.5, 0.5]))
    assert math.isnan(metrics.rank_correlation([0, 1], [0.5, math.nan]))
    assert metrics.rank_correlation([0, 1, 2], [0.1, math.nan, 0.5]) == pytest.approx(1)


def test_falling_means_at_every_step():
    assert metrics.is_decreasing([0.9, 0.5, 0.1])
    assert not metrics.is_decreasing([0.9, 0.5, 0.5])
    assert not metrics.is_decreasing([0.9, 0.95, 0.1])
    assert not metrics.is_decreasing([0.9])


@pytest.mark.parametrize(
    ("found", "strictly", "verdict"),
    [
        (Estimate(4.0, 3.1, 5.0, 9), False, "pass"),
        (Estimate(4.0, 2.1, 5.0, 9), False, "pass, within the interval"),
        (Estimate(2.0, 1.1, 5.0, 9), False, "fail, within the interval"),
        (Estimate(2.0, 1.1, 2.9, 9), False, "fail"),
        (Estimate(3.0, 3.0, 3.0, 9), False, "pass"),
        (Estimate(3.0, 3.0, 3.0, 9), True, "fail"),
        (Estimate(math.nan, math.nan, math.nan, 0), False, "not measured"),
    ],
)
def test_verdicts_say_how_sure_they_are(found, strictly, verdict):
    assert Criterion("likeness", found, 3.0, "times", strictly).verdict == verdict
