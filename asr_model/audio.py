"""Audio files → samples: decoding, channels, resampling. Every way it can go wrong has a reason code."""

from __future__ import annotations

from dataclasses import dataclass
from typing import BinaryIO, Literal

import numpy as np
import soundfile
import soxr
from numpy.typing import NDArray
from pydantic import Field

from asr_model.config import Settings

__all__ = ["Audio", "AudioError", "AudioSettings", "decode", "resample", "select_channels"]

BLOCK_FRAMES = 1 << 16
"""Samples per channel and read: one loop over blocks, because a header's claim of length is not trusted."""


class AudioSettings(Settings):
    """Which recordings are taken, and which of their channels."""

    channels: Literal["each", "mix"] = "each"
    """Where a row names no channel: ``each`` is a row of its own, or all are averaged into one (``mix``)."""
    min_seconds: float = Field(default=0.1, ge=0)
    max_seconds: float = Field(default=7200.0, gt=0)
    max_channels: int = Field(default=8, ge=1)


class AudioError(Exception):
    """A recording that cannot be used: a short stable ``reason`` code and a sentence."""

    def __init__(self, reason: str, message: str):
        super().__init__(reason, message)
        self.reason = reason
        self.message = message

    def __str__(self) -> str:
        return f"{self.reason}: {self.message}"


@dataclass(frozen=True)
class Audio:
    """Decoded audio: ``samples`` (channels, N) float32 in [-1, 1] at ``sample_rate`` Hz, and the source's codec."""

    samples: NDArray[np.float32]
    sample_rate: int
    codec: str

    @property
    def num_channels(self) -> int:
        """Number of channels of the source."""
        return int(self.samples.shape[0])

    @property
    def duration(self) -> float:
        """Counted seconds of audio."""
        return float(self.samples.shape[1] / self.sample_rate)


def decode(file: BinaryIO, settings: AudioSettings) -> Audio:
    """Decode everything libsndfile reads, by content, counting what really comes.

    Raises:
        AudioError: ``empty`` (no bytes), ``unreadable`` (no format libsndfile knows, or broken inside),
            ``too-many-channels``, ``too-short``, ``too-long``, ``non-finite`` (NaN or infinite samples).
    """
    if not file.read(1):
        raise AudioError("empty", "the file holds no bytes")
    file.seek(0)
    try:
        with soundfile.SoundFile(_Nameless(file)) as sound:
            sample_rate, codec = sound.samplerate, f"{sound.format}/{sound.subtype}"
            if sound.channels > settings.max_channels:
                raise AudioError("too-many-channels", f"{sound.channels} channels, at most {settings.max_channels}")
            samples = _read_blocks(sound, settings.max_seconds)
    except soundfile.LibsndfileError as error:
        raise AudioError("unreadable", f"libsndfile cannot decode it: {error.error_string}") from error
    audio = Audio(samples, sample_rate, codec)
    if audio.duration < settings.min_seconds:
        raise AudioError("too-short", f"{audio.duration:.3f} s of audio, at least {settings.min_seconds} s wanted")
    if not np.isfinite(samples).all():
        raise AudioError("non-finite", "some samples are NaN or infinite")
    return audio


def select_channels(
    audio: Audio, channel: int | Literal["all", "mix"] | None, mode: Literal["each", "mix"]
) -> list[tuple[int, NDArray[np.float32]]]:
    """Return (channel number, samples (N,)) pairs: the channel asked for, all, or their mix, which is channel 0.

    None is as ``mode`` says.

    Raises:
        AudioError: ``no-such-channel``: the recording has fewer channels.
    """
    if isinstance(channel, int):
        if not 0 <= channel < audio.num_channels:
            raise AudioError("no-such-channel", f"channel {channel} asked for, the recording has {audio.num_channels}")
        numbers = [channel]
    elif (channel or mode) == "mix":
        return [(0, audio.samples.mean(axis=0, dtype=np.float32))]
    else:
        numbers = list(range(audio.num_channels))
    return [(number, audio.samples[number]) for number in numbers]


def resample(samples: NDArray[np.float32], source_hz: float, target_hz: float) -> NDArray[np.float32]:
    """Resample (N,) float32 with soxr HQ (stop band below -120 dB); equal rates return the input itself."""
    if source_hz == target_hz:
        return samples
    return soxr.resample(samples, source_hz, target_hz, quality="HQ")  # type: ignore[no-any-return]


class _Nameless:
    """A file without its name, because soundfile takes what is called ``.raw`` for samples without a header."""

    def __init__(self, file: BinaryIO):
        self.read, self.seek, self.tell = file.read, file.seek, file.tell


def _read_blocks(sound: soundfile.SoundFile, max_seconds: float) -> NDArray[np.float32]:
    blocks: list[NDArray[np.float32]] = []
    num_samples = 0
    while True:
        block = sound.read(BLOCK_FRAMES, dtype="float32", always_2d=True)
        if not len(block):
            break
        blocks.append(np.ascontiguousarray(block.T))
        num_samples += len(block)
        if num_samples > max_seconds * sound.samplerate:
            raise AudioError("too-long", f"more than the {max_seconds:g} s that audio.max_seconds allows")
    if not blocks:
        raise AudioError("too-short", "no samples in the file")
    return np.concatenate(blocks, axis=1)
