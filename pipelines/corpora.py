"""Corpora as people have them → utterances. A further layout is one function here and a line in `_READERS`."""

from __future__ import annotations

import csv
import hashlib
import json
import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from apache_beam.io.filesystems import FileSystems

import pipelines.io as io
from asr_model.records import Failure, Utterance
from pipelines.rows import parse_cell, parse_row

__all__ = ["Corpus", "find_corpus", "read_corpus"]

AUDIO_SUFFIXES = frozenset(
    {".aif", ".aiff", ".au", ".caf", ".flac", ".gsm", ".mp3", ".oga", ".ogg", ".opus", ".sph", ".w64", ".wav"}
)
_GLOB = re.compile(r"[*?\[]")
_COLUMNS = {
    "audio_filepath": ("audio_filepath", "path", "file", "filename", "wav_filename", "audio"),
    "text": ("text", "sentence", "transcript", "transcription"),
    "speaker": ("speaker", "speaker_id", "client_id"),
}
"""What tables call the columns that have a meaning here; the first name that is there counts."""

Rows = Iterator[Utterance | Failure]


@dataclass(frozen=True)
class Corpus:
    """An input and its layout; ``path`` is the manifest, the folder, or a glob pattern of audio."""

    layout: Literal["manifest", "table", "kaldi", "ljspeech", "folder", "audio"]
    path: str


def find_corpus(source: str) -> Corpus:
    """Return what ``source`` stands for.

    A file: a JSON-lines manifest (``.jsonl``, ``.json``) or a table (``.csv``, ``.tsv``). A folder: what its
    ``manifest.jsonl``, ``wav.scp`` (Kaldi) or ``metadata.csv`` (LJSpeech) says, else all audio below it. Or a glob
    pattern, or one recording.

    Raises:
        InputError: there is nothing of that name.
    """
    if not _GLOB.search(source):
        suffix = Path(source).suffix.lower()
        if suffix in (".jsonl", ".json", ".csv", ".tsv"):
            if not io.exists(source):
                raise io.InputError(f"{source}: no such manifest")
            return Corpus("manifest" if suffix.startswith(".json") else "table", source)
        if io.exists(manifest := io.join(source, "manifest.jsonl")):
            return Corpus("manifest", manifest)
        if io.exists(io.join(source, "wav.scp")):
            return Corpus("kaldi", source)
        if io.exists(io.join(source, "metadata.csv")):
            return Corpus("ljspeech", source)
        if suffix not in AUDIO_SUFFIXES:
            return Corpus("folder", _there(io.join(source, "**")))
    return Corpus("audio", _there(source))


def read_corpus(source: str) -> Iterator[tuple[Utterance | Failure, int]]:
    """Yield the utterances of an input, each with its audio file's bytes where they are known without asking (else 0).

    What a manifest or table says badly, or says twice, is a `Failure`.

    Raises:
        InputError: as `find_corpus`, or the input is there but holds no recordings.
    """
    corpus = find_corpus(source)
    if corpus.layout in ("folder", "audio"):
        yield from _read_audio(corpus)
        return
    seen: dict[bytes, int] = {}
    row: Utterance | Failure | None = None
    for row in _READERS[corpus.layout](corpus.path):
        if isinstance(row, Utterance) and _is_seen(row, seen):
            yield Failure.of(row, "duplicate", f"{corpus.path} names this recording, channel and offset again"), 0
            continue
        yield row, _local_bytes(row)
    if row is None:
        raise io.InputError(f"{source}: the manifest holds no rows")


def _read_manifest(path: str) -> Rows:
    """Yield the rows of a JSON-lines manifest in the NeMo manner."""
    folder = path.rpartition("/")[0]
    with io.open_file(path) as file:
        for number, line in enumerate(file, start=1):
            if line.strip():
                yield _checked(path, number, folder, lambda line=line: json.loads(line.decode("utf-8-sig")))  # type: ignore[misc]


def _read_table(path: str) -> Rows:
    """Yield the rows of a CSV or TSV file with a header line, Mozilla Common Voice's among them.

    Raises:
        InputError: no column holds the path of the audio.
    """
    folder = path.rpartition("/")[0]
    is_tsv = path.lower().endswith(".tsv")
    lines = _lines(path)
    rows = csv.DictReader(lines, delimiter="\t", quoting=csv.QUOTE_NONE) if is_tsv else csv.DictReader(lines)
    columns = rows.fieldnames or ()
    names = {name: next((c for c in known if c in columns), None) for name, known in _COLUMNS.items()}
    audio = names["audio_filepath"]
    if audio is None:
        wanted = ", ".join(_COLUMNS["audio_filepath"])
        raise io.InputError(f"{path}: no column of audio files (wanted one of {wanted}; found {', '.join(columns)})")
    prefix = "clips/" if {"client_id", "path"} <= set(columns) else ""  # Common Voice's layout

    def as_manifest_row(cells: dict[str, str]) -> dict[str, Any]:
        row: dict[str, Any] = {key: value for key, value in cells.items() if key not in names.values()}
        row |= {name: cells[column] for name, column in names.items() if column and cells[column] is not None}
        row["audio_filepath"] = f"{prefix}{cells[audio]}" if cells[audio] else None
        for name in ("duration", "offset", "channel"):
            if name in row:
                row[name] = parse_cell(row[name])
        return row

    for cells in rows:
        yield _checked(path, rows.line_num, folder, lambda cells=cells: as_manifest_row(cells))  # type: ignore[misc]


