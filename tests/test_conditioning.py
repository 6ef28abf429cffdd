from __future__ import annotations

import importlib.util

import numpy as np
import pytest

from asr_model.conditioning import Conditioning, condition
from asr_model.config import SettingsError, load_settings
from asr_model.level import loudness_lufs, peak_db, rms_db
from asr_model.telephone import telephone

RATE = 16000
TIME = np.arange(3 * RATE) / RATE
SPEAKING = np.sin(2 * np.pi * 1.5 * TIME) > 0.2
# Words of a sort: what comes and goes and stays on no frequency.
CLEAN = (0.2 * np.sin(2 * np.pi * (500 + 300 * TIME) * TIME) * SPEAKING).astype(np.float32)
NOISE = (0.01 * np.random.default_rng(0).normal(size=len(TIME))).astype(np.float32)
ALL = Conditioning(remove_dc=True, noise_reduction=0.8, telephone=True, level="rms", level_db=-20.0)
MEASURES = {"peak": peak_db, "rms": rms_db, "loudness": lambda samples: loudness_lufs(samples, RATE)}


def test_nothing_is_done_unless_asked_for():
    assert condition(CLEAN, RATE, Conditioning()) is CLEAN


def test_the_offset_is_removed_and_nothing_else():
    moved = condition(CLEAN + np.float32(0.3), RATE, Conditioning(remove_dc=True))
    assert abs(float(moved.mean())) < 1e-6
    assert np.allclose(moved, CLEAN - CLEAN.mean(), atol=1e-6)


@pytest.mark.parametrize("kind", MEASURES)
@pytest.mark.parametrize("level_db", [-40.0, -23.0, -3.0])
@pytest.mark.parametrize("gain", [0.01, 1.0, 4.0])
def test_the_level_is_reached_however_loud_it_was(kind, level_db, gain):
    levelled = condition(CLEAN * np.float32(gain), RATE, Conditioning(level=kind, level_db=level_db))
    assert MEASURES[kind](levelled) == pytest.approx(level_db, abs=0.05)


def test_noise_is_lowered_by_more_the_more_is_asked_for_and_more_than_speech():
    contrasts, pauses = [], []
    for part in (0.0, 0.5, 0.9):
        reduced = condition(CLEAN + NOISE, RATE, Conditioning(noise_reduction=part))
        pauses.append(rms_db(reduced[~SPEAKING]))
        contrasts.append(rms_db(reduced[SPEAKING]) - pauses[-1])
    assert pauses[0] - 4 > pauses[1] > pauses[2] + 4
    assert contrasts[0] + 1 < contrasts[1] < contrasts[2] - 1


def test_a_telephone_is_one():
    assert np.array_equal(condition(CLEAN, RATE, Conditioning(telephone=True)), telephone(CLEAN, RATE))


@pytest.mark.parametrize("length", [1, 100, 1600, 16001])
def test_the_length_stays_and_the_level_is_last(length):
    conditioned = condition(CLEAN[:length] + NOISE[:length], RATE, ALL)
    assert conditioned.shape == (length,)
    assert conditioned.dtype == np.float32
    if length > 1600:
        assert rms_db(conditioned) == pytest.approx(-20.0, abs=0.05)


def test_silence_stays_silence():
    silence = np.zeros(RATE, np.float32)
    for kind in MEASURES:
        assert not condition(silence, RATE, Conditioning(level=kind, noise_reduction=1.0)).any()


def test_it_is_the_same_every_time_and_leaves_the_samples_alone():
    before = CLEAN + NOISE
    samples = before.copy()
    assert np.array_equal(condition(samples, RATE, ALL), condition(samples, RATE, ALL))
    assert np.array_equal(samples, before)


@pytest.mark.parametrize(
    ("setting", "package"), [({"level": "loudness"}, "pyloudnorm"), ({"noise_reduction": 0.5}, "noisereduce")]
)
def test_a_package_that_is_missing_is_named_before_any_work(monkeypatch, setting, package):
    find = importlib.util.find_spec
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None if name == package else find(name))
    with pytest.raises(SettingsError, match=rf"needs the package {package}: install beamscribe\[cleaning\]"):
        load_settings(Conditioning, setting, "featurize.yaml")
    load_settings(Conditioning, {}, "featurize.yaml")


@pytest.mark.parametrize("wrong", [{"noise_reduction": 1.1}, {"level_db": 3.0}, {"level": "lufs"}])
def test_settings_have_ranges(wrong):
    with pytest.raises(SettingsError):
        load_settings(Conditioning, wrong, "")
