"""Rows of a corpus → work units, balanced by duration, or by bytes where no durations are known."""

from __future__ import annotations

import dataclasses
import itertools
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass

from apache_beam.metrics import Metrics

from asr_model.records import Failure, Utterance
from pipelines.reading import read_text

__all__ = ["Unit", "plan_units", "read_texts"]

BYTES_PER_SECOND = 24_000
"""What a second of audio is taken for where only a file's size is known; it balances units and decides nothing else."""
UNKNOWN_SECONDS = 60.0
"""What a recording is taken for where not even that is known, so that no unit grows without bound."""
MAX_ROWS = 10_000
"""A unit's most rows, however short their audio is or however many of them are bad, so that it stays small."""
FEWEST_UNITS = 16
"""A corpus that would make fewer units is cut into smaller ones, so that there is work for several workers."""
LEAST_SECONDS = 120.0
"""But into none smaller than this."""

Row = tuple[Utterance | Failure, int]
"""What is planned: a row of the corpus, and the bytes of its file where they are known."""


@dataclass(frozen=True)
class Unit:
    """Some utterances that one worker does in one go, and the manifest lines among them that cannot be used."""

    number: int
    folder: str
    utterances: tuple[Utterance, ...]
    failures: tuple[Failure, ...]


@dataclass
class _Pending:
    """A unit that is being filled."""

    utterances: list[Utterance]
    failures: list[Failure]
    seconds: float = 0.0

    @property
    def num_rows(self) -> int:
        return len(self.utterances) + len(self.failures)


def plan_units(rows: Iterable[Row], unit_seconds: float, folder_of: Callable[[Utterance], str]) -> Iterator[Unit]:
    """Cut rows, in their order and per folder, into units of about ``unit_seconds`` each, smaller for a small corpus.

    Their size follows from the corpus alone, never from the workers: the same corpus makes the same files.
    """
    unit_seconds, rows = _size_of_units(rows, unit_seconds)
    number = 0
    pending: dict[str, _Pending] = {}
    for row, num_bytes in rows:
        if isinstance(row, Utterance):
            try:
                folder = folder_of(row)
            except ValueError as error:
                row = Failure.of(row, "bad-manifest-line", str(error))
        if isinstance(row, Failure):
            folder = next(iter(pending), "")
        unit = pending.setdefault(folder, _Pending([], []))
        if isinstance(row, Failure):
            unit.failures.append(row)
        else:
            unit.utterances.append(row)
            unit.seconds += _seconds(row, num_bytes)
        if unit.seconds >= unit_seconds or unit.num_rows >= MAX_ROWS:
            yield _planned(number, folder, pending.pop(folder))
            number += 1
    for folder, unit in sorted(pending.items()):
        yield _planned(number, folder, unit)
        number += 1


def _size_of_units(rows: Iterable[Row], seconds: float) -> tuple[float, Iterable[Row]]:
    """Return the seconds of a unit, halved until a small corpus makes enough of them, and the rows once more."""
    rows = iter(rows)
    first: list[Row] = []
    found = 0.0
    for row, num_bytes in rows:
        first.append((row, num_bytes))
        found += _seconds(row, num_bytes) if isinstance(row, Utterance) else 0.0
        if found >= FEWEST_UNITS * seconds or len(first) >= FEWEST_UNITS * MAX_ROWS:
            return seconds, itertools.chain(first, rows)
    while found < FEWEST_UNITS * seconds and seconds / 2 >= LEAST_SECONDS:
        seconds /= 2  # no size in between: a few recordings more must not move the bounds of all units
    return seconds, first


def _seconds(row: Utterance, num_bytes: int) -> float:
    return row.duration or num_bytes / BYTES_PER_SECOND or UNKNOWN_SECONDS


def _planned(number: int, folder: str, unit: _Pending) -> Unit:
    Metrics.counter("beamscribe", "recordings_planned").inc(unit.num_rows)
    return Unit(number, folder, tuple(unit.utterances), tuple(unit.failures))


def read_texts(unit: Unit) -> Unit:
    """Return the unit with the texts that lie in files of their own: read here, where there are many workers."""
    rows = [read_text(utterance) for utterance in unit.utterances]
    utterances = tuple(row for row in rows if isinstance(row, Utterance))
    failures = tuple(row for row in rows if isinstance(row, Failure))
    return dataclasses.replace(unit, utterances=utterances, failures=(*unit.failures, *failures))
