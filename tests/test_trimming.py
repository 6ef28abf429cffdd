from __future__ import annotations

import importlib.util

import numpy as np
import pytest
import soundfile
from packages import default_cache
from recordings import DIGITS, spoken_words

from asr_model.audio import AudioError, resample
from asr_model.config import SettingsError, load_settings
from asr_model.trimming import Trimming, fix_length, trim

RATE = 16000
QUIET = (1e-4 * np.random.default_rng(0).normal(size=4 * RATE)).astype(np.float32)


def tones(before=1.0, after=2.0, rate=RATE):
    """Return a tone of 1.5 seconds between two stretches of quiet."""
    quiet = np.resize(QUIET, round((before + 1.5 + after) * rate)).copy()
    start = round(before * rate)
    quiet[start : start + round(1.5 * rate)] += 0.1 * np.sin(np.arange(round(1.5 * rate)) * 0.3)
    return quiet


def spoken(before=1.0, after=2.0, rate=RATE):
    """Return spoken digits of 1.5 seconds or a little more between two stretches of quiet, and their seconds."""
    takes = {text: path for path, text, _ in spoken_words(default_cache())}
    pieces = []
    for digit in DIGITS:
        samples, native = soundfile.read(takes[digit], dtype="float32")
        pieces.append(resample(samples, native, rate))
        if sum(map(len, pieces)) > 1.5 * rate:
            break
    words = np.concatenate(pieces)
    quiet = np.resize(QUIET, round((before + after) * rate))
    return np.concatenate([quiet[: round(before * rate)], words, quiet[round(before * rate) :]]), len(words) / rate


@pytest.mark.parametrize("rate", [8000, 16000, 22050])
def test_silence_before_and_after_is_trimmed_to_the_padding(rate):
    for padding in (0.0, 0.3):
        trimmed = trim(tones(rate=rate), rate, Trimming(kind="energy", padding_seconds=padding))
        assert len(trimmed) / rate == pytest.approx(1.5 + 2 * padding, abs=0.05)


@pytest.mark.parametrize("rate", [8000, 16000, 22050])
def test_silero_finds_real_speech_at_any_rate(rate):
    samples, seconds = spoken(rate=rate)
    found = [len(trim(samples, rate, Trimming(kind="silero", padding_seconds=p))) / rate for p in (0.0, 0.3)]
    assert found[0] == pytest.approx(seconds, abs=0.5)
    assert found[1] == pytest.approx(found[0] + 0.6, abs=0.001)


def test_silero_takes_a_tone_for_no_speech():
    with pytest.raises(AudioError):
        trim(tones(), RATE, Trimming(kind="silero"))


def test_pauses_inside_stay():
    samples = np.concatenate([tones(0.5, 1.0), tones(1.0, 0.5)])
    trimmed = trim(samples, RATE, Trimming(kind="energy", padding_seconds=0.0))
    assert len(trimmed) / RATE == pytest.approx(5.0, abs=0.05)


@pytest.mark.parametrize("kind", ["energy", "silero"])
def test_without_speech_there_is_a_reason(kind):
    with pytest.raises(AudioError) as error:
        trim(QUIET * np.float32(0.1), RATE, Trimming(kind=kind))
    assert error.value.reason == "no-speech"


def test_padding_ends_where_the_recording_ends():
    samples = tones(0.05, 0.05)
    assert np.array_equal(trim(samples, RATE, Trimming(kind="energy", padding_seconds=1.0)), samples)


def test_nothing_is_trimmed_unless_asked_for():
    assert trim(QUIET, RATE, Trimming()) is QUIET


@pytest.mark.parametrize(("length", "wanted"), [(5, 8), (8, 8), (11, 8), (0, 3)])
def test_a_fixed_length_cuts_or_pads_with_silence(length, wanted):
    samples = np.arange(1, length + 1, dtype=np.float32)
    fixed = fix_length(samples, wanted)
    assert fixed.shape == (wanted,)
    assert np.array_equal(fixed[:length], samples[:wanted])
    assert not fixed[length:].any()


def test_silero_that_is_missing_is_named_before_any_work(monkeypatch):
    find = importlib.util.find_spec
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None if name == "silero_vad" else find(name))
    with pytest.raises(SettingsError, match=r"beamscribe\[cleaning\]"):
        load_settings(Trimming, {"kind": "silero"}, "")
