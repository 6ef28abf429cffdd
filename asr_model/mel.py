"""Samples → mel energies: frames, real FFT, filters. T frames, M mel bands, K Fourier bins."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from functools import cache
from typing import Any, Literal

import numpy as np
import scipy.fftpack
from numpy.typing import NDArray

from asr_model.spectrum import Spectrum, window

__all__ = ["frame_energies", "mel_energies", "mel_filters"]

BLOCK_FRAMES = 336
"""Frames per FFT call: few enough to stay in the processor's cache; an utterance of 3 s is one call, of 10 s three.
Another number changes last bits: a block of one frame is summed up in another order than a block of many."""
UFUNC_BUFFER = 1024
"""numpy copies rows that are short against this (8192 by itself) into its buffer first, in twice the time."""
CACHE_LINE = 64
"""Bytes; frames that begin with one are windowed in half the time."""
GROUP_BANDS, GROUP_BINS = 16, 64
"""Mel bands per matrix product, half as many where they span more bins than this: a filter is zero nearly everywhere,
and so are most products with a whole matrix."""
PAD_MODES: dict[str, Any] = {"constant": "constant", "replicate": "edge", "circular": "wrap", "reflect": "reflect"}

_thread = threading.local()


def mel_energies(
    samples: NDArray[np.float32], settings: Spectrum, norm: Literal["slaney"] | None
) -> NDArray[np.float32]:
    """Return mel energies (T, M) float32 of samples (N,) float32 at ``settings.sample_rate``.

    T = 1 + N // hop_length for centred frames. What is too short for one frame is extended by silence.
    """
    weights, filters = window(settings), _banded_filters(settings, norm)
    num_frames, blocks = _frames(samples, settings)
    energies = np.empty((num_frames, settings.n_mels), np.float32)
    buffer = _buffer(settings.n_fft)
    with np.errstate():  # which also ends what `setbufsize` sets
        np.setbufsize(UFUNC_BUFFER)
        for start, block in blocks:
            padded = buffer[: len(block)]
            framed = padded[:, : settings.win_length]
            if settings.remove_dc_offset or settings.preemphasis:
                framed[...] = _filtered(block, settings)
                framed *= weights
            else:
                np.multiply(block, weights, out=framed)
            padded[:, settings.win_length :] = 0
            # Real and imaginary parts by turns, whose squares the filters add up. `scipy.fft` has them too, but only
            # in new memory, which takes a seventh longer.
            squares = scipy.fftpack.rfft(padded, overwrite_x=True)
            np.square(squares, out=squares)
            if settings.power != 2:
                real, imaginary = squares[:, 1::2], squares[:, 2::2]
                real[:, : imaginary.shape[1]] += imaginary
                imaginary[...] = 0
                np.power(squares, np.float32(settings.power / 2), out=squares)
            found = energies[start : start + len(block)]
            for bins, bands, matrix in filters:
                np.matmul(squares[:, bins], matrix, out=found[:, bands])
    return energies


def frame_energies(samples: NDArray[np.float32], settings: Spectrum) -> NDArray[np.float32]:
    """Return the sum of squares (T,) of every frame, before pre-emphasis and window: Kaldi's raw energy."""
    num_frames, blocks = _frames(samples, settings)
    energies = np.empty(num_frames, np.float32)
    for start, frames in blocks:
        block = frames * np.float32(settings.sample_scale)
        if settings.remove_dc_offset:
            block -= block.mean(axis=1, keepdims=True)
        energies[start : start + len(block)] = np.einsum("tn,tn->t", block, block)
    return energies


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


def _buffer(n_fft: int) -> NDArray[np.float32]:
    """Return room for the frames of a block, the same for every call in a thread: new memory costs as much as FFTs."""
    if getattr(_thread, "shape", None) != (BLOCK_FRAMES, n_fft):
        room = np.empty(BLOCK_FRAMES * n_fft + CACHE_LINE // 4, np.float32)
        start = -room.ctypes.data % CACHE_LINE // 4
        _thread.shape = (BLOCK_FRAMES, n_fft)
        _thread.buffer = room[start:][: BLOCK_FRAMES * n_fft].reshape(_thread.shape)
    return _thread.buffer  # type: ignore[no-any-return]


def _frames(samples: NDArray[np.float32], settings: Spectrum) -> tuple[int, Iterator[tuple[int, NDArray[np.float32]]]]:
    """Return the number of frames, and by blocks the first one's number and the frames (t, win_length), a view."""
    n_fft, win_length, hop_length = settings.n_fft, settings.win_length, settings.hop_length
    if settings.pad:
        samples = np.pad(samples, settings.pad)
    num_samples, mode = len(samples), PAD_MODES[settings.pad_mode]
    if settings.snip_edges is None:
        around = n_fft // 2 if settings.center else 0
        # Reflection needs more samples than it mirrors; what is shorter is extended by silence first.
        samples = _extended(samples, around + 1 if settings.center else n_fft)
        first = (n_fft - win_length) // 2 - around
        num_frames = 1 + max(0, num_samples + 2 * around - n_fft) // hop_length
    elif settings.snip_edges:
        samples, first = _extended(samples, win_length), 0
        num_frames = 1 + max(0, num_samples - win_length) // hop_length
    else:
        first, mode = hop_length // 2 - win_length // 2, "symmetric"
        num_frames = max(1, (num_samples + hop_length // 2) // hop_length)
    if settings.drop_last:
        num_frames = max(1, num_frames - 1)
    samples = np.ascontiguousarray(samples)

    def blocks() -> Iterator[tuple[int, NDArray[np.float32]]]:
        step = samples.itemsize
        for start in range(0, num_frames, BLOCK_FRAMES):
            count = min(BLOCK_FRAMES, num_frames - start)
            begin = first + start * hop_length
            stretch = _stretch(samples, begin, begin + (count - 1) * hop_length + win_length, mode, n_fft)
            yield start, np.ndarray((count, win_length), samples.dtype, stretch, 0, (hop_length * step, step))

    return num_frames, blocks()


def _stretch(samples: NDArray[np.float32], begin: int, end: int, mode: Any, most: int) -> NDArray[np.float32]:
    """Return ``samples[begin:end]``, with up to ``most`` samples beyond either end, as numpy's pad ``mode`` has it."""
    before, after = max(0, -begin), max(0, end - len(samples))
    if not before and not after:
        return samples[begin:end]
    # With enough of what is mirrored; what lies at the other end is met again where the recording is a circle.
    start = 0 if mode == "wrap" else max(0, begin - 2 * most)
    piece = samples[start:] if mode == "wrap" else samples[start : end + 2 * most]
    if mode == "reflect":  # five times as fast as by np.pad
        piece = np.concatenate([piece[before:0:-1], piece, piece[-2 : -after - 2 : -1]])
    else:
        piece = np.pad(piece, (before, after), mode=mode)
    return piece[begin + before - start :][: end - begin]


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

    A Fourier bin is there twice, once for the square of its real part and once for that of its imaginary part, which
    the first has not, nor the last of an even number of samples.
    """
    filters = np.repeat(mel_filters(settings, norm), 2, axis=0)[1 : settings.n_fft + 1]
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
