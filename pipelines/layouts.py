"""How corpora lie on disk: a function for each layout, which yields what is to be read and what cannot be."""

from __future__ import annotations

import csv
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pipelines.io as io
from asr_model.records import Failure, Utterance
from pipelines.listing import File, is_pattern, list_folders, matches
from pipelines.rows import Rows, checked, parse_cell, parse_json, parse_row, read_byte_lines, read_lines, read_pairs

__all__ = ["AUDIO_SUFFIXES", "read_folder", "read_kaldi", "read_ljspeech", "read_manifest", "read_table"]

# fmt: off
AUDIO_SUFFIXES = frozenset({
    ".aac", ".aif", ".aifc", ".aiff", ".amr", ".au", ".awb", ".caf", ".flac", ".gsm", ".m4a", ".mka", ".mp3", ".mp4",
    ".nist", ".oga", ".ogg", ".opus", ".rf64", ".snd", ".sph", ".w64", ".wav", ".wave", ".webm", ".wma",
})
# fmt: on
"""What is taken for a recording in a folder; what a pattern or manifest names is read whatever it is called."""
_COLUMNS = {
    "audio_filepath": ("audio_filepath", "path", "file", "filename", "file_name", "wav_filename", "audio"),
    "text": ("text", "sentence", "transcript", "transcription"),
    "speaker": ("speaker", "speaker_id", "client_id"),
}
"""What tables call the columns that have a meaning here; the first name that is there counts."""


def read_manifest(path: str) -> Rows:
    """Yield the rows of a JSON-lines manifest in the NeMo manner."""
    folder = path.rpartition("/")[0]
    for number, line in enumerate(read_byte_lines(path), start=1):
        if line.strip():
            yield checked(path, number, lambda line=line: parse_row(parse_json(line.decode("utf-8-sig")), folder))  # type: ignore[misc]


def read_table(path: str) -> Rows:
    """Yield the rows of a CSV or TSV file with a header line, Mozilla Common Voice's among them.

    Raises:
        InputError: no column holds the path of the audio, or the file is no table.
    """
    folder = path.rpartition("/")[0]
    is_tsv = path.lower().removesuffix(".gz").endswith(".tsv")
    lines = read_lines(path)
    rows = csv.DictReader(lines, delimiter="\t", quoting=csv.QUOTE_NONE) if is_tsv else csv.DictReader(lines)
    columns = rows.fieldnames or ()
    names = {name: next((c for c in known if c in columns), None) for name, known in _COLUMNS.items()}
    audio = names["audio_filepath"]
    if audio is None:
        wanted = ", ".join(_COLUMNS["audio_filepath"])
        raise io.InputError(f"{path}: no column of audio files (wanted one of {wanted}; found {', '.join(columns)})")
    prefix = "clips/" if {"client_id", "path"} <= set(columns) else ""  # Common Voice's layout

    def as_manifest_row(cells: dict[str | None, Any]) -> Utterance:
        if None in cells:
            raise ValueError(f"{len(columns) + len(cells[None])} cells, wanted {len(columns)}")
        row: dict[Any, Any] = {key: value for key, value in cells.items() if key not in names.values()}
        row |= {name: cells[column] for name, column in names.items() if column and cells[column] is not None}
        row["audio_filepath"] = f"{prefix}{cells[audio]}" if cells[audio] else None
        row |= {name: parse_cell(row[name] or "") for name in ("duration", "offset", "channel") if name in row}
        return parse_row(row, folder)

    try:
        for cells in rows:
            yield checked(path, rows.line_num, lambda cells=cells: as_manifest_row(cells))  # type: ignore[misc]
    except csv.Error as error:
        raise io.InputError(f"{path}: line {rows.line_num + 1} is no line of a table: {error}") from error


def read_kaldi(folder: str) -> Rows:
    """Yield the utterances of a Kaldi data directory: ``wav.scp`` without pipes, ``segments``, ``text``, ``utt2spk``.

    Durations are those of ``utt2dur`` and ``reco2dur``, where there are such files.
    """
    failures: list[Failure] = []
    texts, speakers, seconds = (_table_of(io.join(folder, name), failures) for name in ("text", "utt2spk", "utt2dur"))
    path = io.join(folder, "segments")
    has_segments = io.exists(path)
    recordings, lengths = {}, {}
    if has_segments:
        recordings = _table_of(io.join(folder, "wav.scp"), failures)
        lengths = _table_of(io.join(folder, "reco2dur"), failures)
    yield from ((failure, 0) for failure in failures)

    def as_utterance(name: str, value: str) -> Utterance:
        row: dict[str, Any] = {"audio_filepath": value}
        if has_segments:
            row = _kaldi_segment(value, recordings, lengths)
        if row["audio_filepath"].endswith("|"):
            raise ValueError(f"{row['audio_filepath']!r} is a command, and none is run: wanted the path of a file")
        if name in seconds and "offset" not in row:
            row["duration"] = float(seconds[name])
        columns = {"text": texts.pop(name, None), "speaker": speakers.get(name), "utterance": name}
        return parse_row({**row, **columns}, folder)

    path = path if has_segments else io.join(folder, "wav.scp")
    seen: set[str] = set()
    for number, name, value in read_pairs(path):
        if name in seen:
            yield Failure(f"{path}:{number}", None, "duplicate", f"line {number}: {name} is there before"), 0
            continue
        seen.add(name)
        yield checked(path, number, lambda name=name, value=value: as_utterance(name, value))  # type: ignore[misc]
    for name in sorted(texts.keys() - seen):
        yield Failure(name, None, "missing", f"{io.join(folder, 'text')} has words for it, {path} has no recording"), 0


