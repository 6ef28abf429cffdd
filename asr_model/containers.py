"""Recordings that FFmpeg reads and libsndfile does not: M4A/AAC, AMR, WebM, G.722 in WAV; by PyAV, where installed.

FFmpeg gets bytes without a name and may open nothing else: a playlist that is called ``.wav`` must not make it read
other files or addresses.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import numpy as np
from numpy.typing import NDArray

from asr_model.streams import DecodingError, Nameless, UnknownFormatError

__all__ = ["ContainerStream", "open_container"]

FORMATS = "aac,amr,amrnb,amrwb,caf,flac,matroska,webm,mov,mp4,m4a,3gp,3g2,mj2,mp3,ogg,wav,w64"
"""No format among them names other files."""
PROTOCOLS = "none"
MAGIC = ((4, b"ftyp"), (0, b"\x1aE\xdf\xa3"), (0, b"#!AMR"))
"""How MP4, WebM and AMR files begin. One of them that was cut may lack what FFmpeg knows it by: MP4's index is last."""
TELLS_LENGTH = ("matroska", "mov", "wav", "w64")
"""For other formats FFmpeg guesses a duration from the bit rate."""
SLACK_SECONDS = 0.25
"""Durations of containers count the coder's padding."""
PREROLL_SECONDS = 0.2
"""Decoded before a segment, for coders that need a moment to be right again."""


@contextmanager
def open_container(file: Nameless, headerless: str | None = None) -> Iterator[ContainerStream]:
    """Open a recording; ``headerless`` (g722) is a code without a header.

    Raises:
        UnknownFormatError: FFmpeg knows no such format, or it is none of those allowed.
        DecodingError: there is no audio in it.
        ModuleNotFoundError: PyAV is not installed.
    """
    import av

    options = {"format_whitelist": headerless or FORMATS, "protocol_whitelist": PROTOCOLS}
    how = {"container_options": options, "io_open": _refuse, "metadata_errors": "ignore"}
    try:
        container = av.open(file, "r", headerless, **how)
    except (av.FFmpegError, PermissionError) as error:
        file.seek(0)
        head = file.read(16)
        is_known = any(head[place:].startswith(magic) for place, magic in MAGIC)
        raise (DecodingError if is_known else UnknownFormatError)(f"FFmpeg: {error}") from error
    with container:
        if not container.streams.audio:
            raise DecodingError(f"no audio in this {container.format.long_name} file")
        yield ContainerStream(container)


def _refuse(url: str, flags: int, options: dict[str, str]) -> Any:
    raise PermissionError(f"the file wants {url} to be opened")


class ContainerStream:
    """A `Stream` of the first audio track of a container."""

    slack_seconds = SLACK_SECONDS
    is_cut = False

    def __init__(self, container: Any):
        track = container.streams.audio[0]
        if track.codec_context is None or not track.rate or not track.channels:
            raise DecodingError("FFmpeg: the audio is of an unknown code, or of no rate or channel")
        self.sample_rate: int = track.rate
        self.num_channels: int = track.channels
        name = container.format.name.partition(",")[0]
        self.codec = f"{name}/{track.codec_context.name}".upper()
        self.num_frames: int | None = None
        if container.duration and name in TELLS_LENGTH:
            seconds = (container.duration - max(0, container.start_time or 0)) / 1_000_000
            self.num_frames = max(0, round(seconds * self.sample_rate))
        self._container, self._track = container, track
        self._frames = container.decode(track)
        self._rest: NDArray[np.float32] = np.empty((0, self.num_channels), np.float32)

    def seek(self, start: int) -> None:
        """Go to sample ``start`` by the frames' times."""
        import av

        begin = (self._track.start_time or 0) * self._track.time_base
        wanted = begin + start / self.sample_rate
        ahead = max(begin, wanted - PREROLL_SECONDS)
        try:
            self._container.seek(int(ahead / self._track.time_base), stream=self._track)
            self._frames = self._container.decode(self._track)
            for frame in self._frames:
                place = round((float(frame.pts * frame.time_base) - float(begin)) * self.sample_rate)
                if place + frame.samples > start:
                    self._rest = self._samples(frame)[max(0, start - place) :]
                    return
        except (av.FFmpegError, TypeError) as error:  # TypeError: a frame without a time
            raise DecodingError(f"FFmpeg: {error}") from error
        self._rest = self._rest[:0]

    def read(self, buffer: NDArray[np.float32]) -> int:
        """Fill the beginning of ``buffer`` (samples, channels) and return how many samples it is; 0: the end."""
        import av

        if not len(self._rest):
            try:
                frame = next(self._frames, None)
            except av.FFmpegError as error:
                raise DecodingError(f"FFmpeg: {error}") from error
            if frame is None:
                return 0
            self._rest = self._samples(frame)
        count = min(len(buffer), len(self._rest))
        buffer[:count], self._rest = self._rest[:count], self._rest[count:]
        return count

    def _samples(self, frame: Any) -> NDArray[np.float32]:
        """Return a decoded frame as (samples, channels) in [-1, 1]."""
        if frame.sample_rate != self.sample_rate or frame.layout.nb_channels != self.num_channels:
            raise DecodingError("rate or channels change in the middle")
        values = frame.to_ndarray()
        planar = frame.format.is_planar or self.num_channels == 1
        values = values.T if planar else values.reshape(-1, self.num_channels)
        samples: NDArray[np.float32] = values.astype(np.float32)
        if values.dtype == np.uint8:
            samples = samples / np.float32(128) - 1
        elif values.dtype.kind == "i":
            samples /= np.float32(1 << (8 * values.dtype.itemsize - 1))
        return samples
