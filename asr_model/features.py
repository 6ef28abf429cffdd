"""Samples → LogMel | Mfcc, their deltas and their normalization. T frames, M mel bands, F features."""

from __future__ import annotations

import math
from functools import cache
from typing import Annotated, Any, Literal

import numpy as np
from numpy.typing import NDArray
from pydantic import BeforeValidator, Field, model_validator

from asr_model.config import Settings
from asr_model.mel import frame_energies, mel_energies
from asr_model.presets import expand
from asr_model.spectrum import Spectrum
from asr_model.statistics import Statistics

__all__ = [
    "DType",
    "FeatureStamp",
    "Features",
    "LogMel",
    "Mfcc",
    "compute_features",
    "deltas",
    "from_bytes",
    "normalize",
    "to_bytes",
]

DType = Literal["float16", "float32"]

MIN_STD = 0.5
"""Bands that vary less (in natural-log units) carry no speech (above a telephone's 4 kHz, say): not amplified."""
MIN_DELTA_STD = 0.05
SUM_FRAMES = 256
"""Frames that are summed up in float32: it takes half the time, and errors stay below those of single values."""
LOG_UNITS = {"ln": 1.0, "log10": 1 / math.log(10), "db": 10 / math.log(10)}
"""By what a natural logarithm is multiplied."""


class _Features(Spectrum):
    """What log-mel and MFCC features have in common: the logarithm, and what follows it."""

    log: Literal["ln", "log10", "db"] = "ln"
    amin: float = Field(default=1e-10, ge=0)
    """Energies below are raised to it before the logarithm."""
    log_offset: float = Field(default=0.0, ge=0)
    """Added to energies before the logarithm."""
    top_db: float | None = Field(default=80.0, gt=0)
    """Energies further than this below the utterance's loudest are raised to that floor."""
    shift: float = 0.0
    scale: float = Field(default=1.0, gt=0)
    """Logarithms become (log + shift) * scale, as Whisper wants them."""
    use_energy: bool = False
    """Kaldi's log of a frame's energy: a value before the mel bands, or in place of the first MFCC."""
    energy_floor: float = Field(default=0.0, ge=0)
    deltas: int = Field(default=0, ge=0, le=2)
    """1: changes over time follow the features; 2: and the changes of these."""
    delta_window: int = Field(default=5, ge=3)
    """Frames that a change is measured over, an odd number."""
    normalization: Literal["none", "utterance", "global"] = "utterance"
    """To mean 0 and variance 1 of every feature: over the utterance, or over the corpus's training split."""
    statistics: Statistics | None = None
    """Mean and variance that ``global`` normalizes by; `featurize` finds them where they are not given."""
    dtype: DType = "float16"
    """What shards hold."""

    @model_validator(mode="after")
    def _check_log(self) -> _Features:
        if self.amin == self.log_offset == 0:
            raise ValueError("amin and log_offset are both 0: the logarithm of silence would be infinite")
        if self.delta_window % 2 == 0:
            raise ValueError(f"delta_window {self.delta_window}, wanted an odd number")
        if self.statistics and self.normalization != "global":
            raise ValueError(f"statistics are for normalization global, not {self.normalization}")
        return self


class LogMel(_Features):
    """Log-mel filterbank energies."""

    kind: Literal["log_mel"] = "log_mel"
    norm: Literal["slaney"] | None = None
    """``slaney``: every triangle has the same area; None: the same height."""

    @property
    def num_features(self) -> int:
        """Number of values in a frame."""
        return (self.n_mels + self.use_energy) * (1 + self.deltas)


