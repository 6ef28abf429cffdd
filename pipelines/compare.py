"""Evaluations of several systems on the same references → which is better, where, and whether that is chance."""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any, TypeAlias

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

import pipelines.io as io
from asr_model.groups import group_order
from asr_model.records import read_columns
from asr_model.significance import CompareSettings, matched_pairs, paired_bootstrap, segment_differences
from pipelines.audio_links import audio_folders, audio_link
from pipelines.comparison_report import comparison_markdown, render_comparison
from pipelines.scores import write_csv

__all__ = ["compare"]

COLUMNS = ["audio_filepath", "channel", "offset", "duration", "text", "pred_text", "num_words", "groups"]
KEY = COLUMNS[:3]
ERRORS = ["substitutions", "deletions", "insertions"]
SAME = ("normalization", "normalization_versions")
CHUNK_ROWS = 20_000
MAX_INTERVALS = 500
"""Values of a group that differences have an interval in, those with the most words."""
GROUP_SAMPLES = 1000
"""Samples of the bootstrap in a group, at most."""

Numbers: TypeAlias = NDArray[np.int64]


@dataclass(frozen=True)
class System:
    """One evaluation: the rows of ``per_file.parquet`` (some 300 bytes each are held), and its word errors by row."""

    name: str
    folder: str
    summary: dict[str, Any]
    rows: pa.Table
    errors: Numbers


def compare(folders: Sequence[str], output: str, settings: CompareSettings, overwrite: bool) -> dict[str, Any]:
    """Compare the evaluations in ``folders`` with the first of them, write the comparison, and return its summary.

    Rows that not all of them have are counted and left out.

    Raises:
        InputError: there are fewer than two, one is unfinished, or they normalized or referred differently.
    """
    if len(folders) < 2:
        raise io.InputError(f"{len(folders)} evaluation given, wanted two or more to compare")
    names = _names(folders)
    systems = [_load(name, folder) for name, folder in zip(names, folders, strict=True)]
    _check_same(systems)
    kept = _common_rows(systems)
    num_left_out = {s.name: s.rows.num_rows - len(rows) for s, rows in zip(systems, kept, strict=True)}
    systems = [_taken(system, rows) for system, rows in zip(systems, kept, strict=True)]
    _check_references(systems)
    io.claim_folder(output, {"verb": "compare", "inputs": list(folders), "settings": settings.model_dump()}, overwrite)
    words = systems[0].rows["num_words"].to_numpy()
    summary = {
        "verb": "compare",
        "baseline": names[0],
        "settings": settings.model_dump(mode="json"),
        "normalization": systems[0].summary["normalization"],
        "num_rows": systems[0].rows.num_rows,
        "num_words": int(words.sum()),
        "systems": [
            {
                "name": system.name,
                "folder": system.folder,
                "wer": _rate(system.errors.sum(), words.sum()),
                "num_errors": int(system.errors.sum()),
                "num_rows_left_out": num_left_out[system.name],
            }
            for system in systems
        ],
        "differences": [_difference(systems[0], system, words, settings) for system in systems[1:]],
        "groups": _groups(systems, words, settings),
    }
    _write_rows(io.join(output, "per_file.csv"), systems, words)
    io.write_json(io.join(output, "summary.json"), summary)
    io.write_file(io.join(output, "compare.md"), comparison_markdown(summary).encode())
    page = render_comparison(summary, _links(summary["differences"], systems, output))
    io.write_file(io.join(output, "index.html"), page.encode())
    io.write_json(io.join(output, io.SUCCESS_FILE), summary)
    return summary


def _names(folders: Sequence[str]) -> list[str]:
    last = [folder.rstrip("/").rpartition("/")[2] for folder in folders]
    return last if len(set(last)) == len(last) else list(folders)


def _load(name: str, folder: str) -> System:
    summary = io.read_success(folder, "evaluate")
    with io.open_file(io.join(folder, "per_file.parquet")) as file:
        rows = read_columns(file, [*COLUMNS, *ERRORS])
    errors = np.sum([rows[column].to_numpy() for column in ERRORS], axis=0, dtype=np.int64)
    return System(name, folder, summary, rows.drop_columns(ERRORS), np.atleast_1d(errors))


