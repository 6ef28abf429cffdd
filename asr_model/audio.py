"""Audio files → samples: decoding, channels, resampling. Every way it can go wrong has a reason code."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, ExitStack, contextmanager
from dataclasses import dataclass, replace
from functools import partial
from io import BytesIO
from typing import BinaryIO, Literal

import numpy as np
import soxr
from numpy.typing import NDArray
from pydantic import Field

from asr_model.config import Settings
from asr_model.containers import open_container
from asr_model.flac import read_flac
from asr_model.sound_files import open_sound
from asr_model.streams import AudioError, DecodingError, Nameless, Stream, UnknownFormatError

__all__ = [
    "Audio",
    "AudioError",
    "AudioSettings",
    "Resampler",
    "decode",
    "decode_blocks",
    "resample",
    "select_channels",
]

BLOCK_BYTES = 8 << 20
"""Of a block of samples, whatever length a header claims."""
HELD_BYTES = 4 << 20
"""Files up to this size are read in one go."""
BLOCK_FRAMES = 1 << 16
"""Samples per channel in the first block where a header makes no claim."""
LOUDEST = 1e6
"""Samples beyond this many times full scale are no sound, and would overflow in the features."""
BOUNDED = ("/PCM_S8", "/PCM_U8", "/PCM_16", "/PCM_24", "/PCM_32", "/ULAW", "/ALAW")
"""Codes in which there are no such samples."""
UNREAD = (
    (b"0&\xb2u\x8ef\xcf\x11", "Windows Media (WMA)"),
    (b"ajkg", "shorten"),
    (b"embedded-shorten", "SPHERE compressed by shorten"),
)
"""What stands in the first bytes of recordings that no decoder here reads, or none exactly."""
SEGMENT_SLACK_SECONDS = 0.1
"""A segment may end this much after its recording: times in manifests are rounded."""


class AudioSettings(Settings):
    """Which recordings are taken, and which of their channels."""

    channels: Literal["each", "mix"] = "each"
    """Where a row names no channel: ``each`` is a row of its own, or all are averaged into one (``mix``)."""
    min_seconds: float = Field(default=0.1, ge=0)
    max_seconds: float = Field(default=36_000.0, gt=0)
    """Of a recording, or of the segment of it that is wanted."""
    max_channels: int = Field(default=8, ge=1)
    min_sample_rate: int = Field(default=4000, ge=1)
    max_sample_rate: int = Field(default=192_000, ge=1)
    truncated: Literal["fail", "keep"] = "fail"
    """A recording that breaks off before the end its header tells of: a failure, or what is there is taken."""
    headerless: Literal["none", "ulaw", "alaw", "gsm", "g722"] = "none"
    """What bytes of no known format are taken for: a telephone's samples without a header, 8 kHz (G.722: 16 kHz)."""


@dataclass(frozen=True)
class Audio:
    """Decoded audio: ``samples`` (channels, N) float32 in [-1, 1] at ``sample_rate`` Hz; the file's codec and size."""

    samples: NDArray[np.float32]
    sample_rate: int
    codec: str
    num_bytes: int = 0

    @property
    def num_channels(self) -> int:
        """Number of channels of the source."""
        return int(self.samples.shape[0])

    @property
    def duration(self) -> float:
        """Counted seconds of audio."""
        return float(self.samples.shape[1] / self.sample_rate)


def decode(
    file: BinaryIO, settings: AudioSettings, offset_seconds: float | None = None, duration_seconds: float | None = None
) -> Audio:
    """Decode a recording by its content, or the segment of it that begins at ``offset_seconds``.

    libsndfile's formats, and with PyAV installed M4A, AMR, WebM and G.722 in WAV. What really comes is counted; a
    segment is gone to, not decoded up to. Without ``duration_seconds`` it ends where the recording ends.

    Raises:
        AudioError: ``empty`` (no bytes), ``unknown-format``, ``unreadable`` (a known format, broken or unsupported
            inside), ``truncated`` (ends before its header says), ``too-many-channels``, ``bad-sample-rate``,
            ``too-short``, ``too-long``, ``non-finite`` (NaN, infinite or absurdly large samples), ``out-of-range``
            (a segment that lies outside).
    """
    blocks = list(decode_blocks(file, settings, offset_seconds, duration_seconds))
    first = blocks[0]
    return first if len(blocks) == 1 else replace(first, samples=np.concatenate([b.samples for b in blocks], axis=1))


