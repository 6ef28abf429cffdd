from __future__ import annotations

import numpy as np
import pytest

from asr_model.augment import Copy, augment, telephone

RATE = 16000


def tone(hz, seconds=1.0):
    return (0.5 * np.sin(2 * np.pi * hz * np.arange(round(seconds * RATE)) / RATE)).astype(np.float32)


def peak_hz(samples):
    return np.argmax(np.abs(np.fft.rfft(samples))) * RATE / len(samples)


@pytest.mark.parametrize("speed", [0.5, 0.9, 1.0, 1.1, 2.0])
def test_speed_divides_the_duration_and_multiplies_the_pitch(speed):
    changed = augment(tone(800), RATE, Copy(name="copy", speed=speed))
    assert len(changed) == pytest.approx(RATE / speed, abs=1)
    assert peak_hz(changed) == pytest.approx(800 * speed, abs=2)


@pytest.mark.parametrize(
    ("hz", "kept"), [(60, 0.0), (150, 0.0), (400, 1.0), (1000, 1.0), (3000, 1.0), (3800, 0.0), (6000, 0.0)]
)
def test_a_telephone_keeps_300_to_3400_hz(hz, kept):
    level = np.sqrt(np.mean(telephone(tone(hz), RATE)[2000:-2000] ** 2)) / np.sqrt(np.mean(tone(hz) ** 2))
    assert level == pytest.approx(kept, abs=0.05)


@pytest.mark.parametrize("length", [1, 7, 1601, 16000])
def test_a_telephone_keeps_the_length(length):
    assert telephone(tone(500)[:length], RATE).shape == (length,)


def test_a_plain_copy_is_the_recording():
    assert np.array_equal(augment(tone(300), RATE, Copy(name="plain")), tone(300))


@pytest.mark.parametrize("wrong", [{"name": "A b"}, {"name": "x", "speed": 0.1}, {"name": ""}])
def test_copies_have_a_short_name_and_a_possible_speed(wrong):
    with pytest.raises(ValueError, match=r"name|speed"):
        Copy(**wrong)