def _check_same(systems: Sequence[System]) -> None:
    first = systems[0].summary
    for system in systems[1:]:
        for name in SAME:
            if (found := system.summary.get(name)) != first.get(name):
                raise io.InputError(f"{system.folder}: {name} is {found}, but {first.get(name)} in {systems[0].folder}")


def _common_rows(systems: Sequence[System]) -> list[Numbers]:
    """Return which rows of each system are those of the first, in its order; the channel of a lost row may be open."""
    keys = [list(zip(*(s.rows[c].to_pylist() for c in KEY), strict=True)) for s in systems]
    found: list[dict[Any, int]] = []
    for of_system in keys:
        index: dict[Any, int] = {key: number for number, key in enumerate(of_system)}
        for number, (path, _, offset) in enumerate(of_system):  # by the recording alone, where it has one row
            recording = (path, offset)
            index[recording] = -1 if recording in index else number
        found.append(index)
    kept: list[list[int]] = []
    for number, (path, channel, offset) in enumerate(keys[0]):
        places = [number]
        for index in found[1:]:
            place = index.get((path, channel, offset), -1)
            if place < 0 and found[0][path, offset] >= 0:
                place = index.get((path, offset), -1)
            places.append(place)
        if min(places) >= 0:
            kept.append(places)
    return list(np.array(kept, np.int64).reshape(-1, len(systems)).T)


def _taken(system: System, rows: Numbers) -> System:
    return dataclasses.replace(system, rows=system.rows.take(pa.array(rows)), errors=system.errors[rows])


def _check_references(systems: Sequence[System]) -> None:
    first = systems[0]
    for system in systems[1:]:
        differing = np.flatnonzero(~np.asarray(pc.equal(first.rows["text"], system.rows["text"])))
        if len(differing):
            name = first.rows["audio_filepath"][int(differing[0])].as_py()
            raise io.InputError(
                f"{system.folder}: {len(differing)} references differ from those of {first.folder}, as that of {name}"
            )


def _difference(first: System, second: System, words: Numbers, settings: CompareSettings) -> dict[str, Any]:
    """Return how much worse (above 0) the second system is, by both tests, and the files that changed most."""
    counts = np.column_stack([first.errors, second.errors, words])
    segments = matched_pairs(list(_segments(first, second)))
    change = second.errors - first.errors
    return {
        "system": second.name,
        "difference": _rate(change.sum(), words.sum()),
        "bootstrap": _bootstrap(_calls(first), counts, settings.bootstrap_samples, settings.seed),
        "mapsswe": segments
        and {
            "num_segments": segments.num_segments,
            "mean": round(segments.mean, 6),
            "z": round(segments.z, 4),
            "p": round(segments.p, 6),
        },
        "num_worse": int((change > 0).sum()),
        "num_better": int((change < 0).sum()),
        "num_equal": int((change == 0).sum()),
        "worse": _most(first, second, -change, settings.max_files),
        "better": _most(first, second, change, settings.max_files),
    }


def _calls(system: System) -> Numbers:
    """Return the number of every row's call."""
    return np.asarray(system.rows["audio_filepath"].combine_chunks().dictionary_encode().indices)


def _bootstrap(calls: Numbers, counts: Numbers, samples: int, seed: int) -> dict[str, Any] | None:
    """Return the interval and p of rows with their calls and (N, 3) errors of both systems and words."""
    _, calls = np.unique(calls, return_inverse=True)
    by_call = np.column_stack([np.bincount(calls, column).astype(np.int64) for column in counts.T])
    found = paired_bootstrap(by_call[:, :2], by_call[:, 2], samples, seed)
    return None if found is None else {"interval": [round(end, 6) for end in found.interval], "p": round(found.p, 6)}


def _segments(first: System, second: System) -> Iterator[int]:
    wrong = np.flatnonzero((first.errors > 0) | (second.errors > 0))
    for start in range(0, len(wrong), CHUNK_ROWS):
        chunk = pa.array(wrong[start : start + CHUNK_ROWS])
        columns = (first.rows["text"], first.rows["pred_text"], second.rows["pred_text"])
        for texts in zip(*(column.take(chunk).to_pylist() for column in columns), strict=True):
            yield from segment_differences(*(text.split() for text in texts))


