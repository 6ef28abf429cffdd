"""What is known of single words: keywords found, confidences that mean what they say, times, words said by nobody."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, fields
from typing import Any

import numpy as np
from numpy.typing import NDArray

from asr_model.confusions import Confusions
from asr_model.edits import Alignment
from asr_model.normalization import Normalize
from asr_model.records import Transcript, Utterance, Word
from asr_model.scoring import EvaluateSettings, normalize_of

__all__ = ["Marks"]

UNITS = ("words", "segments", "rows")
"""What a confidence is of, the finest that the transcripts have."""
CONFIDENCE_BINS = 10
TIME_BIN, TIME_BINS = 0.01, 201
"""Seconds of a bin of time errors, and their number; the last holds all greater errors."""
SOON = 10
"""Bins within which a time is called right: 0.1 s."""


@dataclass
class Marks:
    """Counts that add. ``confidences`` by unit and bin: sum of confidences, right words, words.

    ``keywords`` by keyword: found, said, recognized where not said. ``starts`` and ``ends``: words right in both text
    by how far off in time. ``silence``: words recognized outside all segments of the reference, and its seconds.
    """

    confusions: Confusions = field(default_factory=Confusions)
    keywords: dict[str, NDArray[np.int64]] = field(default_factory=dict)
    confidences: NDArray[np.float64] = field(default_factory=lambda: np.zeros((len(UNITS), CONFIDENCE_BINS, 3)))
    starts: NDArray[np.float64] = field(default_factory=lambda: np.zeros(TIME_BINS))
    ends: NDArray[np.float64] = field(default_factory=lambda: np.zeros(TIME_BINS))
    silence: NDArray[np.float64] = field(default_factory=lambda: np.zeros(2))

    def add(self, other: Marks) -> None:
        """Add another part's counts."""
        self.confusions.add(other.confusions)
        for keyword, counts in other.keywords.items():
            self.keywords[keyword] = self.keywords.get(keyword, np.zeros(3, np.int64)) + counts
        for name in [f.name for f in fields(self) if f.name not in ("confusions", "keywords")]:
            setattr(self, name, getattr(self, name) + getattr(other, name))

    def count(
        self, reference: Utterance, transcript: Transcript | None, alignment: Alignment, settings: EvaluateSettings
    ) -> None:
        """Count one reference and its transcript."""
        if alignment.edits:
            self.confusions.count(alignment)
        has_marks = transcript is not None and (transcript.confidence is not None or transcript.words)
        times, spans = reference.extra.get("word_times"), reference.extra.get("segment_times")
        if not (has_marks or times or spans or settings.keywords):
            return
        said, heard, _ = alignment
        is_hit, is_right = [True] * len(said), [True] * len(heard)
        partner = _partners(alignment, is_hit, is_right)
        normalize = normalize_of(settings)
        for keyword in settings.keywords:
            self._count_keyword(keyword, normalize(keyword).split(), said, heard, is_hit, is_right)
        if transcript is None:
            return
        words = _tokens(transcript.words, heard, normalize)
        self._count_confidence(transcript, words, heard, is_right, normalize)
        if times and words and len(times) == len(said):
            for place, other in partner:
                self.starts[_time_bin(words[other].start - times[place][0])] += 1
                self.ends[_time_bin(words[other].end - times[place][1])] += 1
        duration = transcript.duration or reference.duration
        if spans is not None and words and duration:
            inside = [any(start <= (w.start + w.end) / 2 < end for start, end in spans) for w in words]
            covered = _covered([*spans, *reference.extra.get("ignored_times", ())])
            self.silence += (inside.count(False), max(0.0, duration - covered))

    def figures(self) -> dict[str, Any]:
        """Return the figures for a summary; what nothing is known of is None or empty."""
        unit = next((number for number, counts in enumerate(self.confidences) if counts[:, 2].any()), None)
        words, seconds = self.silence.tolist()
        return self.confusions.figures() | {
            "keywords": [[keyword, *self.keywords[keyword].tolist()] for keyword in sorted(self.keywords)],
            "calibration": None if unit is None else _calibration(UNITS[unit], self.confidences[unit]),
            "time_error": _time_error(self.starts, self.ends) if self.starts.any() else None,
            "silence": _per_minute(int(words), seconds) if seconds else None,
        }

    def _count_keyword(
        self,
        keyword: str,
        parts: list[str],
        said: list[str],
        heard: list[str],
        is_hit: list[bool],
        is_right: list[bool],
    ) -> None:
        counts = self.keywords.setdefault(keyword, np.zeros(3, np.int64))
        for place in _occurrences(parts, said):
            counts += (all(is_hit[place : place + len(parts)]), 1, 0)
        for place in _occurrences(parts, heard):
            counts[2] += not all(is_right[place : place + len(parts)])

    def _count_confidence(
        self, transcript: Transcript, words: list[Word], heard: list[str], is_right: list[bool], normalize: Normalize
    ) -> None:
        segments = _tokens(transcript.segments, heard, normalize)
        whole = [] if transcript.confidence is None else [transcript.confidence] * len(heard)
        for unit, values in enumerate(([w.confidence for w in words], [s.confidence for s in segments], whole)):
            for confidence, right in zip(values, is_right, strict=False):
                if confidence >= 0:
                    bin_of = min(int(confidence * CONFIDENCE_BINS), CONFIDENCE_BINS - 1)
                    self.confidences[unit, bin_of] += (confidence, right, 1)


