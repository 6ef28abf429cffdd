"""Rows of a corpus → work units, balanced by duration, or by bytes where no durations are known."""

from __future__ import annotations

import dataclasses
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


def plan_units(
    rows: Iterable[tuple[Utterance | Failure, int]], unit_seconds: float, folder_of: Callable[[Utterance], str]
) -> Iterator[Unit]:
    """Cut rows, in their order and per folder, into units of about ``unit_seconds`` each."""
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
            unit.seconds += row.duration or num_bytes / BYTES_PER_SECOND or UNKNOWN_SECONDS
        if unit.seconds >= unit_seconds or unit.num_rows >= MAX_ROWS:
            yield _planned(number, folder, pending.pop(folder))
            number += 1
    for folder, unit in sorted(pending.items()):
        yield _planned(number, folder, unit)
        number += 1


def _planned(number: int, folder: str, unit: _Pending) -> Unit:
    Metrics.counter("beamscribe", "recordings_planned").inc(unit.num_rows)
    return Unit(number, folder, tuple(unit.utterances), tuple(unit.failures))


def read_texts(unit: Unit) -> Unit:
    """Return the unit with the texts that lie in files of their own: read here, where there are many workers."""
    rows = [read_text(utterance) for utterance in unit.utterances]
    utterances = tuple(row for row in rows if isinstance(row, Utterance))
    failures = tuple(row for row in rows if isinstance(row, Failure))
    return dataclasses.replace(unit, utterances=utterances, failures=(*unit.failures, *failures))