def _most(first: System, second: System, change: Numbers, number: int) -> list[dict[str, Any]]:
    """Return the rows with the lowest ``change`` below 0."""
    order = np.argsort(change, kind="stable")[:number]
    rows = []
    for place in (int(place) for place in order if change[place] < 0):
        row = first.rows.slice(place, 1).to_pylist()[0]
        rows.append(
            {name: row[name] for name in (*KEY, "duration", "num_words", "text")}
            | {"errors": [int(first.errors[place]), int(second.errors[place])]}
            | {"pred_texts": [row["pred_text"], second.rows["pred_text"][place].as_py()]}
        )
    return rows


def _links(differences: Sequence[dict[str, Any]], systems: Sequence[System], output: str) -> list[str | None]:
    """Return the links to the audio of the rows that changed, in their order."""
    places = [place for s in systems for place in audio_folders(s.summary["reference"], s.summary["transcripts"])]
    places = list(dict.fromkeys(places))
    changed = [row for difference in differences for row in (*difference["worse"], *difference["better"])]
    return [audio_link([row["audio_filepath"]], row["offset"], row["duration"], places, output) for row in changed]


def _groups(systems: Sequence[System], words: Numbers, settings: CompareSettings) -> dict[str, list[dict[str, Any]]]:
    """Return, for every value of the first evaluation's groups, the rates, which is lowest, and the differences."""
    encoded = systems[0].rows["groups"].combine_chunks().dictionary_encode()
    distinct, codes = [json.loads(text) for text in encoded.dictionary.to_pylist()], np.asarray(encoded.indices)
    calls, counts = _calls(systems[0]), np.column_stack([*(system.errors for system in systems), words])
    samples = min(settings.bootstrap_samples, GROUP_SAMPLES)
    groups: dict[str, list[dict[str, Any]]] = {}
    for name in sorted({name for of_rows in distinct for name in of_rows}):
        values = sorted({of_rows[name] for of_rows in distinct}, key=group_order)
        place = {value: number for number, value in enumerate(values)}
        places = np.array([place[of_rows[name]] for of_rows in distinct])[codes]
        order = np.argsort(places, kind="stable")
        rows_of = np.split(order, np.searchsorted(places[order], np.arange(1, len(values))))
        most = set(np.argsort(-np.bincount(places, words), kind="stable")[:MAX_INTERVALS].tolist())
        groups[name] = [
            {"name": value}
            | _group(systems, counts[rows], None if number not in most else calls[rows], samples, settings.seed)
            for number, (value, rows) in enumerate(zip(values, rows_of, strict=True))
        ]
    return groups


def _group(
    systems: Sequence[System], counts: Numbers, calls: Numbers | None, samples: int, seed: int
) -> dict[str, Any]:
    """Return the figures of a group's rows, of which ``counts`` are the errors of each system and the words."""
    *errors, num_words = counts.sum(axis=0).tolist()
    best = [system.name for system, count in zip(systems, errors, strict=True) if count == min(errors)]
    differences = [
        {
            "difference": _rate(errors[number] - errors[0], num_words),
            "bootstrap": None if calls is None else _bootstrap(calls, counts[:, [0, number, -1]], samples, seed),
        }
        for number in range(1, len(systems))
    ]
    return {
        "num_words": num_words,
        "wers": [_rate(count, num_words) for count in errors],
        "best": best[0] if len(best) == 1 else None,
        "differences": differences,
    }


def _write_rows(path: str, systems: Sequence[System], words: Numbers) -> None:
    columns = [systems[0].rows[name] for name in KEY]
    columns += [pa.array(counts) for counts in (words, *(system.errors for system in systems))]
    names = [*KEY, "num_words", *(f"errors {system.name}" for system in systems)]
    write_csv(path, pa.table(columns, names=names), header=True)


def _rate(errors: Any, words: Any) -> float | None:
    return round(int(errors) / int(words), 6) if words else None
