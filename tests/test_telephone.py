from __future__ import annotations

import numpy as np
import pytest

from asr_model.telephone import telephone

RATE = 16000


def tone(hz, seconds=1.0):
    return (0.5 * np.sin(2 * np.pi * hz * np.arange(round(seconds * RATE)) / RATE)).astype(np.float32)


@pytest.mark.parametrize(
    ("hz", "kept"), [(60, 0.0), (150, 0.0), (400, 1.0), (1000, 1.0), (3000, 1.0), (3800, 0.0), (6000, 0.0)]
)
def test_a_telephone_keeps_300_to_3400_hz(hz, kept):
    level = np.sqrt(np.mean(telephone(tone(hz), RATE)[2000:-2000] ** 2)) / np.sqrt(np.mean(tone(hz) ** 2))
    assert level == pytest.approx(kept, abs=0.05)


@pytest.mark.parametrize(("hz", "kept"), [(60, 1.0), (150, 1.0), (3600, 1.0), (6000, 0.0)])
def test_a_line_may_keep_more(hz, kept):
    heard = telephone(tone(hz), RATE, low_hz=50, high_hz=3900)
    assert np.sqrt(np.mean(heard[2000:-2000] ** 2)) / np.sqrt(np.mean(tone(hz) ** 2)) == pytest.approx(kept, abs=0.05)


@pytest.mark.parametrize("length", [1, 7, 1601, 16000])
def test_a_telephone_keeps_the_length(length):
    assert telephone(tone(500)[:length], RATE).shape == (length,)
