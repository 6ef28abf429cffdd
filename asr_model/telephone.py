"""What a telephone line does to speech."""

from __future__ import annotations

from io import BytesIO

import numpy as np
import soundfile
from numpy.typing import NDArray

from asr_model.audio import resample

__all__ = ["telephone"]

TELEPHONE_HZ = 8000
TELEPHONE_BAND_HZ = (300.0, 3400.0)


def telephone(samples: NDArray[np.float32], sample_rate: int) -> NDArray[np.float32]:
    """Pass (N,) samples through a telephone line: 300 to 3400 Hz, 8 kHz, G.711 mu-law, and back to ``sample_rate``."""
    narrow = resample(samples, sample_rate, TELEPHONE_HZ)
    spectrum = np.fft.rfft(narrow)
    hz = np.fft.rfftfreq(len(narrow), 1 / TELEPHONE_HZ)
    low, high = TELEPHONE_BAND_HZ
    # Raised-cosine edges of 100 Hz keep the filter from ringing.
    edges = np.clip((hz - low) / 100 + 1, 0, 1) * np.clip((high - hz) / 100 + 1, 0, 1)
    gain = np.sin(edges * np.pi / 2) ** 2
    narrow = np.fft.irfft(spectrum * gain, len(narrow)).astype(np.float32)
    line = BytesIO()
    soundfile.write(line, narrow.clip(-1, 1), TELEPHONE_HZ, format="RAW", subtype="ULAW")
    line.seek(0)
    narrow, _ = soundfile.read(line, dtype="float32", samplerate=TELEPHONE_HZ, channels=1, format="RAW", subtype="ULAW")
    wide = resample(narrow, TELEPHONE_HZ, sample_rate)
    return np.pad(wide, (0, max(0, len(samples) - len(wide))))[: len(samples)]
