"""Samples → mel energies: frames, window, real FFT, filters. T frames, M mel bands, K Fourier bins."""

from __future__ import annotations

import threading
from functools import cache
from typing import Any, Literal

import numpy as np
import scipy.fft
from numpy.typing import NDArray
from pydantic import Field, model_validator

from asr_model.config import Settings

__all__ = ["Spectrum", "WindowArguments", "frame_energies", "mel_energies", "mel_filters", "window"]

BLOCK_FRAMES = 320
"""Frames per FFT call: few enough to stay in the processor's cache, and an utterance of 3 s needs no second call."""
GROUP_BANDS, GROUP_BINS = 16, 64
"""Mel bands per matrix product, half as many where they span more bins than this: a filter is zero nearly everywhere,
and so are most products with a whole matrix."""
PAD_MODES: dict[str, Any] = {"constant": "constant", "replicate": "edge", "circular": "wrap"}

_thread = threading.local()

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


def mel_energies(
    samples: NDArray[np.float32], settings: Spectrum, norm: Literal["slaney"] | None
) -> NDArray[np.float32]:
    """Return mel energies (T, M) float32 of samples (N,) float32 at ``settings.sample_rate``.

    T = 1 + N // hop_length for centred frames. What is too short for one frame is extended by silence.
    """
    frames = _frames(samples, settings)
    weights, filters = window(settings), _banded_filters(settings, norm)
    energies = np.empty((len(frames), settings.n_mels), np.float32)
    buffer = _buffer(settings.win_length, settings.n_fft)
    for start in range(0, len(frames), BLOCK_FRAMES):
        block = frames[start : start + BLOCK_FRAMES]
        padded = buffer[: len(block)]
        framed = padded[:, : settings.win_length]
        if settings.remove_dc_offset or settings.preemphasis:
            framed[...] = _filtered(block, settings)
            framed *= weights
        else:
            np.multiply(block, weights, out=framed)
        # Real and imaginary part by turns, whose squares the filters add up; float32 stays float32.
        squares = scipy.fft.rfft(padded).view(np.float32)
        np.square(squares, out=squares)
        if settings.power != 2:
            squares[:, 0::2] += squares[:, 1::2]
            squares[:, 1::2] = 0
            np.power(squares, np.float32(settings.power / 2), out=squares)
        found = energies[start : start + len(block)]
        for bins, bands, matrix in filters:
            np.matmul(squares[:, bins], matrix, out=found[:, bands])
    return energies


def frame_energies(samples: NDArray[np.float32], settings: Spectrum) -> NDArray[np.float32]:
    """Return the sum of squares (T,) of every frame, before pre-emphasis and window: Kaldi's raw energy."""
    frames = _frames(samples, settings)
    energies = np.empty(len(frames), np.float32)
    for start in range(0, len(frames), BLOCK_FRAMES):
        block = frames[start : start + BLOCK_FRAMES] * np.float32(settings.sample_scale)
        if settings.remove_dc_offset:
            block -= block.mean(axis=1, keepdims=True)
        energies[start : start + len(block)] = np.einsum("tn,tn->t", block, block)
    return energies


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


