"""Transcripts of ours and of other systems. A further format is one function here and a line in `_READERS`."""

from __future__ import annotations

import csv
import json
import math
from collections.abc import Callable, Iterator
from io import StringIO
from typing import Any, Literal

import pipelines.io as io
from asr_model.captions import parse_captions, parse_whisper
from asr_model.nist import parse_ctm, parse_trn
from asr_model.records import Segment, Transcript, Word
from pipelines.lines import Line, keyed_lines, number_of, numbered_lines, read_naming, read_text
from pipelines.listing import is_pattern
from pipelines.rows import parse_cell, parse_json

__all__ = ["TranscriptLine", "list_transcripts", "read_transcripts", "transcribed_with"]

FORMATS = (".jsonl", ".ctm", ".trn", ".json", ".vtt", ".srt", ".csv", ".tsv", ".txt")
"""Of several in a folder, as Whisper writes them, the first is read: it says the most."""


def list_transcripts(source: str) -> list[tuple[str, int]]:
    """Return the files of transcripts and their bytes.

    ``source`` is a folder that `transcribe` finished, a file, a glob pattern, or a folder of another system's files.

    Raises:
        InputError: there is nothing of that name, or a folder of ours is not finished.
    """
    if is_pattern(source):
        files = io.list_files(source)
    elif source.lower().endswith((*FORMATS, "/text")):
        if not io.exists(source):
            raise io.InputError(f"{source}: no such transcripts")
        files = [(source, io.size_and_time(source)[0])]
    elif io.exists(io.join(source, io.SUCCESS_FILE)) or not (files := _files_of_others(source)):
        names = [io.join(source, file) for file in io.read_success(source, "transcribe")["files"]]
        missing = [name for name in names if not io.exists(name)]
        if missing:
            raise io.InputError(f"{missing[0]}: no such transcripts, though {source} is marked as finished")
        files = [(name, io.size_and_time(name)[0]) for name in names]
    if not files and is_pattern(source):
        raise io.InputError(f"{source}: matches no transcripts")
    return files


def _files_of_others(folder: str) -> list[tuple[str, int]]:
    """Return the files of the first format that a folder has any of; none where the folder is one of ours."""
    if io.exists(io.join(folder, io.RUN_FILE)):
        return []
    found = io.list_folder(folder)
    for suffix in FORMATS:
        if files := [(path, size) for path, size in found if path.lower().endswith(suffix)]:
            return files
    return []


def transcribed_with(source: str) -> dict[str, Any]:
    """Return what the transcripts are known to be made with, the recognizer's digest and the settings; else nothing."""
    run = io.join(source, io.RUN_FILE)
    claim = io.read_json(run) if io.exists(run) else {}
    return {name: claim[name] for name in ("recognizer", "settings") if name in claim}


class TranscriptLine(Line):
    """A line of JSON in the NeMo manner that names a recording: ``audio_filepath``, ``pred_text``, and what else."""

    __slots__ = ()

    def read(self) -> Transcript:
        """Return what else the line says.

        Raises:
            InputError: it is no transcript; the message names the line.
        """
        try:
            return _transcript(parse_json(self.text))
        except (ValueError, KeyError, TypeError, AttributeError) as error:
            number = number_of(self.path, self.place)
            raise io.InputError(f"{self.path}: line {number} is no transcript: {error!r}") from error


def read_transcripts(path: str, start: int = 0, stop: int | None = None) -> Iterator[TranscriptLine | Transcript]:
    """Yield the transcripts of a file; of JSON lines, those that begin in a range of bytes, to be read later.

    Raises:
        InputError: something in it is no transcript; the message names the line.
    """
    name = path.rpartition("/")[2].lower()
    if name.endswith(".jsonl"):
        return keyed_lines(TranscriptLine, path, start, stop)
    suffix = ".txt" if name == "text" else f".{name.rpartition('.')[2]}"
    return read_naming(path, _READERS[suffix]) if suffix in _READERS else io.read_rows(path, Transcript)


def _read_json(path: str) -> Iterator[TranscriptLine | Transcript]:
    """Yield what Whisper wrote of the recording that the file is named after, or NeMo's lines under this suffix."""
    text = read_text(path)
    try:
        data = json.loads(text)
    except ValueError:
        data = None
    if not isinstance(data, dict) or "audio_filepath" in data:
        yield from keyed_lines(TranscriptLine, path)
        return
    pred_text, segments, words = parse_whisper(data)
    yield _of_file(path, pred_text, segments, words)


