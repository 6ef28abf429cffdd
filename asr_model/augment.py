"""Extra copies of an utterance for training, changed as other rooms, voices and lines would change it."""

from __future__ import annotations

from io import BytesIO

import numpy as np
import soundfile
from numpy.typing import NDArray
from pydantic import Field

from asr_model.audio import resample
from asr_model.config import Settings

__all__ = ["Copy", "augment", "telephone"]

TELEPHONE_HZ = 8000
TELEPHONE_BAND_HZ = (300.0, 3400.0)


class Copy(Settings):
    """One extra copy of every training utterance; its name becomes part of the row's id."""

    name: str = Field(pattern=r"^[a-z0-9.+-]+$")
    speed: float = Field(default=1.0, ge=0.5, le=2.0)
    """Playing speed, which moves tempo and pitch together (Ko et al., 2015, Audio augmentation)."""
    telephone: bool = False
    """Telephone band and G.711 mu-law."""


def augment(samples: NDArray[np.float32], sample_rate: int, copy: Copy) -> NDArray[np.float32]:
    """Return the copy of (N,) float32 samples; its length is N / speed."""
    samples = resample(samples, sample_rate * copy.speed, sample_rate)
    return telephone(samples, sample_rate) if copy.telephone else samples


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
