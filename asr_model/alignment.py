"""Where in time each word was recognized, and how surely: from a path of tokens through the log-probabilities.

Shapes: S output steps, V vocabulary.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from asr_model.text import BLANK, Alphabet

__all__ = ["Path", "SpokenWord", "align", "best_path", "spoken_words"]


@dataclass(frozen=True)
class Path:
    """One token for each output step (the blank among them) and its log-probability."""

    tokens: list[int]
    log_probs: list[float]


@dataclass(frozen=True)
class SpokenWord:
    """A word between two points of time, counted in output steps, and its confidence (0 to 1).

    Confidence is the geometric mean of its characters' probabilities, each at the step where it is surest.
    """

    text: str
    start: float
    end: float
    confidence: float


def best_path(log_probs: Tensor) -> Path:
    """Return the likeliest path through (S, V) log-probabilities."""
    best, tokens = log_probs.max(dim=-1)
    return Path(tokens.tolist(), best.tolist())


def align(log_probs: Tensor, tokens: Sequence[int]) -> Path:
    """Return the likeliest path through (S, V) log-probabilities that writes ``tokens`` (the CTC Viterbi path).

    Raises:
        ValueError: there are fewer steps than the tokens need.
    """
    repeats = sum(a == b for a, b in itertools.pairwise(tokens))
    if len(log_probs) < len(tokens) + repeats:
        raise ValueError(f"{len(tokens)} tokens and {repeats} repeats need more than {len(log_probs)} steps")
    if not tokens:
        return Path([BLANK] * len(log_probs), log_probs[:, BLANK].tolist())
    from torchaudio.functional import forced_align  # takes a second to import

    path, scores = forced_align(log_probs[None].contiguous(), torch.tensor([list(tokens)]), blank=BLANK)
    return Path(path[0].tolist(), scores[0].tolist())


def spoken_words(path: Path, alphabet: Alphabet) -> list[SpokenWord]:
    """Return the words that a path writes: repeats merged, blanks dropped, cut at white space.

    A word lasts from its first character's first step to its last character's last one; the blanks around it may be
    silence or a part of it, which CTC leaves open.
    """
    words: list[SpokenWord] = []
    letters: list[str] = []
    peaks: list[float] = []
    start = end = 0
    previous = BLANK
    for step, (token, log_prob) in enumerate(zip(path.tokens, path.log_probs, strict=True)):
        if token == previous:
            if token != BLANK and letters:
                peaks[-1], end = max(peaks[-1], log_prob), step + 1
        elif token != BLANK:
            letter = alphabet.characters[token - 1]
            if not letter.strip():
                _close(words, letters, peaks, start, end)
            else:
                start = start if letters else step
                letters.append(letter)
                peaks.append(log_prob)
                end = step + 1
        previous = token
    _close(words, letters, peaks, start, end)
    return words


def _close(words: list[SpokenWord], letters: list[str], peaks: list[float], start: int, end: int) -> None:
    """Append the word that ``letters`` make, where there are any, and empty them."""
    if letters:
        words.append(SpokenWord("".join(letters), start, end, math.exp(sum(peaks) / len(peaks))))
        letters.clear()
        peaks.clear()