def _read_captions(path: str) -> Iterator[Transcript]:
    """Yield the captions (SRT, WebVTT) of the recording that the file is named after."""
    form: Literal["srt", "vtt"] = "srt" if path.lower().endswith(".srt") else "vtt"
    segments = parse_captions(read_text(path), form)
    yield _of_file(path, " ".join(segment.text for segment in segments), segments, [])


def _read_ctm(path: str) -> Iterator[Transcript]:
    for side in parse_ctm(numbered_lines(path)):
        sure = [word.confidence for word in side.words if word.confidence >= 0]
        confidence = sum(sure) / len(sure) if sure else None
        yield Transcript(side.recording, side.channel, side.text, confidence, 0.0, 0, "", 1, [], side.words)


def _read_trn(path: str) -> Iterator[Transcript]:
    for name, text in parse_trn(numbered_lines(path)):
        yield Transcript(name, 0, text, None, 0.0, 0, "", 1, [])


def _read_kaldi(path: str) -> Iterator[Transcript]:
    """Yield the lines ``id text`` of a file in Kaldi's manner."""
    for _, line in numbered_lines(path):
        name, *words = line.split()
        yield Transcript(name, 0, " ".join(words), None, 0.0, 0, "", 1, [])


def _read_table(path: str) -> Iterator[Transcript]:
    """Yield the rows of a CSV or TSV file with the columns ``audio_filepath`` and ``pred_text``."""
    dialect = "excel-tab" if path.lower().endswith(".tsv") else "excel"
    for number, row in enumerate(csv.DictReader(StringIO(read_text(path)), dialect=dialect), start=2):
        numbers = ("channel", "confidence", "duration", "sample_rate", "num_channels", "offset")
        try:
            yield _transcript({name: parse_cell(value) if name in numbers else value for name, value in row.items()})
        except (KeyError, TypeError) as error:
            raise ValueError(f"row {number} is no transcript: {error!r}") from error


_READERS: dict[str, Callable[[str], Iterator[TranscriptLine | Transcript]]] = {
    ".json": _read_json,
    ".ctm": _read_ctm,
    ".trn": _read_trn,
    ".vtt": _read_captions,
    ".srt": _read_captions,
    ".csv": _read_table,
    ".tsv": _read_table,
    ".txt": _read_kaldi,
}
_KNOWN = frozenset(
    [
        *("audio_filepath", "channel", "pred_text", "confidence", "duration", "sample_rate", "codec", "num_channels"),
        *("segments", "words", "text", "speaker", "extra", "offset"),
    ]
)


def _of_file(path: str, text: str, segments: list[Segment], words: list[Word]) -> Transcript:
    return Transcript(path.rpartition(".")[0], 0, text, None, 0.0, 0, "", 1, segments, words)


def _transcript(row: dict[str, Any]) -> Transcript:
    get, path, pred_text = row.get, row["audio_filepath"], row["pred_text"]
    if not isinstance(pred_text, str):
        raise TypeError(f"pred_text is {json.dumps(pred_text)}, wanted a string")
    if not isinstance(path, str):
        raise TypeError(f"audio_filepath is {json.dumps(path)}, wanted a path or URL")
    if not (path.isascii() and pred_text.isascii()):
        f"{path} {pred_text}".encode()  # half a surrogate pair could not be written
    if not 0 <= (duration := get("duration") or 0.0) < math.inf:
        raise ValueError(f"duration is {duration}, wanted seconds")
    extra = {} if row.keys() <= _KNOWN else {name: value for name, value in row.items() if name not in _KNOWN}
    if more := get("extra"):
        extra |= more
    return Transcript(
        path,
        get("channel") or 0,
        pred_text,
        get("confidence"),
        duration,
        get("sample_rate") or 0,
        get("codec") or "",
        get("num_channels") or 1,
        [Segment(**segment) for segment in segments] if (segments := get("segments")) else [],
        [Word(**word) for word in words] if (words := get("words")) else [],
        get("text"),
        get("speaker"),
        extra,
        get("offset"),
    )
