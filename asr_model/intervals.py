"""Confidence intervals of error rates: the bootstrap over calls."""

from __future__ import annotations

from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray

__all__ = ["Calls", "add_calls", "as_calls", "rate_interval", "resample"]

Calls: TypeAlias = NDArray[np.int64]
"""(K, 3): distinct pairs of errors and words of a call, in order, and how many calls have them."""
MAX_DISTINCT = 10_000
"""More distinct calls than these are first dealt at random into so many blocks, which are resampled instead."""
CHUNK = 100
LEVEL = 95


def as_calls(errors: NDArray[np.int64], words: NDArray[np.int64]) -> Calls:
    """Return the calls that have these errors and words, one entry each."""
    return _calls(*np.unique(errors << 32 | words, return_counts=True))


def add_calls(*parts: Calls) -> Calls:
    """Return the calls of all parts together, the same whatever their order."""
    stacked = np.concatenate([np.empty((0, 3), np.int64), *parts])
    keys, inverse = np.unique(stacked[:, 0] << 32 | stacked[:, 1], return_inverse=True)
    return _calls(keys, np.bincount(inverse, stacked[:, 2], minlength=len(keys)).astype(np.int64))


def _calls(keys: NDArray[np.int64], counts: NDArray[np.int64]) -> Calls:
    return np.column_stack([keys >> 32, keys & 0xFFFFFFFF, counts])


def resample(calls: Calls, samples: int, seed: int) -> NDArray[np.int64]:
    """Return (samples, 2): errors and words of as many calls as there are, drawn with replacement.

    (So for any columns before that of counts: the errors of two systems and the words, say.)
    Drawing n calls is drawing how often each distinct call comes, which is a multinomial draw: so a million short
    calls, of which few differ, take no longer than some thousand.
    """
    draw = np.random.default_rng(seed)
    if len(calls) > MAX_DISTINCT:
        each = np.repeat(calls[:, :-1], calls[:, -1], axis=0)
        blocks = np.zeros((MAX_DISTINCT, calls.shape[1] - 1), np.int64)
        np.add.at(blocks, draw.permutation(len(each)) % MAX_DISTINCT, each)
        calls = np.column_stack([blocks, np.ones(len(blocks), np.int64)])
    total = int(calls[:, -1].sum())
    sums = [
        draw.multinomial(total, calls[:, -1] / total, size=min(CHUNK, samples - start)) @ calls[:, :-1]
        for start in range(0, samples, CHUNK)
    ]
    return np.concatenate(sums)


def rate_interval(calls: Calls, samples: int, seed: int) -> list[float] | None:
    """Return the 95 % interval of total errors over total words, by the percentile method (Efron, 1979).

    The rows of a call are drawn together (Bisani and Ney, 2004: calls are independent, what is said in one is not).
    None where there are no samples, fewer than two calls, or no words.
    """
    if not samples or calls[:, 2].sum() < 2 or not calls[:, 1].any():
        return None
    sums = resample(calls, samples, seed)
    sums = sums[sums[:, 1] > 0]
    low, high = np.percentile(sums[:, 0] / sums[:, 1], [50 - LEVEL / 2, 50 + LEVEL / 2])
    return [round(float(low), 6), round(float(high), 6)]
