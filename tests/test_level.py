from __future__ import annotations

import numpy as np
import pytest

from asr_model.level import SILENCE_DB, LevelMeter, loudness_lufs, peak_db, rms_db


def tone(amplitude, seconds=2.0, rate=48000, hz=997):
    return (amplitude * np.sin(2 * np.pi * hz * np.arange(round(seconds * rate)) / rate)).astype(np.float32)


@pytest.mark.parametrize("amplitude", [1.0, 0.5, 1e-3, 3.0])
def test_a_sine_has_its_peak_and_three_decibels_less_of_power(amplitude):
    level = 20 * np.log10(amplitude)
    assert peak_db(tone(amplitude)) == pytest.approx(level, abs=0.01)
    assert rms_db(tone(amplitude)) == pytest.approx(level - 3.01, abs=0.01)


def test_a_negative_peak_is_one():
    assert peak_db(np.array([0.1, -0.5], np.float32)) == pytest.approx(-6.02, abs=0.01)


@pytest.mark.parametrize("measure", [peak_db, rms_db, lambda samples: loudness_lufs(samples, 8000)])
def test_digital_silence_has_a_level_too(measure):
    assert measure(np.zeros(8000, np.float32)) == SILENCE_DB


def test_loudness_is_that_of_the_standard():
    # EBU Tech 3341: a sine of 1 kHz and -23 dBFS in both channels of stereo has -23 LUFS, in one of them 3 less.
    assert loudness_lufs(tone(10 ** (-23 / 20), seconds=20.0, hz=1000), 48000) == pytest.approx(-26.0, abs=0.1)


@pytest.mark.parametrize("seconds", [0.01, 0.1, 0.39, 0.4, 0.41])
def test_what_is_shorter_than_a_block_has_a_loudness(seconds):
    assert loudness_lufs(tone(0.1, seconds), 48000) == pytest.approx(loudness_lufs(tone(0.1), 48000), abs=0.5)


def test_a_row_keeps_both_levels_rounded():
    meter = LevelMeter()
    meter.add(tone(0.5))
    assert meter.levels == (-6.02, -9.03)


@pytest.mark.parametrize("block", [1, 1000, 96_000])
def test_the_levels_of_blocks_are_those_of_the_whole(block):
    samples = tone(0.5)[: 3 * block]
    meter = LevelMeter()
    assert meter.levels == (SILENCE_DB, SILENCE_DB)
    for at in range(0, len(samples), block):
        meter.add(samples[at : at + block])
    assert meter.levels == pytest.approx((peak_db(samples), rms_db(samples)), abs=0.011)
