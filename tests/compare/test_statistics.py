"""Every number against hand computation, scipy, or brute force."""

from __future__ import annotations

import math
import tracemalloc

import numpy as np
import pytest
import scipy.stats

from crosstask.compare.statistics import (
    NO_INTERVAL,
    Interval,
    bootstrap_interval,
    deviation,
    holm,
    mean,
    p_value,
    recovered,
    relative_gain,
    t_interval,
    verdict,
)

NAN = float("nan")


def test_mean_and_deviation_by_hand():
    assert mean([1.0, 2.0, 6.0]) == 3.0
    assert deviation([1.0, 2.0, 6.0]) == pytest.approx(math.sqrt((4 + 1 + 9) / 2))
    assert math.isnan(deviation([1.0]))
    assert math.isnan(mean([]))
    assert math.isnan(mean([1.0, NAN]))
    assert math.isnan(deviation([1.0, NAN]))


def test_t_interval_of_three_by_hand():
    low, high = t_interval([1.0, 2.0, 3.0])
    assert (low, high) == pytest.approx((2 - 4.302653 / math.sqrt(3), 2 + 4.302653 / math.sqrt(3)), abs=1e-6)


@pytest.mark.parametrize("count", [2, 3, 5, 20])
def test_t_interval_is_that_of_the_paired_t_test(count):
    rng = np.random.default_rng(count)
    first, second = rng.normal(1, 1, count), rng.normal(0, 2, count)
    expected = scipy.stats.ttest_rel(first, second).confidence_interval(0.95)
    assert t_interval(list(first - second)) == pytest.approx((expected.low, expected.high))


@pytest.mark.parametrize("count", [2, 3, 5, 20])
def test_p_is_that_of_the_paired_t_test(count):
    values = list(np.random.default_rng(count).normal(1, 1, count))
    assert p_value(values) == pytest.approx(scipy.stats.ttest_1samp(values, 0).pvalue)


def test_p_of_values_without_spread_and_of_one():
    assert p_value([0.0, 0.0]) == 1
    assert p_value([2.0, 2.0]) == 0
    assert math.isnan(p_value([1.0]))
    assert math.isnan(p_value([1.0, NAN]))


def test_holm_by_hand():
    assert holm([0.01, 0.04, 0.03, 0.005]) == pytest.approx([0.03, 0.06, 0.06, 0.02])
    assert holm([0.9, NAN, 0.8])[::2] == [1.0, 1.0]
    assert math.isnan(holm([0.9, NAN])[1])
    assert holm([]) == []


def test_holm_is_wrong_about_families_of_noise_as_rarely_as_it_says():
    rng = np.random.default_rng(0)
    wrong = np.mean([min(holm(rng.uniform(size=12).tolist())) < 0.05 for _ in range(2000)])
    assert 0.035 < wrong < 0.065


def test_intervals_of_one_value_say_nothing():
    assert all(math.isnan(end) for end in (*t_interval([1.0]), *bootstrap_interval([1.0]), *NO_INTERVAL))


def test_bootstrap_of_three_is_nearly_their_range():
    # of 27 equally likely resamples one has the mean 0 and one the mean 9: 3.7 % each, more than 2.5 %
    assert bootstrap_interval([0.0, 3.0, 9.0]) == (0.0, 9.0)


def test_bootstrap_of_very_many_holds_few_at_once():
    values = list(np.random.default_rng(0).normal(size=2500))
    picks = np.random.default_rng(0).integers(2500, size=(1000, 2500))
    tracemalloc.start()
    found = bootstrap_interval(values, resamples=1000)
    most = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert found == pytest.approx(tuple(np.quantile(np.asarray(values)[picks].mean(1), [0.025, 0.975])))
    assert most < picks.nbytes


def test_bootstrap_of_many_is_that_of_scipy():
    values = np.random.default_rng(0).normal(1, 2, 60)
    expected = scipy.stats.bootstrap((values,), np.mean, method="percentile", random_state=1).confidence_interval
    assert bootstrap_interval(list(values)) == pytest.approx((expected.low, expected.high), abs=0.03)


def test_how_often_intervals_over_three_seeds_hold_the_truth():
    samples = np.random.default_rng(0).normal(0, 1, (2000, 3))
    by_t = np.mean([not t_interval(list(sample)).excludes_zero for sample in samples])
    by_bootstrap = np.mean([not bootstrap_interval(list(sample), resamples=300).excludes_zero for sample in samples])
    assert by_t == pytest.approx(0.95, abs=0.02)
    assert by_bootstrap == pytest.approx(0.75, abs=0.03)


def test_relative_gain_by_hand():
    better = {"semantic": 1, "depth": -1, "tags": 1}
    baseline = {"semantic": 40.0, "depth": 0.5, "tags": NAN}
    scores = {"semantic": 44.0, "depth": 0.6, "tags": NAN}
    # (44 - 40) / 40 = +10 %, (0.6 - 0.5) / 0.5 = 20 % worse; tags cannot be measured
    assert relative_gain(scores, baseline, better) == pytest.approx((10 - 20) / 2)
    assert relative_gain(baseline, baseline, better) == 0
    assert relative_gain({"a": 1.0}, {"a": -2.0}, {"a": 1}) == pytest.approx(150)  # CCC may be negative
    assert math.isnan(relative_gain(scores, baseline | {"depth": 0.0}, better))
    assert math.isnan(relative_gain({"tags": NAN}, {"tags": NAN}, better))


def test_recovered_fraction_by_hand():
    fraction, interval = recovered([1.0, 1.0, 1.0], [2.0, 2.0, 2.0])
    assert fraction == 0.5
    assert interval == pytest.approx((0.5, 0.5))


def test_recovered_interval_holds_the_fractions_that_cannot_be_ruled_out():
    gains, gaps = [1.0, 1.6, 0.7, 1.2], [2.1, 2.6, 1.8, 2.4]
    fraction, interval = recovered(gains, gaps)
    assert fraction == pytest.approx(sum(gains) / sum(gaps))
    for candidate in np.linspace(-1, 2, 301):
        ruled_out = t_interval([gain - candidate * gap for gain, gap in zip(gains, gaps, strict=True)]).excludes_zero
        assert ruled_out == (not interval.low <= candidate <= interval.high)


@pytest.mark.parametrize("gaps", [[1.0, -1.0, 0.5], [0.0, 0.0, 0.0], [1.0]])
def test_no_fraction_of_a_gap_that_is_not_shown(gaps):
    fraction, interval = recovered([1.0] * len(gaps), gaps)
    assert math.isnan(fraction)
    assert math.isnan(interval.low)


@pytest.mark.parametrize(
    ("interval", "better", "expected"),
    [
        ((0.1, 2.0), 1, "better"),
        ((0.1, 2.0), -1, "worse"),
        ((-2.0, -0.1), 1, "worse"),
        ((-2.0, -0.1), -1, "better"),
        ((-0.1, 2.0), 1, "not shown"),
        ((0.0, 2.0), 1, "not shown"),
        ((0.1, 2.0), 0, "not shown"),
        ((NAN, NAN), 1, "not shown"),
    ],
)
def test_verdicts_only_where_the_interval_excludes_zero(interval, better, expected):
    assert verdict(Interval(*interval), better) == expected
