"""CTC prefix beam search (Hannun et al., 2014) that sums over all paths of a text, with a word n-gram and hot words.

The reference that the faster search of `asr_model.decoding` is tested against, and the one that writes words which the
language model does not know. All scores are natural logarithms, the language model's to base 10 (times ``lm_weight``).
"""

from __future__ import annotations

import math
from collections.abc import Collection
from dataclasses import dataclass
from typing import Any

from torch import Tensor

from asr_model.language_model import LanguageModel
from asr_model.text import BLANK, Alphabet

__all__ = ["PrefixBeam"]

NEVER = -math.inf
Prefix = tuple[int, ...]


@dataclass
class _Paths:
    """Log-probabilities of all paths to a prefix that end in a blank, and of those that end in its last token."""

    blank: float = NEVER
    token: float = NEVER

    @property
    def total(self) -> float:
        return _add(self.blank, self.token)


@dataclass(frozen=True)
class _Written:
    """What stands in a prefix: words that have ended, their score and language model state, and a word begun."""

    words: tuple[str, ...]
    score: float
    state: Any
    begun: str


@dataclass(frozen=True)
class PrefixBeam:
    """Searches texts of ``alphabet``; the score of one is that of all its paths, its words and its end.

    With ``closed`` only words of the language model are written; otherwise another word scores ``unknown_score``
    (log10) in its place. Each word adds ``word_score``, and each of ``hot_words`` adds ``hot_word_score`` besides.
    """

    alphabet: Alphabet
    beam_size: int
    language_model: LanguageModel | None = None
    lm_weight: float = 0.0
    word_score: float = 0.0
    closed: bool = False
    unknown_score: float = -5.0
    hot_words: Collection[str] = ()
    hot_word_score: float = 0.0

    def search(self, log_probs: Tensor) -> list[tuple[str, float]]:
        """Return the best texts of (S, V) log-probabilities and their scores, best first."""
        separators = {token for token, c in enumerate(self.alphabet.characters, start=1) if not c.strip()}
        allowed = self._beginnings()
        state = self.language_model.start() if self.language_model else None
        written: dict[Prefix, _Written] = {(): _Written((), 0.0, state, "")}
        beam: dict[Prefix, _Paths] = {(): _Paths(blank=0.0)}
        worst = NEVER
        for step in log_probs.tolist():
            tokens = sorted(((p, token) for token, p in enumerate(step) if token != BLANK), reverse=True)
            least = self._least(worst, step[BLANK])
            after: dict[Prefix, _Paths] = {}
            for prefix, paths in beam.items():
                total, last = paths.total, prefix[-1] if prefix else None
                stays = after.setdefault(prefix, _Paths())
                stays.blank = _add(stays.blank, total + step[BLANK])
                # White space at the start or after white space changes nothing, blanks between or not.
                idle = separators if last is None or last in separators else set()
                for token in idle:
                    stays.token = _add(stays.token, total + step[token])
                if last is not None and not idle:
                    stays.token = _add(stays.token, paths.token + step[last])
                enough = least - total - written[prefix].score
                for p, token in tokens:
                    if p < enough:
                        break
                    if token in idle:
                        continue
                    longer = (*prefix, token)
                    if longer not in written:
                        written[longer] = self._write(written[prefix], token, separators)
                    if allowed is None or written[longer].begun in allowed:
                        grows = after.setdefault(longer, _Paths())
                        grows.token = _add(grows.token, (paths.blank if token == last else total) + p)
            scores = {prefix: paths.total + written[prefix].score for prefix, paths in after.items()}
            best = sorted(scores, key=lambda prefix: (-scores[prefix], prefix))[: self.beam_size]
            worst = scores[best[-1]] if len(best) == self.beam_size else NEVER
            beam = {prefix: after[prefix] for prefix in best if scores[prefix] > NEVER}
            written = {prefix: written[prefix] for prefix in beam}
        return self._finish(beam, written)

    def _least(self, worst: float, blank: float) -> float:
        """Return what a longer prefix must score, its last word not counted, to push out the ``worst`` of a full beam.

        A beam that is not full has no worst one: ``NEVER``.
        """
        of_word = max(0.0, self.word_score) + (max(0.0, self.hot_word_score) if self.hot_words else 0.0)
        return worst + blank - of_word

    def _beginnings(self) -> set[str] | None:
        """Return what words may begin with, or None where anything may be written."""
        if not self.closed or self.language_model is None:
            return None
        return {word[:end] for word in self.language_model.words for end in range(len(word) + 1)}

    def _write(self, before: _Written, token: int, separators: set[int]) -> _Written:
        if token in separators:
            return self._end_word(before)
        begun = before.begun + self.alphabet.characters[token - 1]
        return _Written(before.words, before.score, before.state, begun)

    def _end_word(self, before: _Written) -> _Written:
        word, state = before.begun, before.state
        score = before.score + self.word_score + (self.hot_word_score if word in self.hot_words else 0.0)
        if self.language_model:
            state, of_word = self.language_model.score(state, word)
            if of_word is None and self.closed:
                score = NEVER
            else:
                score += self.lm_weight * (self.unknown_score if of_word is None else of_word)
        return _Written((*before.words, word), score, state, "")

    def _finish(self, beam: dict[Prefix, _Paths], written: dict[Prefix, _Written]) -> list[tuple[str, float]]:
        """Return what is left at the end; a text is the same with white space after it and without."""
        paths: dict[tuple[str, ...], float] = {}
        scores: dict[tuple[str, ...], float] = {}
        for prefix, found in beam.items():
            end = self._end_word(written[prefix]) if written[prefix].begun else written[prefix]
            paths[end.words] = _add(paths.get(end.words, NEVER), found.total)
            closing = self.lm_weight * self.language_model.finish(end.state) if self.language_model else 0.0
            scores[end.words] = end.score + closing
        texts = [(" ".join(words), paths[words] + scores[words]) for words in paths if scores[words] > NEVER]
        return sorted(texts, key=lambda found: (-found[1], found[0]))


def _add(a: float, b: float) -> float:
    """Return the logarithm of the sum of two numbers of logarithms ``a`` and ``b``."""
    if a < b:
        a, b = b, a
    return a if b == NEVER else a + math.log1p(math.exp(b - a))
