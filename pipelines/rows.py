"""Lines and rows of manifests and tables, as people write them → utterances."""

from __future__ import annotations

import gzip
import json
import re
import zlib
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import orjson

import pipelines.io as io
from asr_model.records import Failure, Utterance

__all__ = ["Rows", "checked", "parse_cell", "parse_json", "parse_row", "read_byte_lines", "read_lines", "read_pairs"]

Rows = Iterator[tuple[Utterance | Failure, int]]
"""What is to be read, or cannot be, and its audio file's size in bytes where that is known without asking, else 0."""

_TYPES: dict[str, tuple[tuple[type, ...], str]] = {
    "audio_filepath": ((str,), "a path or URL"),
    "text": ((str, type(None)), "a string"),
    "duration": ((int, float, type(None)), "seconds"),
    "speaker": ((str, int, type(None)), "a string"),
    "channel": ((int, str, type(None)), "a channel number from 0, all, or mix"),
    "offset": ((int, float, type(None)), "seconds"),
}
_CHANNELS = ("all", "mix")
MAX_CHANNEL = 65_535
"""The highest channel that any format of audio can have."""
MAX_SECONDS = 1e9
MAX_EXACT = 2.0**63
"""Greater numbers may be whole ones, of which orjson makes floats."""
_STRICT = json.JSONEncoder(ensure_ascii=False, allow_nan=False)
_BLANKS = re.compile(r"[ \t]+")


def parse_json(line: bytes | str) -> Any:
    """Return the value of a line of JSON, as the standard library reads it, at five times its speed.

    Raises:
        ValueError: it is no JSON.
    """
    try:
        row = orjson.loads(line)
    except ValueError:  # also of NaN, which Python writes, and of half a surrogate pair
        return json.loads(line)
    if isinstance(row, dict):
        for value in row.values():
            if value.__class__ is float and not -MAX_EXACT < value < MAX_EXACT:
                return json.loads(line)
    return row


def parse_row(row: Any, folder: str) -> Utterance:
    """Return the utterance of a manifest row in the NeMo manner; paths in it are seen from ``folder``.

    Raises:
        ValueError: the row is no object, or a column holds something else than it should.
    """
    if not isinstance(row, dict):
        raise ValueError(f"wanted a JSON object, found {type(row).__name__}")
    if not row.get("audio_filepath"):
        raise ValueError("no audio_filepath")
    extra: dict[str, Any] = {}
    for name, value in row.items():
        known = _TYPES.get(name)
        if known is None:
            extra[name] = value
            continue
        kind = value.__class__  # the class itself: True is no number here
        if kind not in known[0] or ((kind is float or kind is int) and not 0 <= value < MAX_SECONDS):
            raise ValueError(f"{name} is {json.dumps(value)}, wanted {known[1]}")
    path, channel, duration = row["audio_filepath"], row.get("channel"), row.get("duration")
    if "\0" in path:
        raise ValueError(f"audio_filepath is {json.dumps(path)}, wanted {_TYPES['audio_filepath'][1]}")
    if channel is not None and channel not in _CHANNELS and not (isinstance(channel, int) and channel <= MAX_CHANNEL):
        raise ValueError(f"channel is {json.dumps(channel)}, wanted {_TYPES['channel'][1]}")
    text, offset, speaker = row.get("text"), row.get("offset"), row.get("speaker")
    _check_storable(path, text, speaker, extra)
    if offset is not None and duration == 0:
        raise ValueError(f"duration is {duration} from offset {offset}, wanted the segment's seconds, or none given")
    speaker, offset = None if speaker is None else str(speaker), None if offset is None else float(offset)
    return Utterance(path, io.join(folder, path), channel, text, duration, speaker, extra, offset)


def _check_storable(path: str, text: str | None, speaker: object, extra: dict[str, Any]) -> None:
    """Refuse what no output file could hold: half a surrogate pair, and in other columns ``NaN``."""
    path.encode()
    if text is not None:
        text.encode()
    if extra or isinstance(speaker, str):
        _STRICT.encode([speaker, extra]).encode()


def parse_cell(cell: str) -> int | float | str | None:
    """Return what a cell of a table says: nothing, a number, or the text itself, which is for `parse_row` to judge."""
    if not cell:
        return None
    try:
        return int(cell) if cell.isdecimal() else float(cell)
    except ValueError:
        return cell


def checked(path: str, number: int, read: Callable[[], Utterance]) -> tuple[Utterance | Failure, int]:
    """Return what ``read`` makes of a line, or the failure that it is a bad one, as a reader yields it."""
    try:
        return read(), 0
    except (ValueError, RecursionError) as error:
        return Failure(f"{path}:{number}", None, "bad-manifest-line", f"line {number}: {error}"), 0


def read_byte_lines(path: str) -> Iterator[bytes]:
    """Yield the lines of a file, decompressed where its name ends in ``.gz``.

    Raises:
        InputError: it is a folder, or cut, or no gzip file.
    """
    if not io.is_url(path) and Path(path).is_dir():
        raise io.InputError(f"{path}: a folder, wanted a file")
    with io.open_file(path) as file:
        if not path.endswith(".gz"):
            yield from file
            return
        try:
            yield from gzip.GzipFile(fileobj=file)
        except (EOFError, gzip.BadGzipFile, zlib.error) as error:
            raise io.InputError(f"{path}: not a whole gzip file: {error}") from error


def read_lines(path: str) -> Iterator[str]:
    """Yield the lines of a UTF-8 file, a byte order mark dropped.

    Raises:
        InputError: a line is not UTF-8.
    """
    for number, line in enumerate(read_byte_lines(path), start=1):
        try:
            yield line.decode("utf-8-sig" if number == 1 else "utf-8")
        except UnicodeDecodeError as error:
            raise io.InputError(f"{path}: line {number} is not UTF-8: {error}") from error


def read_pairs(path: str) -> Iterator[tuple[int, str, str]]:
    """Yield number, key and value of each line ``key value`` of a file."""
    for number, line in enumerate(read_lines(path), start=1):
        if line := line.strip():
            key, *value = _BLANKS.split(line, maxsplit=1)
            yield number, key, "".join(value)