def decode_blocks(
    file: BinaryIO, settings: AudioSettings, offset_seconds: float | None = None, duration_seconds: float | None = None
) -> Iterator[Audio]:
    """Decode as `decode` does, and yield block after block of at most some 8 MB.

    Raises:
        AudioError: as `decode`; what is wrong at the end is known only there.
    """
    num_bytes = file.seek(0, 2)
    if not num_bytes:
        raise AudioError("empty", "the file holds no bytes")
    file.seek(0)
    # Decoders read in small pieces, which costs less in memory; for a segment the rest need not be read at all.
    is_held = offset_seconds is None and num_bytes <= HELD_BYTES
    held = file.read() if is_held else b""
    source = Nameless(BytesIO(held) if is_held else file)
    num_samples = 0
    try:
        with _open(source, held, settings.headerless) as stream:
            _check_header(stream, settings)
            for samples in _read(stream, settings, offset_seconds, duration_seconds):
                # NaN compares as false.
                bounded = stream.codec.endswith(BOUNDED) or (samples.min() > -LOUDEST and samples.max() < LOUDEST)
                if not bounded:
                    message = f"some samples are NaN, infinite or beyond {LOUDEST:g} times full scale"
                    raise AudioError("non-finite", message)
                num_samples += len(samples)
                yield Audio(np.ascontiguousarray(samples.T), stream.sample_rate, stream.codec, num_bytes)
            seconds = num_samples / stream.sample_rate
    finally:
        if source.error:  # nothing that is wrong with the recording: a disk, a network
            raise source.error
    if seconds < settings.min_seconds or not num_samples:
        raise AudioError("too-short", f"{seconds:.3f} s of audio, at least {settings.min_seconds} s wanted")


def select_channels(
    audio: Audio, channel: int | Literal["all", "mix"] | None, mode: Literal["each", "mix"]
) -> list[tuple[int, NDArray[np.float32]]]:
    """Return (channel number, samples (N,)) pairs: what ``channel`` asks for; None: as ``mode`` says.

    ``all`` is every channel, ``mix`` their mean, which counts as channel 0.

    Raises:
        AudioError: ``no-such-channel``: the recording has fewer channels.
    """
    if isinstance(channel, int):
        if not 0 <= channel < audio.num_channels:
            raise AudioError("no-such-channel", f"channel {channel} asked for, the recording has {audio.num_channels}")
        return [(channel, audio.samples[channel])]
    if (channel or mode) == "mix":
        return [(0, audio.samples.mean(axis=0, dtype=np.float32))]
    return list(enumerate(audio.samples))


def resample(samples: NDArray[np.float32], source_hz: float, target_hz: float) -> NDArray[np.float32]:
    """Resample (N,) float32 with soxr HQ (stop band below -120 dB); equal rates return the input itself."""
    if source_hz == target_hz:
        return samples
    return soxr.resample(samples, source_hz, target_hz, quality="HQ")  # type: ignore[no-any-return]


class Resampler:
    """`resample` for samples that come block after block: together its blocks are the same values."""

    def __init__(self, source_hz: float, target_hz: float):
        is_needed = source_hz != target_hz
        self._stream = soxr.ResampleStream(source_hz, target_hz, 1, dtype="float32") if is_needed else None

    def add(self, samples: NDArray[np.float32], is_last: bool = False) -> NDArray[np.float32]:
        """Return what can be said after a block (N,)."""
        return self._stream.resample_chunk(samples, is_last) if self._stream else samples

    def finish(self) -> NDArray[np.float32]:
        """Return what follows the last block."""
        return self.add(np.empty(0, np.float32), is_last=True)


@contextmanager
def _open(file: Nameless, held: bytes, headerless: str) -> Iterator[Stream]:
    """Open a recording with the first decoder that takes it; what has no header only where it is of no known format.

    ``held`` are the bytes of the file where they are in memory.
    """
    if flac := read_flac(held):
        yield flac
        return
    decoders: list[Callable[[Nameless], AbstractContextManager[Stream]]] = [open_sound, open_container]
    if headerless != "none":
        decoders.append(partial(open_container if headerless == "g722" else open_sound, headerless=headerless))
    reason, said = "unknown-format", []
    with ExitStack() as stack:
        for number, decoder in enumerate(decoders):
            if number < 2 or reason == "unknown-format":
                file.seek(0)
                try:
                    stream = stack.enter_context(decoder(file))
                    break
                except ModuleNotFoundError:
                    said.append("M4A, AMR, WebM and G.722 are read with beamscribe[av] installed")
                except DecodingError as error:
                    said.append(str(error))
                    reason = reason if isinstance(error, UnknownFormatError) else "unreadable"
        else:
            file.seek(0)
            head = file.read(1024)
            unread = next((f"{name}, which is not read" for sign, name in UNREAD if sign in head), "")
            raise AudioError(reason, unread or "; ".join(said))
        yield stream