class Mfcc(_Features):
    """Mel-frequency cepstral coefficients; the names are those of torchaudio's ``MFCC``, its ``melkwargs`` among them.

    ``log_mels: true`` stands for torchaudio's ln(energy + 1e-6) in place of decibels.
    """

    kind: Literal["mfcc"] = "mfcc"
    n_mfcc: int = Field(default=40, ge=1)
    dct_type: Literal[2] = 2
    norm: Literal["ortho", "htk"] | None = "ortho"
    """Of the cosine transform: ``htk`` is ``ortho`` with the first coefficient times sqrt(2)."""
    mel_norm: Literal["slaney"] | None = None
    """``norm`` of the ``melkwargs``."""
    cepstral_lifter: float = Field(default=0.0, ge=0)
    """Kaldi's: coefficient i is multiplied by 1 + L / 2 * sin(pi * i / L)."""
    log: Literal["ln", "log10", "db"] = "db"

    @model_validator(mode="before")
    @classmethod
    def _expand_log_mels(cls, given: Any) -> Any:
        if not isinstance(given, dict) or "log_mels" not in given:
            return given
        rest = {name: value for name, value in given.items() if name != "log_mels"}
        if not isinstance(given["log_mels"], bool):
            raise ValueError(f"log_mels {given['log_mels']!r}, wanted true or false")
        return {"log": "ln", "log_offset": 1e-6, "amin": 0.0, "top_db": None, **rest} if given["log_mels"] else rest

    @model_validator(mode="after")
    def _check_mfcc(self) -> Mfcc:
        if self.n_mfcc > self.n_mels:
            raise ValueError(f"n_mfcc {self.n_mfcc} is more than n_mels {self.n_mels}")
        return self

    @property
    def num_features(self) -> int:
        """Number of values in a frame."""
        return self.n_mfcc * (1 + self.deltas)


def _expanded(given: Any) -> Any:
    return expand(given) if isinstance(given, dict) else given


Features = Annotated[LogMel | Mfcc, Field(discriminator="kind"), BeforeValidator(_expanded)]
"""Feature settings of either kind (without ``kind``: log-mel); ``preset`` is replaced by what it stands for."""


class FeatureStamp(Settings):
    """What the footer of a shard says of its features."""

    features: Features


def compute_features(samples: NDArray[np.float32], settings: LogMel | Mfcc) -> NDArray[np.float32]:
    """Return the features (T, F) float32 of samples (N,) float32 at ``settings.sample_rate``."""
    norm = settings.norm if isinstance(settings, LogMel) else settings.mel_norm
    values = _logarithms(mel_energies(samples, settings, norm), settings)
    if isinstance(settings, Mfcc):
        values = values @ _cosines(settings)
    if settings.use_energy:
        floor = max(settings.energy_floor, float(np.finfo(np.float32).eps))
        energies = np.log(np.maximum(frame_energies(samples, settings), np.float32(floor)))
        if isinstance(settings, Mfcc):
            values[:, 0] = energies
        else:
            values = np.concatenate([energies[:, None], values], axis=1)
    orders = [values]
    for _ in range(settings.deltas):
        orders.append(deltas(orders[-1], settings.delta_window))
    if settings.deltas:
        values = np.concatenate(orders, axis=1)
    if settings.normalization == "utterance":
        return normalize(values, _min_stds(settings))
    if settings.normalization == "global":
        means, stds = _means_and_stds(settings)
        values -= means
        values /= stds
    return values


def deltas(values: NDArray[np.float32], window: int) -> NDArray[np.float32]:
    """Return the slope over time of every column of (T, F), by least squares over ``window`` frames."""
    reach = window // 2
    padded = np.pad(values, ((reach, reach), (0, 0)), mode="edge")
    slopes = np.zeros_like(values)
    for step in range(1, reach + 1):
        later, earlier = padded[reach + step :][: len(values)], padded[reach - step :][: len(values)]
        slopes += np.float32(step) * (later - earlier)
    slopes /= np.float32(reach * (reach + 1) * (2 * reach + 1) / 3)
    return slopes


def normalize(values: NDArray[np.float32], min_stds: NDArray[np.float64] | float = MIN_STD) -> NDArray[np.float32]:
    """Give every column of (T, F) mean 0 and standard deviation 1 (columns under ``min_stds``: less)."""
    centred: NDArray[np.float32] = values - _means("tf->f", values).astype(np.float32)
    stds = np.sqrt(_means("tf,tf->f", centred, centred))
    centred /= np.maximum(stds, min_stds).astype(np.float32)
    return centred


