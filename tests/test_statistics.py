from __future__ import annotations

import itertools
import random

import numpy as np
import pytest

from asr_model.config import SettingsError, load_settings
from asr_model.features import FeatureStamp, LogMel, Mfcc, compute_features
from asr_model.statistics import FeatureSums, Statistics, sum_features, total

DRAW = np.random.default_rng(0)
ARRAYS = [DRAW.normal(-7, 3, size=(length, 5)).astype(np.float32) for length in (1, 30, 4, 400, 77)]


def test_the_statistics_are_mean_and_variance_of_all_frames():
    found = sum_features(ARRAYS).statistics()
    frames = np.concatenate(ARRAYS).astype(np.float64)
    assert np.allclose(found.mean, frames.mean(axis=0), atol=1e-6)
    assert np.allclose(found.variance, frames.var(axis=0), atol=1e-5)


def test_a_variance_far_below_the_square_of_its_mean_is_not_lost():
    values = (1e4 + DRAW.normal(0, 0.05, size=(20000, 1))).astype(np.float32)
    assert sum_features([values]).statistics().variance[0] == pytest.approx(values.astype(np.float64).var(), rel=1e-3)


def test_parts_add_to_the_same_whole_in_any_order_and_grouping():
    parts = [sum_features([values]) for values in ARRAYS]
    whole = total(parts)
    for order in itertools.islice(itertools.permutations(parts), 20):
        cut = random.Random(0).randint(1, 4)
        assert total([total(order[:cut]), FeatureSums(), total(order[cut:])]) == whole
    assert sum_features(ARRAYS) == whole


def test_of_nothing_there_are_no_statistics():
    assert total([]) == FeatureSums()
    with pytest.raises(ValueError, match="no training utterance"):
        FeatureSums().statistics()


@pytest.mark.parametrize("make", [LogMel, Mfcc])
def test_global_normalization_gives_the_corpus_mean_0_and_variance_1(make):
    recordings = [(0.1 * DRAW.normal(size=n)).astype(np.float32) for n in (4000, 16000, 9000)]
    plain = make(normalization="none", deltas=1)
    statistics = sum_features(compute_features(samples, plain) for samples in recordings).statistics()
    settings = make(normalization="global", deltas=1, statistics=statistics)
    frames = np.concatenate([compute_features(samples, settings) for samples in recordings])
    assert np.abs(frames.mean(axis=0)).max() < 1e-4
    vary = np.sqrt(statistics.variance) > 0.5
    assert np.allclose(frames.std(axis=0)[vary], 1, atol=1e-3)
    assert frames.std(axis=0).max() < 1.001


def test_statistics_travel_as_settings():
    settings = LogMel(n_mels=2, normalization="global", statistics=Statistics(mean=(1.0, 2.0), variance=(3.0, 4.5)))
    stored = {"features": settings.model_dump(mode="json")}
    assert load_settings(FeatureStamp, stored, "f").features == settings


def test_statistics_that_do_not_fit_are_refused():
    samples = np.zeros(4000, np.float32)
    with pytest.raises(ValueError, match="global needs statistics"):
        compute_features(samples, LogMel(normalization="global"))
    three = Statistics(mean=(0.0,) * 3, variance=(1.0,) * 2)
    with pytest.raises(ValueError, match="3 means and 2 variances, wanted 80 of each"):
        compute_features(samples, LogMel(normalization="global", statistics=three))
    given = {"features": {"statistics": {"mean": [0.0], "variance": [1.0]}}}
    with pytest.raises(SettingsError, match="statistics are for normalization global, not utterance"):
        load_settings(FeatureStamp, given, "f")
