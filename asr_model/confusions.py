"""Which words are taken for which, which are left out, and which are invented: counts that add."""

from __future__ import annotations

import heapq
from collections import Counter
from dataclasses import dataclass, field, fields
from typing import Any

from asr_model.edits import Alignment

__all__ = ["Confusions"]

MAX_WORDS = 50_000
"""Distinct words or pairs that a counter keeps at most, the most frequent of them, when it has ten times as many."""
MAX_FREQUENT = 100
"""Confused, deleted and inserted words that are listed of each."""


@dataclass
class Confusions:
    """``pairs`` are what was said and what was recognized in its place."""

    pairs: Counter[tuple[str, str]] = field(default_factory=Counter)
    deleted: Counter[str] = field(default_factory=Counter)
    inserted: Counter[str] = field(default_factory=Counter)

    def count(self, alignment: Alignment) -> None:
        """Count the errors of one reference and its transcript."""
        said, heard, edits = alignment
        pairs, deleted, inserted = self.pairs, self.deleted, self.inserted
        for kind, left, right in edits:  # by ``get``: a Counter is slow to say that a word is new
            if kind == "replace":
                pair = said[left], heard[right]
                pairs[pair] = pairs.get(pair, 0) + 1
            elif kind == "delete":
                deleted[said[left]] = deleted.get(said[left], 0) + 1
            else:
                inserted[heard[right]] = inserted.get(heard[right], 0) + 1

    def add(self, other: Confusions) -> None:
        """Add another part's counts; of a great many words the most frequent are kept."""
        for name in (f.name for f in fields(self)):
            counter = getattr(self, name)
            counter.update(getattr(other, name))
            if len(counter) > 10 * MAX_WORDS:
                least = sorted(counter.values(), reverse=True)[MAX_WORDS]
                setattr(self, name, Counter({words: number for words, number in counter.items() if number > least}))

    def figures(self) -> dict[str, Any]:
        """Return the most frequent of each for a summary, with their numbers."""
        return {
            "confusions": [[*pair, number] for pair, number in _top(self.pairs)],
            "deleted_words": [[word, number] for word, number in _top(self.deleted)],
            "inserted_words": [[word, number] for word, number in _top(self.inserted)],
        }


def _top(counter: Counter[Any]) -> list[tuple[Any, int]]:
    """Return the most frequent, by name where they are as frequent: the order of counting decides nothing."""
    return heapq.nsmallest(MAX_FREQUENT, counter.items(), key=lambda item: (-item[1], item[0]))
