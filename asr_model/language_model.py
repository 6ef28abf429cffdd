"""Texts → a word n-gram in the ARPA format, gzipped; its words, scores and perplexity, by KenLM.

Scores are logarithms to base 10, as ARPA has them.
"""

from __future__ import annotations

import gzip
import os
import sys
import tempfile
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

from pydantic import Field

from asr_model.config import Settings
from asr_model.ngrams import BEGIN, END, UNKNOWN, train_ngrams

__all__ = ["LanguageModel", "LanguageModelSettings", "Perplexity", "measure_perplexity", "train_language_model"]


class LanguageModelSettings(Settings):
    """How `lm` trains a word n-gram."""

    order: int = Field(default=4, ge=2, le=5)
    """Words of the longest n-gram."""
    min_count: int = Field(default=1, ge=1)
    """N-grams of two and more words that were seen less often are left out."""
    distinct: bool = False
    """Each text counts once, however often it was said: word lists of many speakers would weigh most."""


@dataclass(frozen=True)
class Perplexity:
    """How well a language model foresees texts: counts that add, and their log-probability to base 10.

    Unknown words are counted, not scored; the end of each text is scored.
    """

    num_texts: int
    num_words: int
    num_unknown: int
    log10: float

    @property
    def value(self) -> float | None:
        """Perplexity per known word and end of text; None without any text."""
        scored = self.num_words - self.num_unknown + self.num_texts
        return float(10 ** (-self.log10 / scored)) if scored else None

    @property
    def unknown_rate(self) -> float | None:
        """Part of the words that the language model does not know; None without any word."""
        return self.num_unknown / self.num_words if self.num_words else None


@dataclass(frozen=True)
class LanguageModel:
    """A word n-gram: ``data`` are the bytes of a gzipped ARPA file, read when they are first needed."""

    data: bytes

    @cached_property
    def words(self) -> tuple[str, ...]:
        """All words it knows, in the order of the file."""
        lines = iter(gzip.decompress(self.data).decode().splitlines())
        for line in lines:
            if line == "\\1-grams:":
                break
        unigrams = (line.split("\t")[1] for line in _until_blank(lines))
        return tuple(word for word in unigrams if word not in (BEGIN, END, UNKNOWN))

    @cached_property
    def _index(self) -> dict[str, int]:
        return {word: index for index, word in enumerate(self.words)}

    @cached_property
    def _model(self) -> Any:
        from flashlight.lib.text.decoder.kenlm import KenLM
        from flashlight.lib.text.dictionary import Dictionary

        with self.as_file() as path:
            return KenLM(path, Dictionary([*self.words, UNKNOWN]))

    def start(self) -> Any:
        """Return the state before the first word of a text."""
        return self._model.start(False)

    def score(self, state: Any, word: str) -> tuple[Any, float | None]:
        """Return the state after ``word`` and the word's score there, None for a word it does not know."""
        index = self._index.get(word)
        after, score = self._model.score(state, len(self._index) if index is None else index)
        return after, None if index is None else score

    def finish(self, state: Any) -> float:
        """Return the score of the text's end in ``state``."""
        score: float = self._model.finish(state)[1]
        return score

    def lowered(self, by: float, is_spared: Callable[[Sequence[str]], bool]) -> LanguageModel:
        """Return one whose words score less ``by`` that much, but those that end an n-gram which ``is_spared``.

        For search: these scores are no probabilities.
        """
        lines = []
        for line in gzip.decompress(self.data).decode().splitlines():
            score, tab, rest = line.partition("\t")
            ngram = rest.partition("\t")[0].split(" ")
            if tab and ngram[-1] not in (BEGIN, END, UNKNOWN) and not is_spared(ngram):
                line = f"{float(score) - by:.6f}\t{rest}"
            lines.append(f"{line}\n")
        return LanguageModel(gzip.compress("".join(lines).encode(), mtime=0))

    @contextmanager
    def as_file(self) -> Iterator[str]:
        """Yield the path of a temporary file with its bytes, for KenLM, whose progress on stderr is dropped."""
        with tempfile.TemporaryDirectory() as folder, _quiet():
            path = Path(folder, "language_model.arpa.gz")
            path.write_bytes(self.data)
            yield str(path)


def train_language_model(texts: Iterable[str], settings: LanguageModelSettings) -> LanguageModel:
    """Return the n-gram of normalized ``texts``, smoothed after Kneser and Ney; their order does not matter.

    Raises:
        ValueError: there are no words in them.
    """
    lines = [text for text in (dict.fromkeys(texts) if settings.distinct else texts) if text]
    if not lines:
        raise ValueError("no words to train a language model on")
    arpa = "".join(f"{line}\n" for line in train_ngrams(lines, settings.order, settings.min_count))
    return LanguageModel(gzip.compress(arpa.encode(), mtime=0))


def measure_perplexity(model: LanguageModel, texts: Iterable[str]) -> Perplexity:
    """Return how well ``model`` foresees normalized ``texts``; empty ones are passed over."""
    num_texts = num_words = num_unknown = 0
    total = 0.0
    for text in texts:
        words = text.split()
        if not words:
            continue
        state = model.start()
        for word in words:
            state, score = model.score(state, word)
            total += score or 0.0
            num_unknown += score is None
        total += model.finish(state)
        num_texts, num_words = num_texts + 1, num_words + len(words)
    return Perplexity(num_texts, num_words, num_unknown, total)


def _until_blank(lines: Iterator[str]) -> Iterator[str]:
    for line in lines:
        if not line:
            return
        yield line


@contextmanager
def _quiet() -> Iterator[None]:
    """Send what C++ code writes to stderr nowhere: KenLM reports its progress there and can't be told not to."""
    sys.stderr.flush()
    kept = os.dup(2)
    nowhere = os.open(os.devnull, os.O_WRONLY)
    try:
        os.dup2(nowhere, 2)
        yield
    finally:
        os.dup2(kept, 2)
        os.close(nowhere)
        os.close(kept)
