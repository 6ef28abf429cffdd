"""Samples as features want them: offset, noise, band and level, the same in training and in recognizing."""

from __future__ import annotations

import importlib.util
from typing import Literal

import numpy as np
from numpy.typing import NDArray
from pydantic import Field, model_validator

from asr_model.config import Settings
from asr_model.level import SILENCE_DB, loudness_lufs, peak_db, rms_db
from asr_model.telephone import telephone

__all__ = ["Conditioning", "condition", "require_package"]


def require_package(name: str, setting: str) -> None:
    """Raise ValueError where a package of an extra is wanted by a setting and is not installed."""
    if importlib.util.find_spec(name) is None:
        raise ValueError(f"{setting} needs the package {name}: install beamscribe[cleaning]")


class Conditioning(Settings):
    """What is done to the samples of an utterance before its features are computed, in the order below.

    It travels in every shard's footer and in the recognizer, which does the same to every segment of speech.
    """

    remove_dc: bool = False
    """Subtract the mean."""
    noise_reduction: float = Field(default=0.0, ge=0, le=1)
    """Part by which noise is lowered that stays the same over the utterance (noisereduce's spectral gating)."""
    telephone: bool = False
    """Telephone band and G.711 mu-law, for a recognizer of calls that also hears other recordings."""
    level: Literal["none", "peak", "rms", "loudness"] = "none"
    """Bring the greatest sample, the mean power or the loudness (EBU R 128) to ``level_db``."""
    level_db: float = Field(default=-23.0, ge=-70, le=0)
    """Decibels of full scale; of loudness: LUFS."""

    @model_validator(mode="after")
    def _check(self) -> Conditioning:
        if self.level == "loudness":
            require_package("pyloudnorm", "level: loudness")
        if self.noise_reduction:
            require_package("noisereduce", "noise_reduction")
        return self


def condition(samples: NDArray[np.float32], sample_rate: int, settings: Conditioning) -> NDArray[np.float32]:
    """Return the conditioned copy of an utterance's samples (N,), of the same length; silence stays silence.

    Levels are reached exactly, so that single samples may go beyond full scale: features have no ceiling.
    """
    if settings.remove_dc:
        samples = samples - samples.mean(dtype=np.float64).astype(np.float32)
    if settings.noise_reduction:
        samples = _reduce_noise(samples, sample_rate, settings.noise_reduction)
    if settings.telephone:
        samples = telephone(samples, sample_rate)
    if settings.level == "none":
        return samples
    found = {
        "peak": lambda: peak_db(samples),
        "rms": lambda: rms_db(samples),
        "loudness": lambda: loudness_lufs(samples, sample_rate),
    }[settings.level]()
    return samples if found <= SILENCE_DB else samples * np.float32(10 ** ((settings.level_db - found) / 20))


def _reduce_noise(samples: NDArray[np.float32], sample_rate: int, part: float) -> NDArray[np.float32]:
    import noisereduce

    if not samples.any():
        return samples
    # Its windows hold 1024 samples; what is shorter gets silence around it.
    padded = np.pad(samples, (0, max(0, 2048 - len(samples))))
    reduced = noisereduce.reduce_noise(y=padded, sr=sample_rate, stationary=True, prop_decrease=part)
    return reduced[: len(samples)].astype(np.float32)  # type: ignore[no-any-return]