def read_ljspeech(folder: str) -> Rows:
    """Yield the rows of LJSpeech's ``metadata.csv``: id, text, normalized text, with bars between and no quoting."""
    path = io.join(folder, "metadata.csv")
    for number, line in enumerate(read_lines(path), start=1):
        name, _, texts = line.strip().partition("|")
        row = {"audio_filepath": f"wavs/{name}.wav" if name else None, "text": texts.rpartition("|")[2]}
        yield checked(path, number, lambda row=row: parse_row(row, folder))  # type: ignore[misc]


def read_folder(source: str) -> Rows:
    """Yield the recordings below a folder, or of a pattern, or the one named, with the text that lies beside each.

    That is LibriSpeech's ``*.trans.txt``, whose file names begin with the speaker, or a ``.txt`` of the same name,
    which is read later, where the recording is.

    Raises:
        InputError: there are none.
    """
    num_found = 0
    for files in _one_file(source) if is_recording(source) else list_folders(source):
        for row in _read_files(files, source):
            num_found += 1
            yield row
    if not num_found:
        raise io.InputError(f"{source}: no audio files")


def is_recording(source: str) -> bool:
    """Return whether an input is one recording and no folder or pattern."""
    if io.is_url(source):
        return not is_pattern(source) and Path(source).suffix.lower() in AUDIO_SUFFIXES
    return Path(source).is_file()


def _one_file(source: str) -> Iterator[list[File]]:
    paths = (source, f"{source.removesuffix(Path(source).suffix)}.txt")
    yield [(path, io.size_and_time(path)[0]) for path in paths if io.exists(path)]


def _read_files(files: list[File], source: str) -> Rows:
    """Yield the recordings among the files of one folder."""
    texts = {path for path, _ in files if path.endswith(".txt")}
    if is_recording(source):
        wanted = files[:1]
    elif is_pattern(source):
        wanted = [file for file in files if matches(source).match(file[0]) and file[0] not in texts]
    else:
        wanted = [file for file in files if Path(file[0]).suffix.lower() in AUDIO_SUFFIXES]
    spoken = {
        f"{path.rpartition('/')[0]}/{name}": (f"{path}:{number}", text)
        for path in (sorted(texts) if wanted else ())
        if path.endswith(".trans.txt")
        for number, name, text in read_pairs(path)
    }
    for path, num_bytes in wanted:
        stem = path.removesuffix(Path(path).suffix)
        try:
            path.encode()
        except UnicodeEncodeError:
            name = path.encode("utf-8", "surrogateescape").decode("utf-8", "replace")
            yield Failure(name, None, "bad-file-name", f"the name is not UTF-8: {path!a}"), num_bytes
            continue
        if stem in spoken:
            speaker = Path(stem).name.partition("-")[0]
            yield Utterance(path, path, text=spoken.pop(stem)[1], speaker=speaker), num_bytes
        else:
            text_path = f"{stem}.txt" if f"{stem}.txt" in texts else None
            yield Utterance(path, path, text_path=text_path), num_bytes
    for stem, (line, _) in ({} if is_pattern(source) else spoken).items():
        yield Failure(stem, None, "missing", f"{line} has words for it, but there is no such recording"), 0


def _kaldi_segment(value: str, recordings: dict[str, str], lengths: dict[str, str]) -> dict[str, Any]:
    """Return the row of a line of ``segments``: recording, start, end (-1: the recording's), perhaps the channel."""
    parts = value.split()
    if len(parts) not in (3, 4):
        raise ValueError(f"{value!r}, wanted recording, start, end, and perhaps a channel")
    recording, start, end = parts[0], float(parts[1]), float(parts[2])
    if recording not in recordings:
        raise ValueError(f"recording {recording} is not in wav.scp")
    row: dict[str, Any] = {"audio_filepath": recordings[recording], "recording": recording, "offset": start}
    if end == -1 and recording in lengths:
        end = float(lengths[recording])
    if end != -1:
        if end <= start:
            raise ValueError(f"ends at {end}, wanted an end after its start at {start}")
        row["duration"] = round(end - start, 6)
    if len(parts) == 4:
        row["channel"] = {"A": 0, "B": 1}.get(parts[3], parse_cell(parts[3]))
    return row


def _table_of(path: str, failures: list[Failure]) -> dict[str, str]:
    """Return a file of lines ``key value`` as a mapping, empty where there is none; keys given twice are failures."""
    table: dict[str, str] = {}
    for number, key, value in read_pairs(path) if io.exists(path) else ():
        if key in table:
            failures.append(Failure(f"{path}:{number}", None, "duplicate", f"line {number}: {key} is there before"))
        else:
            table[key] = value
    return table
