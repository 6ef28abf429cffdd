"""Recordings that libsndfile reads: WAV, FLAC, MP3, Ogg, Opus, AIFF, AU, SPHERE, RF64, W64, CAF and more.

libsndfile shortens what a header claims to what the file holds and says nothing: whether a file was cut is found
out here.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import numpy as np
import soundfile
from numpy.typing import NDArray

from asr_model.streams import DecodingError, Nameless, UnknownFormatError

__all__ = ["SoundStream", "open_sound"]

UNRECOGNISED_FORMAT = 1
"""libsndfile's error number for bytes that it knows no format for."""
TELLS_SIZE = frozenset({"AIFF", "AU", "NIST", "RF64", "W64", "WAV", "WAVEX"})
"""Formats of bare samples: whether they are all there is known from a size in the header alone."""
UNKNOWN_SIZE = 0x7FFF0000
"""Programs that write into a pipe put a size of 32 bits from here on: they did not know it."""
UNKNOWN_FRAMES = 1 << 62
"""libsndfile's own sign (2^63 - 1) for a FLAC stream whose header does not say how long it is."""
SLACK_SECONDS = 0.05
MPEG_TAG_BYTES = 1 << 12
"""Titles and the like may follow the frames of an MP3 file."""
MPEG_PADDING = 4 * 1152
"""Samples that the frames of an MP3 file may hold beyond the recording's: coders pad both ends."""
BLOCK_FRAMES = 1 << 14
"""Samples per channel and call: what an error inside a file may cost of those before it."""
LAST_BYTES = 1 << 16
"""An Ogg page is no longer than this."""
_TELEPHONE = {"samplerate": 8000, "channels": 1, "format": "RAW"}
_HEADERLESS: dict[str | None, dict[str, Any]] = {
    None: {},
    "ulaw": {**_TELEPHONE, "subtype": "ULAW"},
    "alaw": {**_TELEPHONE, "subtype": "ALAW"},
    "gsm": {**_TELEPHONE, "subtype": "GSM610"},
}
_SHORTENED = re.compile(r"^\s*(?:data|SSND|Data Size|riff)\s*: (\d+) \(should be (\d+)\)$", re.MULTILINE)
_SHORTENED_RF64 = re.compile(r"Calculated frame count (\d+) does not match value from 'ds64' chunk of (\d+)")
_SPHERE_FRAMES = re.compile(rb"^sample_count -i (\d+)", re.MULTILINE)


@contextmanager
def open_sound(file: Nameless, headerless: str | None = None) -> Iterator[SoundStream]:
    """Open a recording; ``headerless`` (ulaw, alaw, gsm) are samples of a telephone without a header.

    Raises:
        UnknownFormatError: libsndfile knows no such format.
        DecodingError: it knows the format but not what is inside, or the header is broken.
    """
    try:
        sound = _Sequential(file, **_HEADERLESS[headerless])
    except soundfile.LibsndfileError as error:
        kind = UnknownFormatError if error.code == UNRECOGNISED_FORMAT else DecodingError
        raise kind(f"libsndfile: {error.error_string}") from error
    with sound:
        yield SoundStream(sound, file)


class _Sequential(soundfile.SoundFile):  # type: ignore[misc]
    """Read from one end to the other, without going back after every block to where the decoder is anyway."""

    def seekable(self) -> bool:
        """Whether the position must be kept in order for writing too: never."""
        return False


