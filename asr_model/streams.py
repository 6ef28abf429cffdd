"""What decoders have in common: an opened recording is a stream of samples, and what is wrong has a reason code."""

from __future__ import annotations

from typing import BinaryIO, Protocol

import numpy as np
from numpy.typing import NDArray

__all__ = ["AudioError", "DecodingError", "Nameless", "Stream", "UnknownFormatError"]


class AudioError(Exception):
    """A recording that cannot be used: a short stable ``reason`` code and a sentence."""

    def __init__(self, reason: str, message: str):
        super().__init__(reason, message)
        self.reason = reason
        self.message = message

    def __str__(self) -> str:
        return f"{self.reason}: {self.message}"


class DecodingError(Exception):
    """A decoder gives up: what it says."""


class UnknownFormatError(DecodingError):
    """The bytes are of no format that this decoder knows."""


class Stream(Protocol):
    """An opened recording. What it says of itself is its header's claim; only what `read` returns is there."""

    sample_rate: int
    num_channels: int
    codec: str
    num_frames: int | None
    """Samples per channel, as the header has it; None: it does not say."""
    is_cut: bool
    """The file ends before its header says that it does, or without the mark of its end."""
    slack_seconds: float
    """By which ``num_frames`` may be wrong in a file that is whole."""

    def seek(self, start: int) -> None:
        """Go to sample ``start``.

        Raises:
            DecodingError: there is no way to it.
        """

    def read(self, buffer: NDArray[np.float32]) -> int:
        """Fill the beginning of ``buffer`` (samples, channels) and return how many samples it is; 0: the end.

        Raises:
            DecodingError: what follows cannot be decoded.
        """


class Nameless:
    """A file without its name, so that decoders go by its content: ``.raw`` means nothing here.

    Decoders of C take what goes wrong in reading for the end of the file: it is kept in ``error``.
    """

    def __init__(self, file: BinaryIO):
        self._file = file
        self.error: Exception | None = None
        self.tell = file.tell

    def read(self, size: int = -1) -> bytes:
        """Read as files do; nothing where that fails."""
        try:
            return self._file.read(size)
        except Exception as error:
            self.error = error
            return b""

    def readinto(self, buffer: memoryview) -> int:
        """Fill the beginning of ``buffer`` and return how many bytes it is; soundfile else asks in vain each time."""
        data = self.read(len(buffer))
        buffer[: len(data)] = data
        return len(data)

    def seek(self, offset: int, whence: int = 0) -> int:
        """Go to a place as files do; stay where it lies before the beginning, as broken headers want."""
        try:
            return self._file.seek(offset, whence)
        except (OSError, ValueError):
            return self._file.tell()
