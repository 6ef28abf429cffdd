"""Corpora as people have them → utterances: which layout an input has, and its rows, each once.

A further layout is a function that yields `Rows`, with a line in `_READERS` and in `asr_model.records.Layout`.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import pipelines.io as io
from asr_model.records import Failure, Layout, Utterance
from pipelines.layouts import is_recording, read_folder, read_kaldi, read_ljspeech, read_manifest, read_table
from pipelines.lhotse import is_lhotse, read_lhotse
from pipelines.listing import is_pattern, matches_any
from pipelines.rows import Rows, read_lines

__all__ = ["Corpus", "find_corpus", "read_corpus"]

_READERS: dict[Layout, Callable[[str], Rows]] = {
    "manifest": read_manifest,
    "table": read_table,
    "kaldi": read_kaldi,
    "lhotse": read_lhotse,
    "ljspeech": read_ljspeech,
    "folder": read_folder,
}
_MANIFEST_SUFFIXES = (".jsonl", ".json", ".jsonl.gz", ".json.gz")
_TABLE_SUFFIXES = (".csv", ".tsv", ".csv.gz", ".tsv.gz")
_MARKERS: dict[str, Layout] = {
    "manifest.jsonl": "manifest",
    "wav.scp": "kaldi",
    "recordings.jsonl.gz": "lhotse",
    "recordings.jsonl": "lhotse",
    "metadata.csv": "ljspeech",
}
"""By which file a folder's layout is known."""


@dataclass(frozen=True)
class Corpus:
    """An input and its layout; ``path`` is the manifest, the folder, a glob pattern of audio, or one recording."""

    layout: Layout
    path: str


def find_corpus(source: str, layout: Layout = "auto") -> Corpus:
    """Return what ``source`` stands for: what ``layout`` says, or what is found out, without listing what is in it.

    A file: a JSON-lines manifest (``.jsonl``, ``.json``), a table (``.csv``, ``.tsv``), or a manifest of lhotse's. A
    folder: what its ``manifest.jsonl``, ``wav.scp`` (Kaldi), ``metadata.csv`` (LJSpeech, or a table with a column
    ``file_name``) or ``recordings.jsonl.gz`` (lhotse) says, else all audio
    below it. Or a glob pattern, or one recording.

    Raises:
        InputError: there is nothing of that name.
    """
    corpus = Corpus(_layout_of(source) if layout == "auto" else layout, source)
    if corpus.layout == "manifest" and not source.lower().endswith(_MANIFEST_SUFFIXES):
        corpus = Corpus("manifest", io.join(source, "manifest.jsonl"))
    elif corpus.layout == "ljspeech" and layout == "auto" and "file_name" in _first_line(source):
        corpus = Corpus("table", io.join(source, "metadata.csv"))
    if not _is_there(corpus):
        raise io.InputError(f"{source}: no such {'file or folder' if layout == 'auto' else layout}, or nothing in it")
    return corpus


def read_corpus(source: str, layout: Layout = "auto") -> Rows:
    """Yield the utterances of an input, each with its audio file's bytes where they are known without asking (else 0).

    What a manifest or table says badly, or says twice, is a `Failure`.

    Raises:
        InputError: as `find_corpus`, or the input is there but holds no recordings.
    """
    corpus = find_corpus(source, layout)
    rows = _READERS[corpus.layout](corpus.path)
    if corpus.layout == "folder":  # whose names differ and whose sizes are known
        yield from rows
        return
    seen: dict[bytes, int] = {}
    row: Utterance | Failure | None = None
    for row, _ in rows:
        if isinstance(row, Utterance) and _is_seen(row, seen):
            yield Failure.of(row, "duplicate", f"{corpus.path} names this recording, channel and offset again"), 0
            continue
        yield row, _local_bytes(row)
    if row is None:
        raise io.InputError(f"{source}: the manifest holds no rows")


def _layout_of(source: str) -> Layout:
    if is_pattern(source):
        return "folder"
    if is_lhotse(source):
        return "lhotse"
    if source.lower().endswith(_MANIFEST_SUFFIXES):
        return "manifest"
    if source.lower().endswith(_TABLE_SUFFIXES):
        return "table"
    return next((layout for name, layout in _MARKERS.items() if io.exists(io.join(source, name))), "folder")


def _is_there(corpus: Corpus) -> bool:
    if corpus.layout == "kaldi":
        return io.exists(io.join(corpus.path, "wav.scp"))
    if corpus.layout == "ljspeech":
        return io.exists(io.join(corpus.path, "metadata.csv"))
    if corpus.layout in ("manifest", "table") or is_lhotse(corpus.path):
        return is_pattern(corpus.path) or io.exists(corpus.path)
    return is_recording(corpus.path) or matches_any(corpus.path)


def _first_line(folder: str) -> str:
    return next(read_lines(io.join(folder, "metadata.csv")), "")


def _local_bytes(row: Utterance | Failure) -> int:
    """Return the size of a local recording whose manifest does not say how long it is; 0 for all others."""
    if isinstance(row, Failure) or row.duration is not None or io.is_url(row.path):
        return 0
    try:
        return Path(row.path).stat().st_size
    except OSError:
        return 0


def _is_seen(row: Utterance, seen: dict[bytes, int]) -> bool:
    """Return whether one of the utterance's channels is in ``seen``, and note them there where none is.

    ``seen`` holds the channels as bits (-1: all) by a hash of recording and offset, 150 MB for a million recordings.
    """
    key = hashlib.blake2b(f"{row.audio_filepath}@{row.offset}".encode(), digest_size=16).digest()
    channels = -1 if row.channel_number is None else 1 << row.channel_number
    before = seen.get(key, 0)
    if before & channels:
        return True
    seen[key] = before | channels
    return False
