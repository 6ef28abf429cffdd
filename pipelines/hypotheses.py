"""Transcripts of ours and of other systems. A further format is one function here and a line in `_READERS`."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import pipelines.io as io
from asr_model.records import Segment, Transcript, Word
from pipelines.lines import lines_between, number_of

__all__ = ["list_transcripts", "read_transcripts", "transcribed_with"]


def list_transcripts(source: str) -> list[tuple[str, int]]:
    """Return the files of transcripts and their bytes: of a folder that `transcribe` finished, or the one file named.

    Raises:
        InputError: there is nothing of that name, or the folder is not finished.
    """
    if source.endswith(".jsonl"):
        files = [source]
    else:
        files = [io.join(source, file) for file in io.read_success(source, "transcribe")["files"]]
    for path in files:
        if not io.exists(path):
            raise io.InputError(f"{path}: no such transcripts")
    return [(path, io.size_and_time(path)[0]) for path in files]


def transcribed_with(source: str) -> dict[str, Any]:
    """Return what the transcripts are known to be made with, the recognizer's digest and the settings; else nothing."""
    run = io.join(source, io.RUN_FILE)
    claim = io.read_json(run) if io.exists(run) else {}
    return {name: claim[name] for name in ("recognizer", "settings") if name in claim}


def read_transcripts(path: str, start: int = 0, stop: int | None = None) -> Iterator[Transcript]:
    """Yield the transcripts of a file, or of its lines that begin in a range of bytes.

    Raises:
        InputError: something in it is no transcript; the message names the line.
    """
    if path.endswith(".jsonl"):
        return _read_json_lines(path, start, stop)
    return io.read_rows(path, Transcript)


def _read_json_lines(path: str, start: int, stop: int | None) -> Iterator[Transcript]:
    """Yield the rows of JSON lines in the NeMo manner: ``audio_filepath``, ``pred_text``, and what else is known."""
    for place, line in lines_between(path, start, stop):
        try:
            yield _transcript(json.loads(line))
        except (ValueError, KeyError, TypeError, AttributeError) as error:
            raise io.InputError(f"{path}: line {number_of(path, place)} is no transcript: {error!r}") from error


_KNOWN = frozenset(
    [
        "audio_filepath",
        "channel",
        "pred_text",
        "confidence",
        "duration",
        "sample_rate",
        "codec",
        "num_channels",
        "segments",
        "words",
        "text",
        "speaker",
        "extra",
        "offset",
    ]
)


def _transcript(row: dict[str, Any]) -> Transcript:
    if not isinstance(row["pred_text"], str):
        raise TypeError(f"pred_text is {json.dumps(row['pred_text'])}, wanted a string")
    get = row.get
    return Transcript(
        row["audio_filepath"],
        get("channel") or 0,
        row["pred_text"],
        get("confidence"),
        get("duration") or 0.0,
        get("sample_rate") or 0,
        get("codec") or "",
        get("num_channels") or 1,
        [Segment(**segment) for segment in get("segments") or ()],
        [Word(**word) for word in get("words") or ()],
        get("text"),
        get("speaker"),
        {name: row[name] for name in row.keys() - _KNOWN} | (get("extra") or {}),
        get("offset"),
    )