def _partners(alignment: Alignment, is_hit: list[bool], is_right: list[bool]) -> list[tuple[int, int]]:
    """Mark what is wrong and return the places (in the reference, in the transcript) of the hits."""
    for kind, left, right in alignment.edits:
        if kind != "insert":
            is_hit[left] = False
        if kind != "delete":
            is_right[right] = False
    hits = (place for place, hit in enumerate(is_hit) if hit)
    return list(zip(hits, (place for place, right in enumerate(is_right) if right), strict=True))


def _tokens(pieces: Sequence[Any], heard: list[str], normalize: Normalize) -> list[Any]:
    """Return the piece that each normalized word comes from; none where normalizing them one by one gives others."""
    owners: list[Any] = []
    texts: list[str] = []
    for piece in pieces:
        tokens = normalize(piece.text).split()
        owners += [piece] * len(tokens)
        texts += tokens
    return owners if texts == heard else []


def _occurrences(parts: list[str], words: list[str]) -> list[int]:
    if not parts or parts[0] not in words:
        return []
    return [place for place in range(len(words) - len(parts) + 1) if words[place : place + len(parts)] == parts]


def _calibration(unit: str, counts: NDArray[np.float64]) -> dict[str, Any]:
    """Return the reliability curve and the expected calibration error (Guo et al., 2017)."""
    filled = counts[counts[:, 2] > 0]
    error = np.abs(filled[:, 0] - filled[:, 1]).sum() / filled[:, 2].sum()
    curve = [[round(total / n, 6), round(right / n, 6), int(n)] for total, right, n in filled.tolist()]
    return {"unit": unit, "points": curve, "expected_calibration_error": round(float(error), 6)}


def _time_error(starts: NDArray[np.float64], ends: NDArray[np.float64]) -> dict[str, Any]:
    """Return how far off starts and ends of words are: the median, and the part within 0.1 s."""
    figures: dict[str, Any] = {"num_words": int(starts.sum())}
    for name, counts in (("start", starts), ("end", ends)):
        middle = int(np.searchsorted(np.cumsum(counts), counts.sum() / 2))
        figures[f"{name}_median_seconds"] = round(middle * TIME_BIN, 2)
        figures[f"{name}_within_100_ms"] = round(float(counts[: SOON + 1].sum() / counts.sum()), 6)
    return figures


def _per_minute(num_words: int, seconds: float) -> dict[str, Any]:
    per_minute = round(60 * num_words / seconds, 3)
    return {"num_words": num_words, "seconds": round(seconds, 3), "per_minute": per_minute}


def _time_bin(difference: float) -> int:
    return min(round(abs(difference) / TIME_BIN), TIME_BINS - 1)


def _covered(spans: Sequence[Sequence[float]]) -> float:
    """Return the seconds that lie in any of the spans.

    >>> _covered([(3, 4), (0, 1), (0.5, 2)])
    3.0
    """
    total, reached = 0.0, 0.0
    for start, end in sorted((span[0], span[1]) for span in spans):
        total += max(0.0, end - max(start, reached))
        reached = max(reached, end)
    return total
