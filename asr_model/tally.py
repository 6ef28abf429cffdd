"""All figures of an evaluation, as counts that add: of rows, of parts of a corpus, of a whole corpus."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from asr_model.intervals import Calls, add_calls
from asr_model.records import Failure
from asr_model.scoring import Score, edits

__all__ = ["CASE", "CASES", "FIGURES", "HISTOGRAM_BINS", "TOTAL", "Group", "Tally", "top"]

FIGURES = (
    "num_rows",
    "num_files",
    "num_wrong",
    "hits",
    "substitutions",
    "deletions",
    "insertions",
    "num_characters",
    "character_errors",
    "raw_words",
    "raw_errors",
    "milliseconds",
)
"""What is counted of a group; ``num_wrong`` are rows with an error."""
TOTAL = ("", "")
CASE = "case"
CASES = ("both sides", "empty reference", "empty hypothesis", "both empty", "missing hypothesis", "no reference")
"""The values of the group ``case``; rows without reference are counted and not scored."""
MAX_WORDS = 50_000
"""Distinct words or pairs that a counter keeps, the most frequent of them."""
HISTOGRAM_BINS = 20
"""Between 0 and 100 %; one more for no error at all and one for above."""


@dataclass(frozen=True)
class Group:
    """The figures of the rows that have something in common, and the errors and words of its calls."""

    figures: NDArray[np.int64] = field(default_factory=lambda: np.zeros(len(FIGURES), np.int64))
    calls: Calls = field(default_factory=lambda: np.empty((0, 3), np.int64))

    def __add__(self, other: Group) -> Group:
        return Group(self.figures + other.figures, add_calls(self.calls, other.calls))


@dataclass
class Tally:
    """Counts of an evaluation; ``groups`` by name and value, the total under empty names."""

    groups: dict[tuple[str, str], Group] = field(default_factory=dict)
    confusions: Counter[tuple[str, str]] = field(default_factory=Counter)
    deleted: Counter[str] = field(default_factory=Counter)
    inserted: Counter[str] = field(default_factory=Counter)
    histogram: Counter[int] = field(default_factory=Counter)
    failures: Counter[str] = field(default_factory=Counter)

    @classmethod
    def of(cls, scores: Sequence[Score], names: Sequence[str]) -> Tally:
        """Return the counts of whole calls: of rows among which are all of every recording that they name.

        ``names`` are the groups, as the rows' ``groups`` give them.
        """
        tally = cls()
        tally._count_words(scores)
        if scores:
            columns = {CASE: [_case(row) for row in scores]}
            columns |= {name: [row.groups[name] for row in scores] for name in names}
            tally.groups = _group(scores, {"": [""] * len(scores), **columns})
        return tally

    def add(self, other: Tally) -> None:
        """Add another part's counts; of a great many words the most frequent are kept."""
        for key, group in other.groups.items():
            self.groups[key] = self.groups[key] + group if key in self.groups else group
        self.histogram.update(other.histogram)
        self.failures.update(other.failures)
        for name in ("confusions", "deleted", "inserted"):
            counter = getattr(self, name)
            counter.update(getattr(other, name))
            if len(counter) > 2 * MAX_WORDS:
                setattr(self, name, Counter(dict(top(counter, MAX_WORDS))))

    @property
    def num_rows(self) -> int:
        """Rows that were scored, lost transcripts among them."""
        return int(self.groups[TOTAL].figures[0]) if TOTAL in self.groups else 0

    def count_failures(self, failures: Iterable[Failure]) -> None:
        """Count failures by reason; a transcript that no reference asks for is a row of the case ``no reference``."""
        self.failures.update(failure.reason for failure in failures)
        if number := self.failures["no-reference"]:
            figures = np.zeros(len(FIGURES), np.int64)
            figures[FIGURES.index("num_rows")] = number
            self.groups[CASE, "no reference"] = Group(figures)

    def _count_words(self, scores: Iterable[Score]) -> None:
        for row in scores:
            if row.wer is not None:
                self.histogram[min(math.ceil(row.wer * HISTOGRAM_BINS - 1e-4), HISTOGRAM_BINS + 1)] += 1
            if not row.num_errors:
                continue
            reference, hypothesis = row.text.split(), row.pred_text.split()
            for kind, left, right in edits(reference, hypothesis):
                if kind == "replace":
                    self.confusions[reference[left], hypothesis[right]] += 1
                elif kind == "delete":
                    self.deleted[reference[left]] += 1
                else:
                    self.inserted[hypothesis[right]] += 1


def top(counter: Counter[Any], number: int) -> list[tuple[Any, int]]:
    """Return the most frequent, by name where they are as frequent: the order of counting decides nothing."""
    return sorted(counter.items(), key=lambda item: (-item[1], item[0]))[:number]


def _case(row: Score) -> str:
    if row.status == "missing":
        return "missing hypothesis"
    if not row.text:
        return "empty reference" if row.pred_text else "both empty"
    return "both sides" if row.pred_text else "empty hypothesis"


def _group(scores: Sequence[Score], columns: dict[str, list[str]]) -> dict[tuple[str, str], Group]:
    """Return the sums of ``scores`` for every value of every column."""
    figures = np.array([_figures(row) for row in scores], np.int64)
    files, num_files = _codes([row.audio_filepath for row in scores])
    errors = figures[:, 4:7].sum(axis=1)
    words = figures[:, 3:6].sum(axis=1)
    groups: dict[tuple[str, str], Group] = {}
    for name, values in columns.items():
        index = dict.fromkeys(values)
        codes, num_values = _codes(values)
        sums = np.zeros((num_values, len(FIGURES)), np.int64)
        np.add.at(sums, codes, figures)
        calls, inverse = np.unique(codes * num_files + files, return_inverse=True)
        of_call = [np.bincount(inverse, counts, len(calls)).astype(np.int64) for counts in (errors, words)]
        owner = calls // num_files
        sums[:, FIGURES.index("num_files")] = np.bincount(owner, minlength=num_values)
        starts = np.searchsorted(owner, np.arange(num_values + 1))
        for code, value in enumerate(index):
            part = slice(starts[code], starts[code + 1])
            entries = np.column_stack([of_call[0][part], of_call[1][part], np.ones(starts[code + 1] - starts[code])])
            groups[name, value] = Group(sums[code], add_calls(entries.astype(np.int64)))
    return groups


def _figures(row: Score) -> tuple[int, ...]:
    return (
        1,
        0,
        row.num_errors > 0,
        row.hits,
        row.substitutions,
        row.deletions,
        row.insertions,
        row.num_characters,
        row.character_errors,
        row.raw_words,
        row.raw_errors,
        round(1000 * (row.duration or 0.0)),
    )


def _codes(values: Sequence[str]) -> tuple[NDArray[np.int64], int]:
    """Return the number of each value, in the order of first appearance, and how many there are."""
    index: dict[str, int] = {}
    codes = [index.setdefault(value, len(index)) for value in values]
    return np.array(codes, np.int64), len(index)