class SoundStream:
    """A `Stream` of libsndfile's samples."""

    slack_seconds = SLACK_SECONDS

    def __init__(self, sound: soundfile.SoundFile, file: Nameless):
        self.sample_rate: int = sound.samplerate
        self.num_channels: int = sound.channels
        kind = sound.format
        self.codec = f"{kind}/{sound.subtype}"
        self.num_frames: int | None = sound.frames if sound.frames < UNKNOWN_FRAMES else None
        self._sound = sound
        self.is_cut = False
        if kind == "OGG":
            self.is_cut = not _ends_as_ogg(file)
        elif kind == "MP3":
            self._check_mpeg(file)
        elif kind in TELLS_SIZE:
            there, claimed = _sizes(sound, file)
            self.is_cut = there * (1 + SLACK_SECONDS * self.sample_rate / max(1, sound.frames)) < claimed < UNKNOWN_SIZE

    def seek(self, start: int) -> None:
        """Go to sample ``start``; where libsndfile cannot jump (GSM 6.10, G.721), by reading what is before."""
        try:
            self._sound.seek(start)
        except soundfile.LibsndfileError:
            buffer = np.empty((BLOCK_FRAMES, self.num_channels), np.float32)
            while start > 0 and (count := self.read(buffer[:start])):
                start -= count

    def read(self, buffer: NDArray[np.float32]) -> int:
        """Fill the beginning of ``buffer`` (samples, channels) and return how many samples it is; 0: the end."""
        try:
            return int(self._sound.buffer_read_into(buffer[:BLOCK_FRAMES], "float32"))
        except soundfile.LibsndfileError as error:
            raise DecodingError(f"libsndfile: {error.error_string}") from error

    def _check_mpeg(self, file: Nameless) -> None:
        """Hold the length that libsndfile takes an MP3 file for against its frames, where no header vouches for it.

        Raises:
            DecodingError: there is more than libsndfile would decode: a variable bit rate and no header that tells
                of it, or files that were joined.
        """
        place = file.tell()
        start, num_bytes = _xing(file)
        if num_bytes is None or file.seek(0, 2) - start > num_bytes + MPEG_TAG_BYTES:
            samples = _walk_mpeg(file, start)
            if samples > self._sound.frames + MPEG_PADDING:
                told = f"{self._sound.frames / self.sample_rate:.2f} s"
                message = f"MP3 frames of {samples / self.sample_rate:.2f} s, taken for {told} by its first frame"
                raise DecodingError(message)
            self.num_frames = self.num_frames if num_bytes else None
        file.seek(place)


def _sizes(sound: soundfile.SoundFile, file: Nameless) -> tuple[int, int]:
    """Return how much there is and how much the header claims, in a unit of the format's own."""
    if sound.format == "NIST":
        place = file.tell()
        file.seek(0)
        header = _SPHERE_FRAMES.search(file.read(1024))
        file.seek(place)
        return sound.frames, int(header[1]) if header else sound.frames
    log = sound.extra_info
    if found := _SHORTENED_RF64.search(log):
        return int(found[1]), min(int(found[2]), UNKNOWN_SIZE - 1)
    if found := _SHORTENED.search(log):
        return int(found[2]), int(found[1])
    return 0, 0


def _ends_as_ogg(file: Nameless) -> bool:
    """Return whether the last page of an Ogg file is whole and marked as the last."""
    place = file.tell()
    size = file.seek(0, 2)
    file.seek(max(0, size - LAST_BYTES))
    last = file.read()
    file.seek(place)
    page = last[last.rfind(b"OggS") :]
    if len(page) < 27 or not page.startswith(b"OggS"):
        return False
    num_segments = page[26]
    return bool(page[5] & 4) and len(page) >= 27 + num_segments + sum(page[27 : 27 + num_segments])


_MPEG_KBPS = (
    (0, 8, 16, 24, 32, 40, 48, 56, 64, 80, 96, 112, 128, 144, 160),
    (0, 32, 40, 48, 56, 64, 80, 96, 112, 128, 160, 192, 224, 256, 320),
)
_MPEG_HZ = {3: (44100, 48000, 32000), 2: (22050, 24000, 16000), 0: (11025, 12000, 8000)}


def _xing(file: Nameless) -> tuple[int, int | None]:
    """Return where the frames of an MP3 file begin, and the bytes of them that its Xing header tells of, if any."""
    file.seek(0)
    head = file.read(10)
    start = 0
    if head.startswith(b"ID3"):
        start = 10 + (head[6] << 21 | head[7] << 14 | head[8] << 7 | head[9])
    file.seek(start)
    frame = file.read(200)
    place = max(frame.find(b"Xing"), frame.find(b"Info"))
    if place < 0 or len(frame) < place + 16 or frame[place + 7] & 3 != 3:
        return start, None
    return start, int.from_bytes(frame[place + 12 : place + 16])


def _walk_mpeg(file: Nameless, place: int) -> int:
    """Return the samples in an MP3 file's frames from ``place`` on, by their headers."""
    samples = 0
    while True:
        file.seek(place)
        head = file.read(4)
        if len(head) < 4 or head[0] != 0xFF or head[1] & 0xE6 != 0xE2:
            return samples
        version, kbps, hz = head[1] >> 3 & 3, head[2] >> 4, head[2] >> 2 & 3
        if version == 1 or not 0 < kbps < 15 or hz == 3:
            return samples
        per_frame = 1152 if version == 3 else 576
        place += per_frame * 125 * _MPEG_KBPS[version == 3][kbps] // _MPEG_HZ[version][hz] + (head[2] >> 1 & 1)
        samples += per_frame
