"""What a telephone line does to speech."""

from __future__ import annotations

from io import BytesIO

import numpy as np
import soundfile
from numpy.typing import NDArray

from asr_model.audio import resample

__all__ = ["HIGH_HZ", "LOW_HZ", "telephone"]

TELEPHONE_HZ = 8000
LOW_HZ, HIGH_HZ = 300.0, 3400.0


def telephone(
    samples: NDArray[np.float32], sample_rate: int, low_hz: float = LOW_HZ, high_hz: float = HIGH_HZ
) -> NDArray[np.float32]:
    """Pass (N,) samples through a telephone line: the band, 8 kHz, G.711 mu-law, and back to ``sample_rate``."""
    narrow = resample(samples, sample_rate, TELEPHONE_HZ)
    spectrum = np.fft.rfft(narrow)
    hz = np.fft.rfftfreq(len(narrow), 1 / TELEPHONE_HZ)
    # Raised-cosine edges of 100 Hz keep the filter from ringing.
    edges = np.clip((hz - low_hz) / 100 + 1, 0, 1) * np.clip((high_hz - hz) / 100 + 1, 0, 1)
    gain = np.sin(edges * np.pi / 2) ** 2
    narrow = np.fft.irfft(spectrum * gain, len(narrow)).astype(np.float32)
    line = BytesIO()
    soundfile.write(line, narrow.clip(-1, 1), TELEPHONE_HZ, format="RAW", subtype="ULAW")
    line.seek(0)
    narrow, _ = soundfile.read(line, dtype="float32", samplerate=TELEPHONE_HZ, channels=1, format="RAW", subtype="ULAW")
    wide = resample(narrow, TELEPHONE_HZ, sample_rate)
    return np.pad(wide, (0, max(0, len(samples) - len(wide))))[: len(samples)]
