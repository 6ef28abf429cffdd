"""Is one system really better: matched pairs on the same references."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from pydantic import Field

from asr_model.config import Settings
from asr_model.edits import edits
from asr_model.intervals import LEVEL, resample

__all__ = [
    "CompareSettings",
    "MatchedPairs",
    "PairedBootstrap",
    "matched_pairs",
    "paired_bootstrap",
    "segment_differences",
]

MIN_GOOD_WORDS = 2
"""Words that both systems have right, between segments: what is before them cannot bear on what is after (NIST's 2)."""


class CompareSettings(Settings):
    """The settings of `compare`."""

    bootstrap_samples: int = Field(default=10_000, ge=1, le=100_000)
    """Samples of the paired bootstrap; the smallest p that it can tell is one by their number."""
    seed: int = Field(default=0, ge=0)
    max_files: int = Field(default=100, ge=0)
    """Files that got worse, and that got better, that are listed of each."""


@dataclass(frozen=True)
class PairedBootstrap:
    """Difference of two error rates (second less first), its 95 % interval, and the two-sided p that there is none."""

    difference: float
    interval: tuple[float, float]
    p: float


@dataclass(frozen=True)
class MatchedPairs:
    """The matched-pairs sentence-segment word error test; ``z`` above 0 where the second system has more errors."""

    num_segments: int
    mean: float
    z: float
    p: float


def paired_bootstrap(
    errors: NDArray[np.int64], words: NDArray[np.int64], samples: int, seed: int
) -> PairedBootstrap | None:
    """Return the paired bootstrap over calls (Bisani and Ney, 2004) of (N, 2) errors and (N,) words of both systems.

    None where there are fewer than two calls, no words or no samples.
    """
    if not samples or len(words) < 2 or not words.any():
        return None
    rows, counts = np.unique(np.column_stack([errors, words]), axis=0, return_counts=True)
    sums = resample(np.column_stack([rows, counts]), samples, seed)
    sums = sums[sums[:, 2] > 0]
    differences = (sums[:, 1] - sums[:, 0]) / sums[:, 2]
    low, high = np.percentile(differences, [50 - LEVEL / 2, 50 + LEVEL / 2])
    tail = min(float(np.mean(differences <= 0)), float(np.mean(differences >= 0)))
    total = float((errors[:, 1].sum() - errors[:, 0].sum()) / words.sum())
    return PairedBootstrap(total, (float(low), float(high)), max(min(1.0, 2 * tail), 1 / samples))


def matched_pairs(differences: Sequence[int]) -> MatchedPairs | None:
    """Return the test of Gillick and Cox (1989) on the differences of errors of segments, as NIST's sc_stats has it.

    None where there are fewer than two segments, or no two of them differ.
    """
    values = np.asarray(differences, np.float64)
    if len(values) < 2 or not (deviation := float(values.std(ddof=1))):
        return None
    mean = float(values.mean())
    z = mean / (deviation / math.sqrt(len(values)))
    return MatchedPairs(len(values), mean, z, math.erfc(abs(z) / math.sqrt(2)))


def segment_differences(reference: Sequence[str], first: Sequence[str], second: Sequence[str]) -> Iterator[int]:
    """Yield, for each segment with an error of either system, the errors of the second less those of the first.

    A segment begins and ends at the end of the utterance, or where both systems have two words right in a row.

    >>> list(segment_differences("a b c d e f".split(), "x b c d e".split(), "a b c d y f".split()))
    [-1, 0]
    """
    places = [_places(reference, hypothesis) for hypothesis in (first, second)]
    if not places[0] and not places[1]:
        return
    errors = sorted([(place, 0) for place in places[0]] + [(place, 1) for place in places[1]])
    counts = [0, 0]
    end = errors[0][0]
    for place, system in errors:
        if _good_words(end, place) >= MIN_GOOD_WORDS:
            yield counts[1] - counts[0]
            counts = [0, 0]
        counts[system] += 1
        end = place
    yield counts[1] - counts[0]


def _places(reference: Sequence[str], hypothesis: Sequence[str]) -> list[int]:
    """Return where errors are: 2 i for an insertion before word i, 2 i + 1 for a deletion or substitution of it."""
    if reference == hypothesis:
        return []
    return [2 * place + (kind != "insert") for kind, place, _ in edits(reference, hypothesis)]


def _good_words(end: int, start: int) -> int:
    """Return how many reference words lie between two places."""
    return start // 2 - (end + 1) // 2
