"""A corpus dealt into parts: all rows of a recording lie in one part, and a part fits into memory.

References and transcripts are read in slices, wherever Beam likes, and dealt by a hash of the recording's key into
files; only where in them a part's rows lie crosses a shuffle. So a million transcripts need no memory but a part's.
JSON lines are dealt as they stand and read where they are scored.
"""

from __future__ import annotations

import dataclasses
import gc
import pickle
import shutil
import zlib
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import groupby, islice
from operator import attrgetter
from typing import Any, Literal, TypeAlias

import pipelines.io as io
from asr_model.matching import recording_key
from asr_model.records import Failure, Transcript, Utterance
from pipelines.hypotheses import TranscriptLine
from pipelines.lines import Line
from pipelines.references import ReferenceLine

__all__ = ["Dealt", "Piece", "Slice", "cut", "deal", "key_of", "no_garbage", "part_path", "read_pieces", "remove_parts"]

Kind = Literal["references", "transcripts"]
PARTS_FOLDER = "_parts"
PART_BYTES = 24 << 20
"""Bytes of input that a part is made of, about; a worker holds some ten times as much memory for it."""
SLICE_BYTES = 16 << 20
"""Bytes that a large JSON-lines file is read in at a time."""
FILES_PER_SLICE = 1000
ROWS_PER_FILE = 50_000
Dealt: TypeAlias = ReferenceLine | Utterance | TranscriptLine | Transcript | Failure
_FIELDS: dict[type, Callable[[Any], tuple[Any, ...]]] = {
    record: attrgetter(*(field.name for field in dataclasses.fields(record)))
    for record in (Failure, Transcript, Utterance)
}
"""What takes the values of a row's fields; a line is a tuple of them."""


@dataclass(frozen=True)
class Slice:
    """Files to be read, or the lines of one that begin in a range of bytes; ``stop`` None: all of it."""

    kind: Kind
    paths: tuple[str, ...]
    start: int
    stop: int | None
    num_parts: int
    number: int


@dataclass(frozen=True)
class Piece:
    """Where rows of a part lie in a file of dealt rows; pieces are in order as the slices are."""

    number: tuple[int, int]
    path: str
    start: int
    length: int


def cut(references: Sequence[tuple[str, int]], transcripts: Sequence[tuple[str, int]]) -> list[Slice]:
    """Return the slices of files given as (path, bytes), and in how many parts their rows are to be dealt.

    How many follows from the bytes alone, so that results do not depend on runner or workers.
    """
    num_parts = 1 + sum(size for _, size in [*references, *transcripts]) // PART_BYTES
    slices: list[Slice] = []
    sides: tuple[tuple[Kind, Sequence[tuple[str, int]]], ...] = (
        ("references", references),
        ("transcripts", transcripts),
    )
    for kind, files in sides:
        small: list[str] = []
        left = SLICE_BYTES
        for path, size in files:
            if path.endswith(".jsonl") and size > SLICE_BYTES:
                for start in range(0, size, SLICE_BYTES):
                    slices.append(Slice(kind, (path,), start, start + SLICE_BYTES, num_parts, len(slices)))
                continue
            if small and (size > left or len(small) == FILES_PER_SLICE):
                slices.append(Slice(kind, tuple(small), 0, None, num_parts, len(slices)))
                small, left = [], SLICE_BYTES
            small.append(path)
            left -= size
        if small:
            slices.append(Slice(kind, tuple(small), 0, None, num_parts, len(slices)))
    return slices


def deal(rows: Iterable[Dealt], source: Slice, folder: str) -> Iterator[tuple[int, Piece]]:
    """Deal rows into parts, write them to files below ``folder``, and yield where each part's rows lie."""
    rows = iter(rows)
    number = 0
    while some := list(islice(rows, ROWS_PER_FILE)):
        parts: list[list[Any]] = [[] for _ in range(source.num_parts)]
        for row in some:
            parts[0 if isinstance(row, Failure) else part_of(key_of(row), source.num_parts)].append(row)
        yield from _write(parts, source, number, folder)
        number += 1


@contextmanager
def no_garbage() -> Iterator[None]:
    """Do not look for cycles meanwhile: rows have none, and looking through so many takes a third of the time."""
    was_enabled = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if was_enabled:
            gc.enable()


def key_of(row: ReferenceLine | Utterance | TranscriptLine | Transcript) -> str:
    """Return what rows of one recording have in common."""
    return row.key if isinstance(row, Line) else recording_key(row.audio_filepath)


def part_of(key: str, num_parts: int) -> int:
    """Return the part that a recording belongs to, the same on every machine."""
    if num_parts == 1:
        return 0
    return zlib.crc32(key.encode()) % num_parts


def read_pieces(pieces: Iterable[Piece]) -> Iterator[Dealt]:
    """Yield the rows of pieces, in the order in which they were read."""
    for piece in sorted(pieces, key=lambda piece: piece.number):
        with io.open_file(piece.path) as file:
            file.seek(piece.start)
            runs = pickle.loads(file.read(piece.length))
        for kind, columns in runs:
            yield from map(kind, *columns)


def part_path(folder: str, name: str, part: int, suffix: str) -> str:
    """Return the name of a temporary file of a part."""
    return io.join(folder, f"{PARTS_FOLDER}/{name}-{part:06d}{suffix}")


def remove_parts(folder: str) -> None:
    """Delete all temporary files."""
    if io.is_url(folder):
        io.delete(path for path, _ in io.list_folder(folder, f"{PARTS_FOLDER}/*"))
    else:
        shutil.rmtree(io.join(folder, PARTS_FOLDER), ignore_errors=True)


def _write(parts: list[list[Any]], source: Slice, number: int, folder: str) -> Iterator[tuple[int, Piece]]:
    path = io.join(folder, f"{PARTS_FOLDER}/dealt-{source.number:06d}-{number:04d}.pickle")
    start = 0
    pieces = []
    with io.create_file(path) as file:
        for part, rows in enumerate(parts):
            if not rows:
                continue
            runs = [
                (kind, tuple(zip(*(map(_FIELDS[kind], run) if kind in _FIELDS else run), strict=True)))
                for kind, run in groupby(rows, type)
            ]
            data = pickle.dumps(runs, protocol=5)
            file.write(data)
            pieces.append((part, Piece((source.number, number), path, start, len(data))))
            start += len(data)
    yield from pieces