def to_bytes(values: NDArray[np.float32], dtype: DType = "float16") -> bytes:
    """Return (T, F) features as the row-major little-endian bytes that shards hold."""
    return values.astype(np.dtype(dtype).newbyteorder("<"), copy=False).tobytes()


def from_bytes(data: bytes, num_frames: int, dtype: DType = "float16") -> NDArray[np.float16] | NDArray[np.float32]:
    """Return shard bytes as a (T, F) array, without copying; ``dtype`` is that of the feature settings in the footer.

    >>> from_bytes(to_bytes(np.ones((3, 2), np.float32)), 3).shape
    (3, 2)
    """
    return np.frombuffer(data, np.dtype(dtype).newbyteorder("<")).reshape(num_frames, -1)


def _means(formula: str, *arrays: NDArray[np.float32]) -> NDArray[np.float64]:
    """Return what a formula of `einsum` sums up over frames t of arrays (T, F), as the mean (F,) of all frames.

    Some frames are summed up in float32, their sums in float64.
    """
    num_frames, num_features = arrays[0].shape
    total = np.zeros(num_features)
    for start in range(0, num_frames, SUM_FRAMES):
        total += np.einsum(formula, *(array[start : start + SUM_FRAMES] for array in arrays))
    total /= num_frames
    return total


def _logarithms(energies: NDArray[np.float32], settings: _Features) -> NDArray[np.float32]:
    """Replace energies (T, M) by their logarithms, in place."""
    floor = settings.amin
    if settings.top_db is not None:
        floor = max(floor, float(energies.max()) * 10 ** (-settings.top_db / 10))
    np.maximum(energies, np.float32(floor), out=energies)
    if settings.log_offset:
        energies += np.float32(settings.log_offset)
    np.log(energies, out=energies)
    if (factor := LOG_UNITS[settings.log] * settings.scale) != 1:
        energies *= np.float32(factor)
    if settings.shift:
        energies += np.float32(settings.shift * settings.scale)
    return energies


@cache
def _cosines(settings: Mfcc) -> NDArray[np.float32]:
    """Return the cosine transform (M, n_mfcc), lifter included."""
    bands, order = np.arange(settings.n_mels)[:, None], np.arange(settings.n_mfcc)
    cosines = np.cos(np.pi / settings.n_mels * (bands + 0.5) * order)
    if settings.norm is None:
        cosines *= 2
    else:
        cosines *= np.sqrt(2 / settings.n_mels)
        if settings.norm == "ortho":
            cosines[:, 0] /= np.sqrt(2)
    if length := settings.cepstral_lifter:
        cosines *= 1 + length / 2 * np.sin(np.pi * order / length)
    matrix: NDArray[np.float32] = cosines.astype(np.float32)
    return matrix


@cache
def _means_and_stds(settings: LogMel | Mfcc) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    statistics = settings.statistics
    if statistics is None:
        raise ValueError("normalization: global needs statistics: those that featurize found and wrote into the shards")
    if not len(statistics.mean) == len(statistics.variance) == settings.num_features:
        sizes = f"{len(statistics.mean)} means and {len(statistics.variance)} variances"
        raise ValueError(f"statistics: {sizes}, wanted {settings.num_features} of each")
    stds = np.maximum(np.sqrt(statistics.variance), _min_stds(settings))
    return np.array(statistics.mean, np.float32), stds.astype(np.float32)


@cache
def _min_stds(settings: LogMel | Mfcc) -> NDArray[np.float64]:
    """Return the least standard deviation (F,) that normalization divides by."""
    num_static = settings.num_features // (1 + settings.deltas)
    stds = np.full(settings.num_features, MIN_DELTA_STD)
    stds[:num_static] = MIN_STD
    return stds * LOG_UNITS[settings.log] * settings.scale
