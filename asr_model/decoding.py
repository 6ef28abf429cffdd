"""Log-probabilities → hypotheses."""

from __future__ import annotations

import math
from dataclasses import dataclass

from torch import Tensor

from asr_model.alignment import Path, SpokenWord, best_path, spoken_words
from asr_model.text import Alphabet

__all__ = ["Hypothesis", "greedy", "hypothesis_of"]


@dataclass(frozen=True)
class Hypothesis:
    """Recognized text and the geometric mean of its characters' probabilities as confidence (0 to 1).

    ``words`` are those of ``text``, in output steps; empty where the network does not tell when they were spoken.
    """

    text: str
    confidence: float
    words: tuple[SpokenWord, ...] = ()


def greedy(log_probs: Tensor, num_steps: int, alphabet: Alphabet) -> Hypothesis:
    """Return the best path of (S, V) log-probabilities: repeats merged, blanks dropped (Graves et al., 2006)."""
    return hypothesis_of(best_path(log_probs[:num_steps]), alphabet)


def hypothesis_of(path: Path, alphabet: Alphabet) -> Hypothesis:
    """Return what a path writes."""
    words = spoken_words(path, alphabet)
    text = " ".join(word.text for word in words)
    if not words:
        return Hypothesis("", 0.0)
    score = sum(len(word.text) * math.log(max(word.confidence, 1e-300)) for word in words)
    return Hypothesis(text, math.exp(score / sum(len(word.text) for word in words)), tuple(words))
