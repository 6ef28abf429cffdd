"""Lines of text files, or of the part of one that lies in a range of bytes; UTF-8, and said where it is not."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from functools import lru_cache
from typing import Any, NamedTuple, TypeVar

import numpy as np
import orjson
from numpy.typing import NDArray

import pipelines.io as io
from asr_model.matching import recording_key

__all__ = ["Line", "keyed_lines", "lines_between", "number_of", "numbered_lines", "read_naming", "read_text"]

_MARK = b"\xef\xbb\xbf"
_OTHER_MARKS = (b"\xff\xfe", b"\xfe\xff")
CHUNK = 1 << 20
R = TypeVar("R")
L = TypeVar("L", bound="Line")


class Line(NamedTuple):
    """A line of JSON that begins at byte ``place`` of a file, of which as yet only the `recording_key` is read."""

    key: str
    path: str
    place: int
    text: str

    def read(self) -> Any:
        """Return what the line says, as its kind has it."""
        raise NotImplementedError(type(self).__name__)


def lines_between(path: str, start: int = 0, stop: int | None = None, blank: bool = False) -> Iterator[tuple[int, str]]:
    """Yield (place, line) of the lines that begin from byte ``start`` and before ``stop``; ``blank`` ones if asked.

    Raises:
        InputError: a line is not UTF-8; the message names it.
    """
    with io.open_file(path) as file:
        if start:
            file.seek(start - 1)
            place = start - 1 + len(file.readline())
        else:
            place = 0
        for line in file:
            if stop is not None and place >= stop:
                return
            place_after = place + len(line)
            if place == 0:
                if line.startswith(_OTHER_MARKS):
                    raise io.InputError(f"{path}: is UTF-16, wanted UTF-8; iconv -f UTF-16 -t UTF-8 makes it so")
                line = line.removeprefix(_MARK)
            if blank or not line.isspace():
                try:
                    text = line.decode()
                except UnicodeDecodeError as error:
                    number = number_of(path, place)
                    raise io.InputError(f"{path}: line {number} is not UTF-8 ({error.reason})") from error
                yield place, text
            place = place_after


def numbered_lines(path: str) -> Iterator[tuple[int, str]]:
    """Yield (number, line) of the lines that are not blank.

    Raises:
        InputError: a line is not UTF-8; the message names it.
    """
    for number, (_, line) in enumerate(lines_between(path, blank=True), start=1):
        if not line.isspace():
            yield number, line


def keyed_lines(kind: type[L], path: str, start: int = 0, stop: int | None = None) -> Iterator[Any]:
    """Yield the lines of JSON that begin in a range of bytes as ``kind``; what names no recording is read at once."""
    for place, text in lines_between(path, start, stop):
        try:
            name = orjson.loads(text)["audio_filepath"]
        except (ValueError, LookupError, TypeError):
            name = None
        if name and isinstance(name, str):
            yield kind(recording_key(name), path, place, text)
        else:
            yield kind("", path, place, text).read()


def number_of(path: str, place: int) -> int:
    """Return the number, from 1, of the line that begins at byte ``place``; many of a file are found in one reading."""
    return 1 + int(np.searchsorted(_line_ends(path, io.size_and_time(path)), place))


@lru_cache(maxsize=1)
def _line_ends(path: str, size_and_time: tuple[int, float]) -> NDArray[np.int64]:
    """Return where the line feeds of a file are, as long as its size and time are these."""
    ends = [np.empty(0, np.int64)]
    with io.open_file(path) as file:
        place = 0
        while chunk := file.read(CHUNK):
            ends.append(np.flatnonzero(np.frombuffer(chunk, np.uint8) == ord("\n")) + place)
            place += len(chunk)
    return np.concatenate(ends)


def read_text(path: str) -> str:
    """Return a whole text file, a byte order mark dropped.

    Raises:
        InputError: it is not UTF-8.
    """
    with io.open_file(path) as file:
        data = file.read()
    try:
        return data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        kind = "UTF-16" if data.startswith(_OTHER_MARKS) else f"not UTF-8 ({error.reason} at byte {error.start})"
        raise io.InputError(f"{path}: is {kind}, wanted UTF-8") from error


def read_naming(path: str, read: Callable[[str], Iterator[R]]) -> Iterator[R]:
    """Yield what ``read`` yields of a file; where something in it is wrong, the error names the file.

    Raises:
        InputError: ``read`` raised a ValueError.
    """
    try:
        yield from read(path)
    except io.InputError:
        raise
    except ValueError as error:
        raise io.InputError(f"{path}: {error}") from error
