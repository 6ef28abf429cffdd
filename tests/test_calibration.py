from __future__ import annotations

import numpy as np
import pytest

from asr_model.calibration import Calibration, fit_calibration


def words(slope, offset, number=20_000, seed=0):
    """Return confidences and whether the words were right, which they are by a logistic function of the log-odds."""
    draw = np.random.default_rng(seed)
    confidences = draw.beta(4, 1, number)
    chances = [Calibration(slope=slope, offset=offset)(c) for c in confidences]
    return confidences.tolist(), (draw.random(number) < chances).tolist()


@pytest.mark.parametrize(("slope", "offset"), [(1.0, 0.0), (0.5, -1.0), (2.0, 0.5)])
def test_what_made_words_right_is_found_again(slope, offset):
    found = fit_calibration(*words(slope, offset))
    assert found.slope == pytest.approx(slope, abs=0.08)
    assert found.offset == pytest.approx(offset, abs=0.1)


def test_calibrated_confidences_are_as_high_as_the_words_are_right():
    confidences, is_right = words(0.4, -1.5)
    calibration = fit_calibration(confidences, is_right)
    for low, high in ((0, 0.3), (0.3, 0.5), (0.5, 1)):
        calibrated = zip(map(calibration, confidences), is_right, strict=True)
        inside = [(confidence, right) for confidence, right in calibrated if low <= confidence < high]
        assert len(inside) > 100
        assert np.mean([c for c, _ in inside]) == pytest.approx(np.mean([r for _, r in inside]), abs=0.05)


def test_the_order_of_confidences_stays():
    calibration = fit_calibration(*words(0.4, -1.5, number=500))
    calibrated = [calibration(c) for c in np.linspace(0, 1, 50)]
    assert calibrated == sorted(calibrated)
    assert 0 < calibrated[0] < calibrated[-1] < 1


def test_without_calibration_a_confidence_stays_what_it_was():
    assert [Calibration()(c) for c in (0.0, 0.3, 1.0)] == [0.0, 0.3, 1.0]


@pytest.mark.parametrize("is_right", [True, False])
def test_few_words_and_words_all_alike_give_no_certainty(is_right):
    calibration = fit_calibration([0.9, 0.99, 1.0], [is_right] * 3)
    assert 0.01 < calibration(0.9) < 0.999
    assert fit_calibration([], []) == Calibration()


def test_confidences_that_say_the_opposite_are_not_turned_round():
    draw = np.random.default_rng(1)
    confidences = draw.random(1000)
    calibration = fit_calibration(confidences.tolist(), (confidences < 0.5).tolist())
    assert calibration(0.1) == pytest.approx(calibration(0.9), abs=0.01)
