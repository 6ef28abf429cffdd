"""Word and character errors: counts that add, rates computed last, alignments."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import jiwer
from pydantic import Field

from asr_model.config import Settings
from asr_model.records import Transcript, Utterance
from asr_model.text import normalize_text

__all__ = [
    "AlignedWord",
    "ErrorCounts",
    "EvaluateSettings",
    "Score",
    "align_words",
    "character_errors",
    "score",
    "word_errors",
]


class EvaluateSettings(Settings):
    """The settings of `evaluate`."""

    normalization: Literal["none", "basic"] = "basic"
    """``basic``: case, punctuation and spacing do not count; ``none``: they do."""
    max_failure_rate: float = Field(default=1.0, ge=0, le=1)
    """The job fails when a greater part of the references has no transcript or cannot be matched."""


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
        """Errors per unit of the reference, as a fraction (above 1 with many insertions); None without reference."""
        return self.num_errors / self.num_reference if self.num_reference else None

    @property
    def match_error_rate(self) -> float | None:
        """Errors per aligned pair, at most 1 (MER; Morris, Maier and Green, 2004); None where both sides are empty."""
        pairs = self.hits + self.num_errors
        return self.num_errors / pairs if pairs else None

    @property
    def information_preserved(self) -> float | None:
        """Hits per reference unit times hits per hypothesis unit (WIP, the same paper); None where a side is empty."""
        num_hypothesis = self.hits + self.substitutions + self.insertions
        if not self.num_reference or not num_hypothesis:
            return None
        return self.hits / self.num_reference * self.hits / num_hypothesis


@dataclass(frozen=True)
class Score:
    """One reference and its transcript: a row of ``per_file``.

    ``status`` is ``scored``, or ``missing`` where there is no transcript: then all reference words are deletions, so
    that a lost recording never makes a figure better. Rates are fractions, None where the reference is empty.
    """

    audio_filepath: str
    channel: int | None
    status: str
    wer: float | None
    cer: float | None
    num_words: int
    hits: int
    substitutions: int
    deletions: int
    insertions: int
    num_characters: int
    character_errors: int
    duration: float | None
    confidence: float | None
    speaker: str | None
    text: str
    pred_text: str
    offset: float | None = None

    @property
    def words(self) -> ErrorCounts:
        """The word counts, to be added to others."""
        return ErrorCounts(self.hits, self.substitutions, self.deletions, self.insertions)


@dataclass(frozen=True)
class AlignedWord:
    """A step of an alignment: ``kind`` is hit, substitution, deletion or insertion; a side may be empty."""

    kind: Literal["hit", "substitution", "deletion", "insertion"]
    reference: str
    hypothesis: str


def word_errors(references: Sequence[str], hypotheses: Sequence[str]) -> ErrorCounts:
    """Return the word errors of ``hypotheses``, each aligned to its reference with the fewest errors."""
    result = jiwer.process_words(list(references), list(hypotheses))
    return ErrorCounts(result.hits, result.substitutions, result.deletions, result.insertions)


def character_errors(references: Sequence[str], hypotheses: Sequence[str]) -> ErrorCounts:
    """Return the character errors, spaces included, of ``hypotheses``."""
    result = jiwer.process_characters(list(references), list(hypotheses))
    return ErrorCounts(result.hits, result.substitutions, result.deletions, result.insertions)


def score(reference: Utterance, transcript: Transcript | None, settings: EvaluateSettings) -> Score:
    """Return the score of a transcript (None: there is none) against its reference.

    ``text`` and ``pred_text`` of the score are normalized as the settings say, as they were compared.
    """
    text = _normalized(reference.text or "", settings)
    pred_text = _normalized(transcript.pred_text, settings) if transcript else ""
    words = word_errors([text], [pred_text])
    characters = character_errors([text], [pred_text])
    return Score(
        audio_filepath=reference.audio_filepath,
        channel=transcript.channel if transcript else reference.channel_number,
        status="scored" if transcript else "missing",
        wer=_rounded(words.rate),
        cer=_rounded(characters.rate),
        num_words=words.num_reference,
        hits=words.hits,
        substitutions=words.substitutions,
        deletions=words.deletions,
        insertions=words.insertions,
        num_characters=characters.num_reference,
        character_errors=characters.num_errors,
        duration=transcript.duration if transcript else reference.duration,
        confidence=transcript.confidence if transcript else None,
        speaker=reference.speaker,
        text=text,
        pred_text=pred_text,
        offset=reference.offset,
    )


def align_words(text: str, pred_text: str) -> list[AlignedWord]:
    """Return the alignment of two normalized texts with the fewest word errors.

    >>> [(w.kind, w.reference, w.hypothesis) for w in align_words("a b", "a c d")]
    [('hit', 'a', 'a'), ('insertion', '', 'c'), ('substitution', 'b', 'd')]
    """
    result = jiwer.process_words([text], [pred_text])
    reference, hypothesis = result.references[0], result.hypotheses[0]
    aligned: list[AlignedWord] = []
    for chunk in result.alignments[0]:
        left = reference[chunk.ref_start_idx : chunk.ref_end_idx]
        right = hypothesis[chunk.hyp_start_idx : chunk.hyp_end_idx]
        if chunk.type == "equal":
            aligned += [AlignedWord("hit", a, b) for a, b in zip(left, right, strict=True)]
        elif chunk.type == "substitute":
            aligned += [AlignedWord("substitution", a, b) for a, b in zip(left, right, strict=True)]
        elif chunk.type == "delete":
            aligned += [AlignedWord("deletion", word, "") for word in left]
        else:
            aligned += [AlignedWord("insertion", "", word) for word in right]
    return aligned


def _normalized(text: str, settings: EvaluateSettings) -> str:
    return normalize_text(text) if settings.normalization == "basic" else " ".join(text.split())


def _rounded(rate: float | None) -> float | None:
    return None if rate is None else round(rate, 6)
