"""Texts → a word n-gram in the ARPA format, by interpolated modified Kneser-Ney smoothing (Chen and Goodman, 1999).

The same estimate as KenLM's lmplz with ``--discount_fallback``, whose Python package cannot train.
"""

from __future__ import annotations

import itertools
import math
from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator

__all__ = ["BEGIN", "END", "UNKNOWN", "train_ngrams"]

BEGIN, END, UNKNOWN = "<s>", "</s>", "<unk>"
FALLBACK = (0.5, 1.0, 1.5)
"""Discounts of counts 1, 2 and more where there are too few n-grams to estimate them from."""
NEVER = -99.0
"""Log-probability (to base 10) of what is never asked for, as ARPA has it."""

Ngram = tuple[str, ...]


def train_ngrams(texts: Iterable[str], order: int, min_count: int = 1) -> Iterator[str]:
    """Yield the lines of the ARPA file of ``order``; n-grams of two and more words seen less often are left out."""
    raw = _raw_counts(texts, order, min_count)
    counts = [*(_contexts(table, longer) for table, longer in itertools.pairwise(raw)), raw[-1]]
    size = len(counts[0]) + 1  # words, the end and the unknown word
    probabilities: list[dict[Ngram, float]] = []
    backoffs: dict[Ngram, float] = {}
    for length, table in enumerate(counts, start=1):
        discounts = _discounts(table)
        totals: Counter[Ngram] = Counter()
        spared: defaultdict[Ngram, float] = defaultdict(float)
        for ngram, count in sorted(table.items()):
            totals[ngram[:-1]] += count
            spared[ngram[:-1]] += discounts[min(count, 3) - 1]
        backoffs |= {history: spared[history] / total for history, total in totals.items()}
        shorter: dict[Ngram, float] = probabilities[-1] if length > 1 else {(): 1 / size}
        probabilities.append(
            {
                ngram: (count - discounts[min(count, 3) - 1]) / totals[ngram[:-1]]
                + backoffs[ngram[:-1]] * shorter[ngram[1:]]
                for ngram, count in table.items()
            }
        )
    probabilities[0][(UNKNOWN,)] = backoffs[()] / size
    probabilities[0][(BEGIN,)] = 0.0
    yield "\\data\\"
    yield from (f"ngram {length}={len(entries)}" for length, entries in enumerate(probabilities, start=1))
    for length, entries in enumerate(probabilities, start=1):
        yield from ("", f"\\{length}-grams:")
        for ngram, probability in sorted(entries.items()):
            line = f"{math.log10(probability) if probability else NEVER:.6f}\t{' '.join(ngram)}"
            yield f"{line}\t{math.log10(backoffs[ngram]):.6f}" if ngram in backoffs else line
    yield from ("", "\\end\\")


def _raw_counts(texts: Iterable[str], order: int, min_count: int) -> list[Counter[Ngram]]:
    """Return how often each n-gram of each length up to ``order`` occurs."""
    counts: list[Counter[Ngram]] = [Counter() for _ in range(order)]
    for text in texts:
        words = (BEGIN, *text.split(), END)
        for length in range(1, order + 1):
            counts[length - 1].update(words[start : start + length] for start in range(len(words) - length + 1))
    del counts[0][(BEGIN,)]
    return [counts[0], *(Counter({n: c for n, c in table.items() if c >= min_count}) for table in counts[1:])]


def _contexts(raw: Counter[Ngram], longer: Counter[Ngram]) -> Counter[Ngram]:
    """Return after how many words each n-gram occurs, by n-grams a word longer; how often, where it begins a text."""
    contexts = Counter(ngram[1:] for ngram in longer)
    return Counter({ngram: count if ngram[0] == BEGIN else contexts[ngram] or count for ngram, count in raw.items()})


def _discounts(counts: Counter[Ngram]) -> tuple[float, float, float]:
    """Return what is taken from counts of 1, of 2 and of more."""
    times = Counter(counts.values())
    if not all(times[count] for count in (1, 2, 3)):
        return FALLBACK
    part = times[1] / (times[1] + 2 * times[2])
    first, second, more = (count - (count + 1) * part * times[count + 1] / times[count] for count in (1, 2, 3))
    if not (0 < first < 1 and 0 < second < 2 and 0 < more < 3):
        return FALLBACK
    return first, second, more
