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
    """A file without its name, so that decoders go by its content: ``.raw`` means nothing here."""

    def __init__(self, file: BinaryIO):
        self.read, self.seek, self.tell = file.read, file.seek, file.tell