@cache
def mel_filters(settings: Spectrum, norm: Literal["slaney"] | None) -> NDArray[np.float32]:
    """Return the filters (K, M) that sum powers of Fourier bins to mel bands.

    ``slaney`` scales every triangle to the same area; the scales are those of the HTK book and of Slaney's
    Auditory Toolbox (1998).
    """
    num_bins = settings.n_fft // 2 + 1
    hz = np.linspace(0, settings.sample_rate // 2, num_bins)
    mel, edges_hz = _mel_and_edges(settings)
    in_mel = settings.mel_scale in ("kaldi", "tensorflow")
    at, edges = (mel(hz), mel(edges_hz)) if in_mel else (hz, edges_hz)
    left, middle, right = edges[:-2], edges[1:-1], edges[2:]
    rise = (at[:, None] - left) / (middle - left)
    fall = (right - at[:, None]) / (right - middle)
    filters = np.maximum(0, np.minimum(rise, fall))
    if settings.mel_scale == "kaldi":
        filters[settings.n_fft // 2 :] = 0
    elif settings.mel_scale == "tensorflow":
        bin_hz = settings.sample_rate / settings.n_fft
        filters[: int(1.5 + settings.f_min / bin_hz)] = 0
        filters[int(settings.top_hz / bin_hz) + 1 :] = 0
    if norm == "slaney":
        filters *= 2 / (edges_hz[2:] - edges_hz[:-2])
    return filters.astype(np.float32)


def _buffer(win_length: int, n_fft: int) -> NDArray[np.float32]:
    """Return room for the frames of a block, the same for every call in a thread.

    New memory for every recording costs as much as the FFT. Behind ``win_length`` a frame is zero, and stays so.
    """
    key = (win_length, n_fft, BLOCK_FRAMES)
    if getattr(_thread, "key", None) != key:
        _thread.key, _thread.buffer = key, np.zeros((BLOCK_FRAMES, n_fft), np.float32)
    return _thread.buffer  # type: ignore[no-any-return]


def _frames(samples: NDArray[np.float32], settings: Spectrum) -> NDArray[np.float32]:
    """Return a view (T, win_length) of all frames."""
    n_fft, win_length, hop_length = settings.n_fft, settings.win_length, settings.hop_length
    if settings.pad:
        samples = np.pad(samples, settings.pad)
    if settings.snip_edges is None:
        first, span = (n_fft - win_length) // 2, n_fft
        if settings.center:
            around = n_fft // 2
            # Reflection needs more samples than it mirrors; what is shorter is extended by silence first.
            extended = _extended(samples, around + 1)
            size = len(samples) + 2 * around
            if settings.pad_mode == "reflect":  # five times as fast as by np.pad
                parts = [extended[around:0:-1], extended, extended[-2 : -around - 2 : -1]]
                samples = np.concatenate(parts)[:size]
            else:
                samples = np.pad(extended, around, mode=PAD_MODES[settings.pad_mode])[:size]
    else:
        first, span = 0, win_length
        if not settings.snip_edges:
            before = win_length // 2 - hop_length // 2
            num_frames = max(1, (len(samples) + hop_length // 2) // hop_length)
            end = max(0, before) + (num_frames - 1) * hop_length + win_length
            samples = np.pad(samples, (max(0, before), win_length), mode="symmetric")[max(0, -before) : end]
    samples = np.ascontiguousarray(_extended(samples, span))
    num_frames = 1 + (len(samples) - span) // hop_length
    if settings.drop_last:
        num_frames = max(1, num_frames - 1)
    step = samples.itemsize
    return np.ndarray((num_frames, win_length), samples.dtype, samples, first * step, (hop_length * step, step))


def _extended(samples: NDArray[np.float32], length: int) -> NDArray[np.float32]:
    return np.pad(samples, (0, length - len(samples))) if len(samples) < length else samples


def _filtered(frames: NDArray[np.float32], settings: Spectrum) -> NDArray[np.float32]:
    filtered = frames.copy()
    if settings.remove_dc_offset:
        filtered -= filtered.mean(axis=1, keepdims=True)
    if settings.preemphasis:
        before = np.concatenate([filtered[:, :1], filtered[:, :-1]], axis=1)
        filtered -= np.float32(settings.preemphasis) * before
    return filtered


def _mel_and_edges(settings: Spectrum) -> tuple[Any, NDArray[np.float64]]:
    """Return the function from Hz to mel, and the (M + 2,) corners of all triangles in Hz."""
    if settings.mel_scale == "slaney":
        step = np.log(6.4) / 27

        def mel(hz: Any) -> Any:
            return np.where(np.less(hz, 1000), np.multiply(hz, 0.015), 15 + np.log(np.maximum(hz, 1e-9) / 1000) / step)

        def hz_of(mel: Any) -> Any:
            return np.where(mel < 15, mel / 0.015, 1000 * np.exp(step * (mel - 15)))
    else:

        def mel(hz: Any) -> Any:
            return 1127 * np.log1p(np.divide(hz, 700))

        def hz_of(mel: Any) -> Any:
            return 700 * np.expm1(mel / 1127)

    return mel, hz_of(np.linspace(mel(settings.f_min), mel(settings.top_hz), settings.n_mels + 2))


@cache
def _banded_filters(
    settings: Spectrum, norm: Literal["slaney"] | None
) -> tuple[tuple[slice, slice, NDArray[np.float32]], ...]:
    """Return (bins, bands, matrix) for every group of bands: the part of the filters that is not zero.

    Every Fourier bin is there twice, once for the square of its real part and once for that of its imaginary part.
    """
    filters = np.repeat(mel_filters(settings, norm), 2, axis=0)
    groups = []
    start = 0
    while start < settings.n_mels:
        is_wide = filters[:, start : start + GROUP_BANDS].any(axis=1).sum() > 2 * GROUP_BINS
        bands = slice(start, min(start + (GROUP_BANDS // 2 if is_wide else GROUP_BANDS), settings.n_mels))
        used = np.flatnonzero(filters[:, bands].any(axis=1))
        bins = slice(int(used[0]), int(used[-1]) + 1) if len(used) else slice(0, 1)
        groups.append((bins, bands, np.ascontiguousarray(filters[bins, bands])))
        start = bands.stop
    return tuple(groups)
