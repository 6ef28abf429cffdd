"""Word and character errors: counts that add, rates computed last."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import jiwer

__all__ = ["ErrorCounts", "character_errors", "word_errors"]


@dataclass(frozen=True)
class ErrorCounts:
    """Hits, substitutions, deletions and insertions of an alignment; adding two gives those of both texts."""

    hits: int = 0
    substitutions: int = 0
    deletions: int = 0
    insertions: int = 0

    def __add__(self, other: ErrorCounts) -> ErrorCounts:
        return ErrorCounts(
            self.hits + other.hits,
            self.substitutions + other.substitutions,
            self.deletions + other.deletions,
            self.insertions + other.insertions,
        )

    @property
    def num_reference(self) -> int:
        """Units in the reference."""
        return self.hits + self.substitutions + self.deletions

    @property
    def num_errors(self) -> int:
        """Substitutions, deletions and insertions together."""
        return self.substitutions + self.deletions + self.insertions

    @property
    def rate(self) -> float | None:
        """Errors per unit of the reference, as a fraction; None where the reference is empty."""
        return self.num_errors / self.num_reference if self.num_reference else None


def word_errors(references: Sequence[str], hypotheses: Sequence[str]) -> ErrorCounts:
    """Return the word errors of ``hypotheses``, each aligned to its reference with the fewest errors."""
    result = jiwer.process_words(list(references), list(hypotheses))
    return ErrorCounts(result.hits, result.substitutions, result.deletions, result.insertions)


def character_errors(references: Sequence[str], hypotheses: Sequence[str]) -> ErrorCounts:
    """Return the character errors, spaces included, of ``hypotheses``."""
    result = jiwer.process_characters(list(references), list(hypotheses))
    return ErrorCounts(result.hits, result.substitutions, result.deletions, result.insertions)
