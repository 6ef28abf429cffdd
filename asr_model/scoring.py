"""Word and character errors: counts that add, rates computed last, alignments."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from functools import lru_cache
from typing import NamedTuple, TypeAlias

import jiwer
from pydantic import Field
from rapidfuzz.distance import Levenshtein

from asr_model.alternatives import said_text
from asr_model.config import Settings
from asr_model.edits import Alignment, align
from asr_model.groups import Grouping, grouping
from asr_model.normalization import Normalize, StepName, make_normalize
from asr_model.records import Segment, Transcript, Utterance, Word

__all__ = [
    "ErrorCounts",
    "EvaluateSettings",
    "Score",
    "Scorer",
    "character_errors",
    "normalize_of",
    "score",
    "scorer_of",
    "texts_by_group",
    "without_times",
    "word_errors",
]


class EvaluateSettings(Settings):
    """The settings of `evaluate`."""

    normalization: tuple[StepName, ...] = ("basic",)
    """Steps in their order, the same for references and hypotheses; see `asr_model.normalization`."""
    language: str = "en"
    """Language of ``numbers_to_words``."""
    replacements: dict[str, str] = Field(default_factory=dict)
    """Words or phrases and what they become, for the step ``replacements``."""
    replacements_file: str | None = None
    """A table of more replacements: YAML (a mapping) or CSV (from, to)."""
    groups: tuple[str, ...] = ("channel", "codec", "duration_band")
    """What errors are also counted by: see `asr_model.groups`, or any column of the references or transcripts."""
    keywords: tuple[str, ...] = ()
    """Words or phrases whose recall is measured."""
    bootstrap_samples: int = Field(default=1000, ge=0, le=100_000)
    """Samples that a 95 % confidence interval is made of; 0: no intervals."""
    seed: int = Field(default=0, ge=0)
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


class Score(NamedTuple):
    """One reference and its transcript: a row of ``per_file``. A tuple, of which columns are made in half the time.

    ``status`` is ``scored``, or ``missing`` where there is no transcript: then all reference words are deletions, so
    that a lost recording never makes a figure better. Rates are fractions, None where the reference is empty.
    ``raw_words`` and ``raw_errors`` are counted before normalization; ``groups`` is what the row is counted under.
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
    offset: float | None
    raw_words: int
    raw_errors: int
    groups: dict[str, str]

    @property
    def words(self) -> ErrorCounts:
        """The word counts, to be added to others."""
        return ErrorCounts(self.hits, self.substitutions, self.deletions, self.insertions)

    @property
    def num_errors(self) -> int:
        """Word errors."""
        return self.substitutions + self.deletions + self.insertions


def word_errors(references: Sequence[str], hypotheses: Sequence[str]) -> ErrorCounts:
    """Return the word errors of ``hypotheses``, each aligned to its reference with the fewest errors."""
    return _total(jiwer.process_words(list(references), list(hypotheses))) if references else ErrorCounts()


def character_errors(references: Sequence[str], hypotheses: Sequence[str]) -> ErrorCounts:
    """Return the character errors, spaces included, of ``hypotheses``."""
    return _total(jiwer.process_characters(list(references), list(hypotheses))) if references else ErrorCounts()


def texts_by_group(
    groups: Sequence[str], references: Sequence[str], hypotheses: Sequence[str]
) -> dict[str, tuple[list[str], list[str]]]:
    """Return the references and the hypotheses of each group, by its name; in order."""
    texts: dict[str, tuple[list[str], list[str]]] = {name: ([], []) for name in sorted(set(groups))}
    for name, reference, hypothesis in zip(groups, references, hypotheses, strict=True):
        texts[name][0].append(reference)
        texts[name][1].append(hypothesis)
    return texts


Scorer: TypeAlias = Callable[[Utterance, Transcript | None], tuple[Score, Alignment]]
"""What returns the `score` of a pair, and the alignment that it counts."""


