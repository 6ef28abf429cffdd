"""All figures of an evaluation, as counts that add: of rows, of parts of a corpus, of a whole corpus."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from asr_model.intervals import Calls, add_calls, as_calls
from asr_model.records import Failure

__all__ = ["CASE", "CASES", "FIGURES", "HISTOGRAM_BINS", "TOTAL", "Group", "Tally"]

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
ERRORS = ("substitutions", "deletions", "insertions")
TOTAL = ("", "")
CASE = "case"
CASES = ("both sides", "empty reference", "empty hypothesis", "both empty", "missing hypothesis", "no reference")
"""The values of the group ``case``; rows without reference are counted and not scored."""
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
    histogram: Counter[int] = field(default_factory=Counter)
    failures: Counter[str] = field(default_factory=Counter)

    @classmethod
    def of(cls, scores: pa.Table, names: Sequence[str]) -> Tally:
        """Return the counts of whole calls: of rows among which are all of every recording that they name.

        ``scores`` is a table of `Score`; ``names`` are the groups to count by, of those that its rows give.
        """
        rates = scores["wer"].drop_null().to_numpy()
        bins = np.minimum(np.ceil(rates * HISTOGRAM_BINS - 1e-4), HISTOGRAM_BINS + 1).astype(np.int64)
        return cls(_group(scores, names) if scores.num_rows else {}, Counter(bins.tolist()))

    def add(self, other: Tally) -> None:
        """Add another part's counts."""
        for key, group in other.groups.items():
            self.groups[key] = self.groups[key] + group if key in self.groups else group
        self.histogram.update(other.histogram)
        self.failures.update(other.failures)

    @property
    def num_rows(self) -> int:
        """Rows that were scored, lost transcripts among them."""
        return self._total("num_rows")

    @property
    def milliseconds(self) -> int:
        """Audio of all rows."""
        return self._total("milliseconds")

    def count_failures(self, failures: Iterable[Failure]) -> None:
        """Count failures by reason; a transcript that no reference asks for is a row of the case ``no reference``."""
        self.failures.update(failure.reason for failure in failures)
        if number := self.failures["no-reference"]:
            figures = np.zeros(len(FIGURES), np.int64)
            figures[FIGURES.index("num_rows")] = number
            self.groups[CASE, "no reference"] = Group(figures)

    def _total(self, name: str) -> int:
        return int(self.groups[TOTAL].figures[FIGURES.index(name)]) if TOTAL in self.groups else 0


def _group(scores: pa.Table, names: Sequence[str]) -> dict[tuple[str, str], Group]:
    """Return the sums of ``scores`` in total, and for every value of ``case`` and of the groups ``names``."""
    figures = _figures(scores)
    errors, words = sum(figures[4:7]), sum(figures[3:6])
    paths = scores["audio_filepath"].combine_chunks().dictionary_encode()
    files, num_files = paths.indices.to_numpy().astype(np.int64), len(paths.dictionary)
    groups: dict[tuple[str, str], Group] = {}
    for name, (codes, values) in _columns(scores, names).items():
        sums = np.column_stack([np.bincount(codes, column, len(values)).astype(np.int64) for column in figures])
        calls, inverse = np.unique(codes * num_files + files, return_inverse=True)
        of_call = [np.bincount(inverse, counts, len(calls)).astype(np.int64) for counts in (errors, words)]
        owner = calls // num_files
        sums[:, FIGURES.index("num_files")] = np.bincount(owner, minlength=len(values))
        starts = np.searchsorted(owner, np.arange(len(values) + 1))
        for code, value in enumerate(values):
            if sums[code, FIGURES.index("num_rows")]:
                part = slice(starts[code], starts[code + 1])
                groups[name, value] = Group(sums[code], as_calls(of_call[0][part], of_call[1][part]))
    return groups


def _figures(scores: pa.Table) -> NDArray[np.float64]:
    """Return (F, N), the figures of every row in the order of `FIGURES`; as floats, of which bincount makes no copy."""
    counts = {name: scores[name].to_numpy() for name in FIGURES if name in scores.column_names}
    ones = np.ones(scores.num_rows, np.int64)
    counts |= {"num_rows": ones, "num_files": ones, "num_wrong": (sum(counts[name] for name in ERRORS) > 0).astype(int)}
    counts["milliseconds"] = np.rint(1000 * scores["duration"].fill_null(0.0).to_numpy()).astype(np.int64)
    return np.array([counts[name] for name in FIGURES], np.float64)


def _columns(scores: pa.Table, names: Sequence[str]) -> dict[str, tuple[NDArray[np.int64], Sequence[str]]]:
    """Return, for the total, the cases and the groups, the number of every row's value, and the values."""
    is_missing = pc.not_equal(scores["status"], "scored").to_numpy()
    has_text, has_pred_text = (pc.not_equal(scores[name], "").to_numpy() for name in ("text", "pred_text"))
    cases = np.select([is_missing, has_text & has_pred_text, has_pred_text, has_text], [4, 0, 1, 2], 3)
    columns: dict[str, tuple[NDArray[np.int64], Sequence[str]]] = {"": (np.zeros_like(cases), [""])}
    columns[CASE] = cases, CASES
    encoded = scores["groups"].combine_chunks().dictionary_encode()
    distinct = [json.loads(text) for text in encoded.dictionary.to_pylist()]
    for name in names:
        numbers: dict[str, int] = {}
        codes = np.array([numbers.setdefault(groups[name], len(numbers)) for groups in distinct], np.int64)
        columns[name] = codes[encoded.indices.to_numpy()], list(numbers)
    return columns