def _check_header(stream: Stream, settings: AudioSettings) -> None:
    if stream.num_channels > settings.max_channels:
        message = f"{stream.num_channels} channels, at most {settings.max_channels} (audio.max_channels)"
        raise AudioError("too-many-channels", message)
    if not settings.min_sample_rate <= stream.sample_rate <= settings.max_sample_rate:
        wanted = f"{settings.min_sample_rate} to {settings.max_sample_rate} Hz wanted"
        raise AudioError("bad-sample-rate", f"{stream.sample_rate} Hz, {wanted} (audio.min_, max_sample_rate)")


def _read(
    stream: Stream, settings: AudioSettings, offset_seconds: float | None, duration_seconds: float | None
) -> Iterator[NDArray[np.float32]]:
    """Yield the samples (N, channels) of a recording or a segment, block after block."""
    rate = stream.sample_rate
    end = None if stream.is_cut else stream.num_frames
    start = round((offset_seconds or 0.0) * rate)
    wanted = None if duration_seconds is None or offset_seconds is None else round(duration_seconds * rate)
    if start < 0 or (end is not None and start > 0 and start >= end):
        raise _out_of_range(start, wanted, end, rate)
    if end is not None and wanted is not None and start + wanted > end + SEGMENT_SLACK_SECONDS * rate:
        raise _out_of_range(start, wanted, end, rate)
    rest = None if end is None else end - start
    expected = wanted if rest is None else min(rest, rest if wanted is None else wanted)
    limit = int(settings.max_seconds * rate)
    if expected is not None and expected > limit:
        raise _too_long(f"{expected / rate:.1f} s", settings)
    count, stop = 0, None
    try:
        for samples in _read_blocks(stream, start, limit + 1 if wanted is None else wanted, expected):
            count += len(samples)
            if count > limit:
                raise _too_long("goes on", settings)
            yield samples
    except DecodingError as error:
        stop = error
    is_short = expected is not None and count < expected - stream.slack_seconds * rate
    if wanted is not None and is_short and end is None and not stream.is_cut and stop is None:
        raise _out_of_range(start, wanted, start + count, rate)
    breaks_off = is_short or (stop is not None and (expected is None or count < expected))
    if (breaks_off or (stream.is_cut and wanted is None)) and (settings.truncated == "fail" or not count):
        told = "" if end is None or expected is None else f" of {expected / rate:.2f} s"
        raise AudioError("truncated", f"breaks off after {count / rate:.2f} s{told}{f' ({stop})' if stop else ''}")


def _out_of_range(start: int, wanted: int | None, end: int | None, rate: int) -> AudioError:
    until = "" if wanted is None else f" to {(start + wanted) / rate:.3f} s"
    whole = "a recording" if end is None else f"a recording of {end / rate:.3f} s"
    return AudioError("out-of-range", f"segment from {start / rate:.3f} s{until} of {whole}")


def _too_long(length: str, settings: AudioSettings) -> AudioError:
    return AudioError("too-long", f"{length}, beyond the {settings.max_seconds:g} s that audio.max_seconds allows")


def _read_blocks(stream: Stream, start: int, most: int, expected: int | None) -> Iterator[NDArray[np.float32]]:
    """Yield up to ``most`` samples from ``start`` on, in one block (N, channels) where it is not too large.

    Raises:
        DecodingError: the decoder gives up; what it gave before was yielded.
    """
    largest = BLOCK_BYTES // (4 * stream.num_channels)
    size = BLOCK_FRAMES if expected is None else expected + 1
    if start:
        stream.seek(start)
    while most > 0:
        buffer = np.empty((min(size, largest, most), stream.num_channels), np.float32)
        count, stop = 0, None
        try:
            while count < len(buffer) and (added := stream.read(buffer[count:])):
                count += added
        except DecodingError as error:
            stop = error
        if count:
            yield buffer[:count]
        if stop:
            raise stop
        if count < len(buffer):
            return
        most -= count
        size *= 2