def _read_kaldi(folder: str) -> Rows:
    """Yield the utterances of a Kaldi data directory: ``wav.scp`` without pipes, ``text``, ``utt2spk``.

    Raises:
        InputError: it has ``segments``, which are not read yet.
    """
    if io.exists(io.join(folder, "segments")):
        raise io.InputError(f"{folder}: has a segments file; segments inside recordings are not read yet")
    columns = {name: _table_of(io.join(folder, file)) for name, file in (("text", "text"), ("speaker", "utt2spk"))}
    path = io.join(folder, "wav.scp")
    for number, (utterance, audio) in enumerate(_table_of(path).items(), start=1):
        if audio.endswith("|"):
            message = f"line {number}: {audio!r} is a command, and none is run: wanted the path of a file"
            yield Failure(utterance, None, "bad-manifest-line", message)
            continue
        row = {"audio_filepath": audio, "utterance": utterance}
        row |= {name: table[utterance] for name, table in columns.items() if utterance in table}
        yield _checked(path, number, folder, lambda row=row: row)  # type: ignore[misc]


def _read_ljspeech(folder: str) -> Rows:
    """Yield the rows of LJSpeech's ``metadata.csv``: id, text, normalized text, with bars between and no quoting."""
    path = io.join(folder, "metadata.csv")
    for number, line in enumerate(_lines(path), start=1):
        name, _, texts = line.strip().partition("|")
        row = {"audio_filepath": f"wavs/{name}.wav" if name else None, "text": texts.rpartition("|")[2]}
        yield _checked(path, number, folder, lambda row=row: row)  # type: ignore[misc]


def _read_audio(corpus: Corpus) -> Iterator[tuple[Utterance, int]]:
    """Yield the files a pattern matches; of a folder only audio, with the text that lies beside it.

    That is LibriSpeech's ``*.trans.txt``, whose file names begin with the speaker, or a ``.txt`` of the same name.
    """
    found = io.list_files(corpus.path)
    if corpus.layout == "audio":
        yield from ((Utterance(path, path), size) for path, size in found)
        return
    texts = {path for path, _ in found if path.endswith(".txt")}
    spoken = {
        f"{path.rpartition('/')[0]}/{name}": text
        for path in sorted(texts)
        if path.endswith(".trans.txt")
        for name, text in _table_of(path).items()
    }
    audio = [(path, size) for path, size in found if Path(path).suffix.lower() in AUDIO_SUFFIXES]
    if not audio:
        raise io.InputError(f"{corpus.path}: no audio files")
    for path, size in audio:
        stem = path.removesuffix(Path(path).suffix)
        if stem in spoken:
            yield Utterance(path, path, text=spoken[stem], speaker=Path(stem).name.partition("-")[0]), size
        elif f"{stem}.txt" in texts:
            yield Utterance(path, path, text="".join(_lines(f"{stem}.txt")).strip()), size
        else:
            yield Utterance(path, path), size


_READERS: dict[str, Callable[[str], Rows]] = {
    "manifest": _read_manifest,
    "table": _read_table,
    "kaldi": _read_kaldi,
    "ljspeech": _read_ljspeech,
}


def _there(pattern: str) -> str:
    if not FileSystems.match([pattern], limits=[1])[0].metadata_list:
        raise io.InputError(f"{pattern}: matches nothing (wanted a manifest, a folder of a corpus, or a glob of audio)")
    return pattern


def _lines(path: str) -> Iterator[str]:
    """Yield the lines of a UTF-8 file, a byte order mark dropped."""
    with io.open_file(path) as file:
        for number, line in enumerate(file, start=1):
            try:
                yield line.decode("utf-8-sig" if number == 1 else "utf-8")
            except UnicodeDecodeError as error:
                raise io.InputError(f"{path}: line {number} is not UTF-8: {error}") from error


def _table_of(path: str) -> dict[str, str]:
    """Return a file of lines ``key value`` as a mapping, empty where there is no such file."""
    if not io.exists(path):
        return {}
    pairs = (line.strip().partition(" ") for line in _lines(path) if line.strip())
    return {key: value.strip() for key, _, value in pairs}


def _checked(path: str, number: int, folder: str, read: Callable[[], Any]) -> Utterance | Failure:
    try:
        return parse_row(read(), folder)
    except ValueError as error:
        return Failure(f"{path}:{number}", None, "bad-manifest-line", f"line {number}: {error}")


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
