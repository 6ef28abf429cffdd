"""How samples become a spectrum, frame by frame: the settings, and the window."""

from __future__ import annotations

from functools import cache
from typing import Literal

import numpy as np
from numpy.typing import NDArray
from pydantic import Field, model_validator

from asr_model.config import Settings

__all__ = ["Spectrum", "WindowArguments", "window"]

WindowName = Literal[
    "hann_window", "hamming_window", "blackman_window", "bartlett_window", "kaiser_window", "povey_window", "ones"
]


class WindowArguments(Settings):
    """Arguments of the window: ``alpha`` and ``beta`` of Hamming (0.54, 0.46), ``beta`` of Kaiser (12)."""

    periodic: bool = True
    """False: symmetric, as Kaldi's windows are."""
    alpha: float | None = None
    beta: float | None = None


class Spectrum(Settings):
    """How samples become mel energies; the names and their meaning are those of torchaudio's ``MelSpectrogram``.

    What torchaudio has not is Kaldi's, under Kaldi's name. There is no dither: results would not be repeatable.
    """

    sample_rate: int = Field(default=16000, ge=4000, le=192000)
    n_fft: int = Field(default=512, ge=32)
    win_length: int = Field(default=400, ge=16)
    hop_length: int = Field(default=160, ge=8)
    f_min: float = Field(default=20.0, ge=0)
    f_max: float | None = Field(default=8000.0, gt=0)
    """None: half the sample rate."""
    pad: int = Field(default=0, ge=0)
    """Zeros before and after the recording."""
    n_mels: int = Field(default=80, ge=1)
    window_fn: WindowName = "hann_window"
    power: float = Field(default=2.0, gt=0)
    """Exponent of the magnitudes: 2 is power, 1 is magnitude."""
    normalized: bool | Literal["window", "frame_length"] = False
    """Divide magnitudes by the window's root sum of squares (``window``, or true) or by sqrt(n_fft)."""
    wkwargs: WindowArguments = WindowArguments()
    center: bool = True
    """Frame t is centred on sample t * hop_length; false: it begins there."""
    pad_mode: Literal["reflect", "constant", "replicate", "circular"] = "reflect"
    """What stands before the first and after the last sample of centred frames."""
    mel_scale: Literal["htk", "slaney", "kaldi", "tensorflow"] = "htk"
    """``kaldi``: HTK's scale, but triangles with straight sides in mel instead of Hz, and without the highest bin;
    ``tensorflow``: such triangles over the bins that TensorFlow's ``mfcc`` takes."""
    snip_edges: bool | None = None
    """Kaldi's frames of ``win_length`` in place of ``center``: only those that fit (true), or mirrored ends (false)."""
    sample_scale: float = Field(default=1.0, gt=0)
    """Samples are multiplied by this; Kaldi's are 16-bit numbers (32768)."""
    remove_dc_offset: bool = False
    """Subtract every frame's mean."""
    preemphasis: float = Field(default=0.0, ge=0, le=1)
    """x[i] - preemphasis * x[i - 1] within every frame, as Kaldi does."""
    drop_last: bool = False
    """Leave out the last frame, as Whisper does."""

    @model_validator(mode="after")
    def _check(self) -> Spectrum:
        if self.win_length > self.n_fft:
            raise ValueError(f"win_length {self.win_length} is longer than n_fft {self.n_fft}")
        if not self.f_min < self.top_hz <= self.sample_rate / 2:
            raise ValueError(f"wanted f_min < f_max <= sample_rate / 2, found {self.f_min}, {self.f_max}")
        return self

    @property
    def top_hz(self) -> float:
        """Upper end of the highest mel band."""
        return self.sample_rate / 2 if self.f_max is None else self.f_max

    @property
    def frames_per_second(self) -> float:
        """Frames in a second of audio."""
        return self.sample_rate / self.hop_length


@cache
def window(settings: Spectrum) -> NDArray[np.float32]:
    """Return what a frame (win_length,) is multiplied by: window, scale of samples and norm of the spectrum."""
    arguments, length = settings.wkwargs, settings.win_length
    periodic = arguments.periodic and settings.window_fn != "povey_window"
    points = length + 1 if periodic else length
    match settings.window_fn:
        case "hann_window":
            values = np.hanning(points)
        case "povey_window":
            values = np.hanning(points) ** 0.85
        case "hamming_window":
            alpha = 0.54 if arguments.alpha is None else arguments.alpha
            beta = 0.46 if arguments.beta is None else arguments.beta
            values = alpha - beta * np.cos(2 * np.pi * np.arange(points) / (points - 1))
        case "blackman_window":
            values = np.blackman(points)
        case "bartlett_window":
            values = np.bartlett(points)
        case "kaiser_window":
            values = np.kaiser(points, 12.0 if arguments.beta is None else arguments.beta)
        case "ones":
            values = np.ones(points)
    values = values[:length] * settings.sample_scale
    if settings.normalized == "frame_length":
        values /= np.sqrt(settings.n_fft)
    elif settings.normalized:
        values /= np.sqrt(np.sum(values**2)) / settings.sample_scale
    return values.astype(np.float32)
