"""Lhotse's manifests of recordings and supervisions → utterances. Only read: lhotse itself is not needed."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple

import pipelines.io as io
from asr_model.records import Failure, Utterance
from pipelines.listing import is_pattern, list_folders, matches
from pipelines.rows import Rows, checked, parse_json, parse_row, read_byte_lines

__all__ = ["is_lhotse", "read_lhotse"]

RECORDINGS, SUPERVISIONS = "recordings", "supervisions"
SUFFIXES = (".jsonl", ".jsonl.gz")
SAME_SECONDS = 0.01
"""A supervision that begins at 0 and lasts as long as its recording, within this, is of the whole recording."""


class Recording(NamedTuple):
    """A recording's files, each with the channels in it as lhotse counts them, and its seconds."""

    files: tuple[tuple[str, tuple[int, ...]], ...]
    duration: float | None


def is_lhotse(path: str) -> bool:
    """Return whether a file is called as lhotse calls its manifests, as ``ami_recordings_dev.jsonl.gz``."""
    name = path.rpartition("/")[2]
    return name.endswith(SUFFIXES) and (RECORDINGS in name or SUPERVISIONS in name)


def read_lhotse(source: str) -> Rows:
    """Yield what the supervisions name, or all recordings where there are none.

    ``source`` is one of the two manifests (the other is called alike), or a folder or pattern of them. Paths are seen
    from the manifest's folder. Of recordings, only those of files as they are can be read, no commands and transforms.

    Raises:
        InputError: there are no such manifests, or no recordings for the supervisions.
    """
    pairs = sorted({_pair(path) for path in _manifests(source)})
    if not pairs:
        raise io.InputError(f"{source}: no manifests of lhotse (*{RECORDINGS}*.jsonl.gz, *{SUPERVISIONS}*.jsonl.gz)")
    for recordings, supervisions in pairs:
        if not io.exists(recordings):
            raise io.InputError(f"{recordings}: no such manifest, which {supervisions} needs")
        if not io.exists(supervisions):
            yield from _read_lines(recordings, lambda row, path=recordings: _utterances(_recording(row), path))  # type: ignore[misc]
            continue
        known: dict[str, Recording | str] = {}
        for number, line in enumerate(read_byte_lines(recordings), start=1):
            try:
                _note(line, known)
            except (ValueError, KeyError, TypeError) as error:
                yield Failure(f"{recordings}:{number}", None, "bad-manifest-line", f"line {number}: {error!r}"), 0
        yield from _read_lines(
            supervisions,
            lambda row, known=known, path=recordings: [_supervised(row, known, path)],  # type: ignore[misc]
        )


def _manifests(source: str) -> list[str]:
    if is_lhotse(source) and not is_pattern(source):
        return [source]
    wanted = matches(source if is_pattern(source) else io.join(source, "*"))
    return [path for files in list_folders(source) for path, _ in files if wanted.match(path) and is_lhotse(path)]


def _pair(path: str) -> tuple[str, str]:
    folder, slash, name = path.rpartition("/")
    names = (name.replace(SUPERVISIONS, RECORDINGS), name.replace(RECORDINGS, SUPERVISIONS))
    return f"{folder}{slash}{names[0]}", f"{folder}{slash}{names[1]}"


def _read_lines(path: str, read: Callable[[Any], list[Utterance]]) -> Rows:
    for number, line in enumerate(read_byte_lines(path), start=1):
        if not line.strip():
            continue
        found: list[Utterance] = []

        def first(line: bytes = line, found: list[Utterance] = found) -> Utterance:
            found += read(parse_json(line))
            return found[0]

        yield checked(path, number, first)
        yield from ((utterance, 0) for utterance in found[1:])


def _note(line: bytes, known: dict[str, Recording | str]) -> None:
    """Note a recording by its id, or what is wrong with it: that is said of every supervision that needs it."""
    if not line.strip():
        return
    row = parse_json(line)
    try:
        known[row["id"]] = _recording(row)
    except ValueError as error:
        known[row["id"]] = str(error)


def _recording(row: Any) -> Recording:
    try:
        kinds = {source["type"] for source in row["sources"]}
        files = tuple((source["source"], tuple(source["channels"])) for source in row["sources"])
        duration = row.get("duration")
    except (KeyError, TypeError) as error:
        raise ValueError(f"no recording of lhotse's: {error!r}") from error
    if kinds != {"file"}:
        raise ValueError(f"its source is a {', '.join(sorted(kinds - {'file'}))}; only files are read")
    if row.get("transforms"):
        raise ValueError("it has transforms, which are not applied here")
    return Recording(files, duration)


def _utterances(recording: Recording, path: str) -> list[Utterance]:
    """Return an utterance for each file of a recording that nothing is said about."""
    folder = path.rpartition("/")[0]
    rows = ({"audio_filepath": file, "duration": recording.duration} for file, _ in recording.files)
    return [parse_row(row, folder) for row in rows]


def _supervised(row: Any, known: dict[str, Recording | str], path: str) -> Utterance:
    try:
        name, start, duration, channels = (row[key] for key in ("recording_id", "start", "duration", "channel"))
    except (KeyError, TypeError) as error:
        raise ValueError(f"no supervision of lhotse's: {error!r}") from error
    recording = known.get(name, f"it is not in {path}")
    if isinstance(recording, str):
        raise ValueError(f"recording {name}: {recording}")
    file, channel = _place(recording, channels)
    used = ("id", "recording_id", "start", "duration", "channel", "text", "speaker")
    columns = {key: value for key, value in row.items() if key not in used and value is not None}
    columns |= {"utterance": row.get("id"), "text": row.get("text"), "speaker": row.get("speaker")}
    columns |= {"audio_filepath": file, "channel": channel, "duration": duration}
    is_whole = recording.duration is not None and start <= 0 and duration >= recording.duration - SAME_SECONDS
    return parse_row(columns if is_whole else {**columns, "offset": start}, path.rpartition("/")[0])


def _place(recording: Recording, channels: int | list[int]) -> tuple[str, int | str]:
    """Return the file that holds the channels and which of its own channels they are: one, or all as a mix."""
    wanted = (channels,) if isinstance(channels, int) else tuple(channels)
    for file, there in recording.files:
        if len(wanted) == 1 and wanted[0] in there:
            return file, there.index(wanted[0])
        if sorted(wanted) == sorted(there):
            return file, "mix"
    there_all = [channel for _, there in recording.files for channel in there]
    raise ValueError(f"channel is {channels}, wanted one, or all of a file, of {there_all}")
