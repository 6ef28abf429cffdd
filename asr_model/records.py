"""The rows that files hold: dataclasses or named tuples ↔ Arrow tables, with a stamp in the Parquet footer.

What there is a million of is not frozen: a frozen class sets its fields one by one, five times as slowly.
"""

from __future__ import annotations

import dataclasses
import json
import types
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from functools import cache
from operator import attrgetter
from typing import Any, BinaryIO, Literal, TypeVar, Union, get_args, get_origin, get_type_hints

import pyarrow as pa
import pyarrow.parquet as pq

__all__ = [
    "Example",
    "Failure",
    "Layout",
    "Segment",
    "Transcript",
    "Utterance",
    "Word",
    "from_table",
    "read_columns",
    "read_stamp",
    "row_groups",
    "schema",
    "to_table",
]

FORMAT = 1
"""Number of the file format; raised when a reader of before could misread what is written now."""

STAMP_KEY = b"beamscribe"
R = TypeVar("R")

Layout = Literal["auto", "manifest", "table", "kaldi", "lhotse", "ljspeech", "folder"]
"""How a corpus lies on disk (see `pipelines.corpora`); ``auto`` is what is found there."""


@dataclass
class Utterance:
    """One thing to read from an archive: a recording, a channel of it, or a segment.

    ``audio_filepath`` is the name as the manifest or listing gives it and, with channel and offset, the key in every
    output; ``path`` is where the audio lies. ``channel`` counts from 0; ``all`` is a result for each, ``mix`` their
    mean, None as the settings say. ``offset`` None is the whole recording; a number is the segment of ``duration``
    seconds that begins there, without ``duration`` to the end. ``text_path`` is the file that holds the text, where it
    has one of its own.
    """

    audio_filepath: str
    path: str
    channel: int | Literal["all", "mix"] | None = None
    text: str | None = None
    duration: float | None = None
    speaker: str | None = None
    extra: dict[str, Any] = field(default_factory=dict)
    offset: float | None = None
    text_path: str | None = None

    @property
    def channel_number(self) -> int | None:
        """The channel, where one is named."""
        return self.channel if isinstance(self.channel, int) else None

    def id_of(self, channel: int) -> str:
        """Return the id of what is made of one channel, as ``calls/a.wav#0``, of a segment ``calls/a.wav#0@12.5``."""
        return f"{self.audio_filepath}#{channel}" + ("" if self.offset is None else f"@{self.offset}")


@dataclass(frozen=True)
class Failure:
    """A recording, a segment, or a manifest line, that could not be used, and why; channel None is all of it."""

    audio_filepath: str
    channel: int | None
    reason: str
    message: str
    offset: float | None = None

    @classmethod
    def of(cls, utterance: Utterance, reason: str, message: str) -> Failure:
        """Return the failure of an utterance."""
        return cls(utterance.audio_filepath, utterance.channel_number, reason, message, utterance.offset)


@dataclass(frozen=True)
class Example:
    """One featurized utterance: a row of a training shard.

    ``features`` are ``num_frames`` rows of float16, or what the footer says (see `asr_model.features.from_bytes`).
    ``duration`` is counted in seconds, of the samples that the features are of; ``sample_rate``, ``codec``,
    ``num_channels`` and ``num_bytes`` are the source's, and so are ``peak_db`` and ``rms_db``, the level of the
    channel as it was decoded, in decibels of full scale. ``copy`` names the augmentation that made this copy, empty
    for the recording itself; ``offset`` is where a segment begins in its recording.
    """

    id: str
    audio_filepath: str
    channel: int
    copy: str
    text: str
    speaker: str | None
    duration: float
    sample_rate: int
    codec: str
    num_channels: int
    num_frames: int
    features: bytes
    extra: dict[str, Any] = field(default_factory=dict)
    offset: float | None = None
    num_bytes: int | None = None
    peak_db: float | None = None
    rms_db: float | None = None


@dataclass(frozen=True)
class Segment:
    """A stretch of speech and its text; times in seconds from the start of the recording, confidence 0 to 1."""

    start: float
    end: float
    text: str
    confidence: float


@dataclass(frozen=True)
class Word:
    """A recognized word; times in seconds from the start of the recording, confidence 0 to 1."""

    text: str
    start: float
    end: float
    confidence: float


@dataclass
class Transcript:
    """One channel of a recording, or of a segment, with the recognized ``pred_text`` and what the source was.

    ``confidence`` (0 to 1) is the segments' mean by duration, None where no speech was found; ``words`` are those of
    ``pred_text`` in their order, empty where their times are unknown; ``text`` is the reference, where the manifest
    gave one; ``offset`` is where the segment begins that the manifest named, None for the whole recording.
    ``num_bytes``, ``peak_db`` and ``rms_db`` are those of an `Example`.
    """

    audio_filepath: str
    channel: int
    pred_text: str
    confidence: float | None
    duration: float
    sample_rate: int
    codec: str
    num_channels: int
    segments: list[Segment]
    words: list[Word] = field(default_factory=list)
    text: str | None = None
    speaker: str | None = None
    extra: dict[str, Any] = field(default_factory=dict)
    offset: float | None = None
    num_bytes: int | None = None
    peak_db: float | None = None
    rms_db: float | None = None


