"""FLAC files that are whole, decoded by dr_flac (of miniaudio) in half of libsndfile's time and to the same samples."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

__all__ = ["WholeFlac", "read_flac"]

MAX_BYTES = 8 << 20
"""Of samples: what decodes to more is not held in memory whole."""
SUBTYPES = {8: "PCM_S8", 16: "PCM_16", 24: "PCM_24"}
"""By bits of a sample, as libsndfile calls them."""


class WholeFlac:
    """A `Stream` of samples (N, channels) that are decoded already."""

    slack_seconds = 0.0
    is_cut = False

    def __init__(self, samples: NDArray[np.float32], sample_rate: int, codec: str):
        self.num_frames: int | None = len(samples)
        self.num_channels: int = samples.shape[1]
        self.sample_rate, self.codec = sample_rate, codec
        self._samples = samples

    def seek(self, start: int) -> None:
        """Go ``start`` samples on."""
        self._samples = self._samples[start:]

    def read(self, buffer: NDArray[np.float32]) -> int:
        """Fill the beginning of ``buffer`` (samples, channels) and return how many samples it is; 0: the end."""
        count = min(len(buffer), len(self._samples))
        buffer[:count], self._samples = self._samples[:count], self._samples[count:]
        return count


def read_flac(data: bytes) -> WholeFlac | None:
    """Return what is in a short FLAC file, or None where the bytes are none or anything about them is out of order.

    What is out of order is left to libsndfile, which says what it is: more or fewer samples than the header claims
    (frames of a wrong checksum are left out here), no claim at all, an unusual size of samples.
    """
    if not data.startswith(b"fLaC"):
        return None
    from miniaudio import ffi, lib  # only where it is needed: it is no part of every start

    flac = lib.ma_dr_flac_open_memory(ffi.from_buffer(data), len(data), ffi.NULL)
    if flac == ffi.NULL:
        return None
    try:
        claim, num_channels, num_bits = flac.totalPCMFrameCount, flac.channels, flac.bitsPerSample
        if not 0 < 4 * claim * num_channels <= MAX_BYTES or num_bits not in SUBTYPES:
            return None
        samples = np.empty((claim + 1, num_channels), np.float32)
        room = ffi.cast("float *", ffi.from_buffer(samples))
        count = lib.ma_dr_flac_read_pcm_frames_f32(flac, len(samples), room)
        return WholeFlac(samples[:count], flac.sampleRate, f"FLAC/{SUBTYPES[num_bits]}") if count == claim else None
    finally:
        lib.ma_dr_flac_close(flac)
