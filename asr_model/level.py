"""How loud samples are, in decibels of full scale: by peak, by mean power, as loudness."""

from __future__ import annotations

import math
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

__all__ = ["SILENCE_DB", "LevelMeter", "Levels", "loudness_lufs", "peak_db", "rms_db"]

SILENCE_DB = -150.0
"""Level of digital silence, and of all that is below this (24 bits reach -144 dB)."""
LOUDNESS_BLOCK_SECONDS = 0.4


class Levels(NamedTuple):
    """What a row keeps of how loud its source was."""

    peak_db: float
    rms_db: float


class LevelMeter:
    """The levels of samples that come block after block, to a hundredth of a decibel."""

    def __init__(self) -> None:
        self._peak = self._energy = 0.0
        self.num_samples = 0

    def add(self, samples: NDArray[np.float32]) -> None:
        """Take a block (N,) into account."""
        self._peak = max(self._peak, _peak(samples))
        self._energy += _power(samples) * len(samples)
        self.num_samples += len(samples)

    @property
    def levels(self) -> Levels:
        """The levels of all blocks together."""
        power = self._energy / max(1, self.num_samples)
        return Levels(round(_decibels(self._peak), 2), round(_decibels(math.sqrt(power)), 2))


def peak_db(samples: NDArray[np.float32]) -> float:
    """Return the level of the greatest sample of (N,).

    >>> peak_db(np.array([0.0, -1.0], np.float32))
    0.0
    """
    return _decibels(_peak(samples))


def rms_db(samples: NDArray[np.float32]) -> float:
    """Return the level of the root mean square of samples (N,): a sine of peak 0 dB has -3 dB."""
    return _decibels(math.sqrt(_power(samples)))


def loudness_lufs(samples: NDArray[np.float32], sample_rate: int) -> float:
    """Return the integrated loudness of samples (N,) after EBU R 128 (ITU-R BS.1770-4), by pyloudnorm.

    Less than a block of 0.4 s is measured as if it went on repeating.
    """
    import pyloudnorm

    shortest = math.ceil(LOUDNESS_BLOCK_SECONDS * sample_rate) + 1
    repeated = np.resize(samples, max(shortest, len(samples)))
    lufs = float(pyloudnorm.Meter(sample_rate).integrated_loudness(repeated.astype(np.float64)))
    return max(SILENCE_DB, lufs)


def _peak(samples: NDArray[np.float32]) -> float:
    return float(max(samples.max(), -samples.min()))


def _power(samples: NDArray[np.float32]) -> float:
    # By numpy's own sum, whose last bits depend neither on threads nor on a BLAS.
    return float(np.einsum("n,n->", samples, samples)) / max(1, len(samples))


def _decibels(amplitude: float) -> float:
    return max(SILENCE_DB, 20 * math.log10(amplitude)) if amplitude > 0 else SILENCE_DB