@cache
def schema(record: type) -> pa.Schema:
    """Return the Arrow schema of a record class; free-form mappings are stored as JSON text."""
    hints = _hints(record)
    return pa.schema([_arrow_field(name, hint) for name, hint in hints.items()])


def to_table(record: type, rows: Sequence[Any], stamp: dict[str, Any]) -> pa.Table:
    """Return ``rows`` as an Arrow table whose schema metadata (Parquet: the footer) holds ``stamp`` as JSON."""
    hints = _hints(record)
    tuples = rows if issubclass(record, tuple) else map(attrgetter(*hints), rows)
    values = zip(*tuples, strict=True) if rows else ((),) * len(hints)
    columns = {
        name: _to_cells(column) if get_origin(hint) in (dict, list) else column
        for (name, hint), column in zip(hints.items(), values, strict=True)
    }
    footer = {STAMP_KEY: json.dumps({"format": FORMAT, **stamp}, sort_keys=True).encode()}
    return pa.table(columns, schema=schema(record).with_metadata(footer))


def from_table(record: type[R], table: pa.Table) -> Iterator[R]:
    """Yield the rows of an Arrow table as records; columns that the class does not know are refused by it."""
    hints = _hints(record)  # type: ignore[arg-type]
    makers = {name: make for name in table.column_names if (make := _cell_maker(hints.get(name)))}
    for row in table.to_pylist():
        for name, make in makers.items():
            row[name] = make(row[name])
        yield record(**row)


def read_columns(file: BinaryIO, columns: Sequence[str]) -> pa.Table:
    """Return some columns of a Parquet file, read and checked as by `row_groups`."""
    with _opened(file) as parquet:
        return parquet.read(columns, use_threads=False)


def read_stamp(metadata: dict[bytes, bytes] | None, source: str) -> dict[str, Any]:
    """Return the stamp that `to_table` put into a schema's metadata.

    Raises:
        ValueError: the file carries no stamp, or one of a newer format.
    """
    if not metadata or STAMP_KEY not in metadata:
        raise ValueError(f"{source}: not written by beamscribe (no {STAMP_KEY.decode()!r} entry in the Parquet footer)")
    stamp: dict[str, Any] = json.loads(metadata[STAMP_KEY])
    if stamp["format"] > FORMAT:
        raise ValueError(f"{source}: file format {stamp['format']}, this version reads up to {FORMAT}")
    return stamp


def row_groups(file: BinaryIO) -> Iterator[pa.Table]:
    """Yield the row groups of a Parquet file, their checksums verified, in the caller's thread alone.

    Arrow reads ahead in threads of its own unless told not to; one that still holds a Python file when the interpreter
    ends aborts the process.

    Raises:
        OSError, pyarrow.ArrowException: the file cannot be read, or is no Parquet file.
    """
    with _opened(file) as parquet:
        for number in range(parquet.num_row_groups):
            yield parquet.read_row_group(number, use_threads=False)


def _opened(file: BinaryIO) -> pq.ParquetFile:
    return pq.ParquetFile(file, pre_buffer=False, page_checksum_verification=True)


@cache
def _hints(record: type) -> dict[str, Any]:
    """Return the types of a record's fields, in their order."""
    return get_type_hints(record)


_SCALARS = {str: pa.string(), int: pa.int64(), float: pa.float64(), bool: pa.bool_(), bytes: pa.binary()}


def _arrow_field(name: str, hint: Any) -> pa.Field:
    if get_origin(hint) in (Union, types.UnionType):
        (inner,) = [argument for argument in get_args(hint) if argument is not type(None)]
        return pa.field(name, _arrow_type(inner), nullable=True)
    return pa.field(name, _arrow_type(hint), nullable=False)


def _arrow_type(hint: Any) -> pa.DataType:
    if hint in _SCALARS:
        return _SCALARS[hint]
    if get_origin(hint) is dict:
        return pa.string()
    if get_origin(hint) is list:
        return pa.list_(pa.field("item", _arrow_type(get_args(hint)[0]), nullable=False))
    return pa.struct(list(schema(hint)))


def _to_cells(values: Sequence[Any]) -> list[Any]:
    """Return mappings as JSON text, lists of records as lists of mappings; a mapping that comes again costs nothing."""
    known: dict[Any, str] = {}
    cells: list[Any] = []
    for value in values:
        if not isinstance(value, dict):
            cells.append([dataclasses.asdict(item) for item in value])
            continue
        cell = known.get(id(value))
        if cell is None:
            key = repr(value)
            if key not in known:
                known[key] = json.dumps(value, sort_keys=True, ensure_ascii=False)
            cell = known[id(value)] = known[key]
        cells.append(cell)
    return cells


def _cell_maker(hint: Any) -> Callable[[Any], Any] | None:
    """Return what makes a value of a cell, if it is not the value itself."""
    if get_origin(hint) is dict:
        return json.loads
    if get_origin(hint) is list:
        item = get_args(hint)[0]
        return lambda cells: [item(**cell) for cell in cells]
    return None
