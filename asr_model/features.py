"""Samples → log-mel features, normalized. T frames, F mel bands."""

from __future__ import annotations

from functools import cache
from typing import Literal

import numpy as np
from numpy.typing import NDArray
from pydantic import Field, model_validator

from asr_model.config import Settings

__all__ = ["LogMel", "from_bytes", "log_mel", "normalize", "to_bytes"]

BLOCK_FRAMES = 256
"""Frames per FFT call: small enough to stay in the processor's cache."""
POWER_FLOOR = 1e-10
MIN_STD = 0.5
"""Bands that vary less (in natural-log units) carry no speech (above a telephone's 4 kHz, say): not amplified."""


class LogMel(Settings):
    """Log-mel filterbank energies; the names are torchaudio's."""

    kind: Literal["log_mel"] = "log_mel"
    sample_rate: int = Field(default=16000, ge=4000, le=192000)
    n_fft: int = Field(default=512, ge=32)
    win_length: int = Field(default=400, ge=16)
    hop_length: int = Field(default=160, ge=8)
    n_mels: int = Field(default=80, ge=1)
    f_min: float = Field(default=20.0, ge=0)
    f_max: float = Field(default=8000.0, gt=0)
    top_db: float = Field(default=80.0, gt=0)
    """Energies further than this below the utterance's loudest are raised to that floor."""
    normalization: Literal["none", "utterance"] = "utterance"

    @model_validator(mode="after")
    def _check(self) -> LogMel:
        if self.win_length > self.n_fft:
            raise ValueError(f"win_length {self.win_length} is longer than n_fft {self.n_fft}")
        if not self.f_min < self.f_max <= self.sample_rate / 2:
            raise ValueError(f"wanted f_min < f_max <= sample_rate / 2, found {self.f_min}, {self.f_max}")
        return self

    @property
    def num_features(self) -> int:
        """Number of values in a frame."""
        return self.n_mels

    @property
    def frames_per_second(self) -> float:
        """Frames in a second of audio."""
        return self.sample_rate / self.hop_length


def log_mel(samples: NDArray[np.float32], settings: LogMel) -> NDArray[np.float32]:
    """Return natural-log mel energies (T, F) float32 of samples (N,) at ``settings.sample_rate``; T = 1 + N // hop.

    The same values as torchaudio's MelSpectrogram (Hann window, centred frames, reflected edges, HTK mel scale,
    power 2) followed by a logarithm with a floor.
    """
    pad = settings.n_fft // 2
    # Reflection needs more samples than it mirrors; what is shorter is extended by silence first.
    padded = np.pad(np.pad(samples, (0, max(0, pad + 1 - len(samples)))), pad, mode="reflect")
    num_frames = 1 + len(samples) // settings.hop_length
    frames = np.lib.stride_tricks.sliding_window_view(padded, settings.n_fft)[:: settings.hop_length][:num_frames]
    window, filters = _window(settings), _filters(settings)
    energies = np.empty((num_frames, settings.n_mels), np.float32)
    for start in range(0, num_frames, BLOCK_FRAMES):
        spectrum = np.fft.rfft(frames[start : start + BLOCK_FRAMES] * window)
        power = spectrum.real**2 + spectrum.imag**2
        energies[start : start + BLOCK_FRAMES] = power @ filters
    floor = max(POWER_FLOOR, float(energies.max()) * 10 ** (-settings.top_db / 10))
    values: NDArray[np.float32] = np.log(np.maximum(energies, np.float32(floor)))
    return normalize(values) if settings.normalization == "utterance" else values


def normalize(values: NDArray[np.float32]) -> NDArray[np.float32]:
    """Give every band of (T, F) mean 0 and standard deviation 1 over the utterance (bands under MIN_STD: less)."""
    mean = values.mean(axis=0, dtype=np.float64)
    std = np.maximum(values.std(axis=0, dtype=np.float64), MIN_STD)
    normalized: NDArray[np.float32] = ((values - mean) / std).astype(np.float32)
    return normalized


def to_bytes(values: NDArray[np.float32]) -> bytes:
    """Return (T, F) features as the row-major float16 bytes that shards hold."""
    return values.astype("<f2").tobytes()


def from_bytes(data: bytes, num_frames: int) -> NDArray[np.float16]:
    """Return shard bytes as a (T, F) float16 array, without copying.

    >>> from_bytes(to_bytes(np.ones((3, 2), np.float32)), 3).shape
    (3, 2)
    """
    return np.frombuffer(data, "<f2").reshape(num_frames, -1)


@cache
def _window(settings: LogMel) -> NDArray[np.float32]:
    window = 0.5 - 0.5 * np.cos(2 * np.pi * np.arange(settings.win_length) / settings.win_length)
    left = (settings.n_fft - settings.win_length) // 2
    right = settings.n_fft - settings.win_length - left
    return np.pad(window, (left, right)).astype(np.float32)


@cache
def _filters(settings: LogMel) -> NDArray[np.float32]:
    from torchaudio.functional import melscale_fbanks  # takes a second to import, which readers of shards are spared

    bins = settings.n_fft // 2 + 1
    banks = melscale_fbanks(bins, settings.f_min, settings.f_max, settings.n_mels, settings.sample_rate)
    return banks.numpy()  # type: ignore[no-any-return]
