"""Log-probabilities → hypotheses."""

from __future__ import annotations

import math
from dataclasses import dataclass

from torch import Tensor

from asr_model.text import BLANK, Alphabet

__all__ = ["Hypothesis", "greedy"]


@dataclass(frozen=True)
class Hypothesis:
    """Recognized text, and the geometric mean of its tokens' probabilities as confidence (0 to 1)."""

    text: str
    confidence: float


def greedy(log_probs: Tensor, num_steps: int, alphabet: Alphabet) -> Hypothesis:
    """Return the best path of (S, V) log-probabilities: repeats merged, blanks dropped (Graves et al., 2006)."""
    best, tokens = log_probs[:num_steps].max(dim=-1)
    kept: list[int] = []
    score = 0.0
    previous = BLANK
    for token, log_prob in zip(tokens.tolist(), best.tolist(), strict=True):
        if token not in (BLANK, previous):
            kept.append(token)
            score += log_prob
        previous = token
    text = " ".join(alphabet.decode(kept).split())
    return Hypothesis(text, math.exp(score / len(kept)) if kept else 0.0)
