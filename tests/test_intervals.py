from __future__ import annotations

import numpy as np
import pytest

from asr_model import intervals
from asr_model.intervals import add_calls, as_calls, rate_interval, resample


def drawn(number, seed, most=40):
    draw = np.random.default_rng(seed)
    words = draw.integers(1, most, number)
    return draw.binomial(words, 0.2), words


def test_parts_in_any_order_are_the_whole():
    errors, words = drawn(500, 0)
    parts = [as_calls(errors[i::7], words[i::7]) for i in range(7)]
    whole = as_calls(errors, words)
    assert np.array_equal(add_calls(*parts), whole)
    assert np.array_equal(add_calls(*parts[::-1]), whole)
    assert whole[:, 2].sum() == 500
    assert (whole[:, :2] * whole[:, 2:]).sum(axis=0).tolist() == [errors.sum(), words.sum()]


def test_resampling_distinct_calls_is_resampling_calls_one_by_one():
    errors, words = drawn(60, 1, most=6)
    draw = np.random.default_rng(2)
    picks = draw.integers(0, 60, (20_000, 60))
    expected = np.percentile(errors[picks].sum(axis=1) / words[picks].sum(axis=1), [2.5, 97.5])
    assert rate_interval(as_calls(errors, words), 20_000, 0) == pytest.approx(expected, abs=0.004)


def test_the_interval_holds_the_true_rate_as_often_as_it_says():
    held = 0
    for seed in range(300):
        low, high = rate_interval(as_calls(*drawn(80, 100 + seed)), 400, seed)
        held += low <= 0.2 <= high
    assert 0.90 <= held / 300 <= 0.985


def test_many_distinct_calls_are_resampled_in_blocks_of_the_same_spread(monkeypatch):
    calls = as_calls(*drawn(4000, 3, most=5000))
    whole = rate_interval(calls, 1000, 0)
    monkeypatch.setattr(intervals, "MAX_DISTINCT", 500)
    assert rate_interval(calls, 1000, 0) == pytest.approx(whole, abs=0.001)


def test_the_seed_decides():
    calls = as_calls(*drawn(50, 4))
    assert np.array_equal(resample(calls, 250, 5), resample(calls, 250, 5))
    assert not np.array_equal(resample(calls, 250, 5), resample(calls, 250, 6))


@pytest.mark.parametrize(("errors", "words", "samples"), [([1], [4], 100), ([0, 2], [0, 0], 100), ([1, 1], [2, 2], 0)])
def test_where_nothing_can_be_said_there_is_no_interval(errors, words, samples):
    assert rate_interval(as_calls(np.array(errors), np.array(words)), samples, 0) is None