def score(reference: Utterance, transcript: Transcript | None, settings: EvaluateSettings) -> Score:
    """Return the score of a transcript (None: there is none) against its reference.

    ``text`` and ``pred_text`` of the score are normalized as the settings say, as they were compared.
    """
    return scorer_of(settings)(reference, transcript)[0]


def scorer_of(settings: EvaluateSettings) -> Scorer:
    """Return what scores pairs as the settings say."""
    normalize, groups_of = normalize_of(settings), grouping(settings.groups)
    return lambda reference, transcript: _score(reference, transcript, normalize, groups_of)


def _score(
    reference: Utterance, transcript: Transcript | None, normalize: Normalize, groups_of: Grouping
) -> tuple[Score, Alignment]:
    extra = reference.extra
    if transcript and extra and (ignored := extra.get("ignored_times")):
        transcript = without_times(transcript, ignored)
    raw_text, raw_pred_text = reference.text or "", transcript.pred_text if transcript else ""
    if extra and (alternatives := extra.get("text_alternatives")):
        raw_text = said_text(alternatives, raw_pred_text, normalize)
    text, pred_text = normalize(raw_text), normalize(raw_pred_text)
    said, _, edits = alignment = align(text, pred_text)
    num_words, num_errors = len(said), len(edits)
    distance = substitutions = deletions = 0
    if edits:
        distance = Levenshtein.distance(text, pred_text)
        kinds = [kind for kind, _, _ in edits]
        substitutions, deletions = kinds.count("replace"), kinds.count("delete")
    raw_words, raw_errors = num_words, num_errors
    if raw_text != text or raw_pred_text != pred_text:
        raw = raw_text.split()
        raw_words, raw_errors = len(raw), Levenshtein.distance(raw, raw_pred_text.split())
    found = (
        reference.audio_filepath,
        transcript.channel if transcript else reference.channel_number,
        "scored" if transcript else "missing",
        _rate(num_errors, num_words),
        _rate(distance, len(text)),
        num_words,
        num_words - substitutions - deletions,
        substitutions,
        deletions,
        num_errors - substitutions - deletions,
        len(text),
        distance,
        (transcript.duration if transcript else 0.0) or reference.duration,
        transcript.confidence if transcript else None,
        reference.speaker,
        text,
        pred_text,
        reference.offset,
        raw_words,
        raw_errors,
        groups_of(reference, transcript),
    )
    return Score._make(found), alignment


@lru_cache(maxsize=65_536)
def _rate(errors: int, total: int) -> float | None:
    return round(errors / total, 6) if total else None


def without_times(transcript: Transcript, spans: Sequence[tuple[float, float]]) -> Transcript:
    """Return a transcript without the words, or else the segments, whose middle lies in one of ``spans`` (seconds).

    That is what NIST's ``ignore_time_segment_in_scoring`` asks for. A transcript without any times stays as it is.
    """

    def is_kept(piece: Word | Segment) -> bool:
        middle = (piece.start + piece.end) / 2
        return not any(start <= middle < end for start, end in spans)

    words = [word for word in transcript.words if is_kept(word)]
    segments = [segment for segment in transcript.segments if is_kept(segment)]
    pieces = words if transcript.words else segments
    if not transcript.words and not transcript.segments:
        return transcript
    text = " ".join(piece.text for piece in pieces)
    return replace(transcript, pred_text=text, words=words, segments=segments)


def normalize_of(settings: EvaluateSettings) -> Normalize:
    """Return the normalization that the settings ask for."""
    replacements = tuple(settings.replacements.items())
    return _make_normalize(settings.normalization, replacements, settings.language)


@lru_cache(maxsize=64)
def _make_normalize(steps: tuple[StepName, ...], replacements: tuple[tuple[str, str], ...], language: str) -> Normalize:
    return make_normalize(steps, dict(replacements), language)


def _total(result: jiwer.WordOutput | jiwer.CharacterOutput) -> ErrorCounts:
    return ErrorCounts(result.hits, result.substitutions, result.deletions, result.insertions)
