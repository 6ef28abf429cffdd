"""Mean and variance of every feature over a corpus, by sums that add to the same whole in any order."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from pydantic import Field

from asr_model.config import Settings

__all__ = ["FeatureSums", "Statistics", "sum_features", "total"]

PARTS = 1 << 24
"""Sums are whole numbers of such parts: these add exactly, while the sum of floats depends on the order."""


class Statistics(Settings):
    """Mean and variance (F,) of a corpus's features."""

    # Not strict: JSON knows no tuples.
    mean: tuple[float, ...] = Field(strict=False, min_length=1)
    variance: tuple[float, ...] = Field(strict=False, min_length=1)


@dataclass(frozen=True)
class FeatureSums:
    """Number of frames, and the sum and the sum of squares (F,) of their features in 1 / PARTS."""

    num_frames: int = 0
    sums: tuple[int, ...] = ()
    squares: tuple[int, ...] = ()

    def statistics(self) -> Statistics:
        """Return mean and variance.

        Raises:
            ValueError: there are no frames.
        """
        if not self.num_frames:
            raise ValueError("normalization: global, but no training utterance can be used")
        means = [value / PARTS / self.num_frames for value in self.sums]
        # In whole numbers up to the division, because the difference is small beside its terms.
        variances = [
            (square * PARTS * self.num_frames - value**2) / (PARTS * self.num_frames) ** 2
            for value, square in zip(self.sums, self.squares, strict=True)
        ]
        return Statistics(mean=tuple(means), variance=tuple(max(0.0, variance) for variance in variances))


def sum_features(arrays: Iterable[NDArray[np.floating]]) -> FeatureSums:
    """Return the sums of some utterances' features, each (T, F)."""
    return total(
        FeatureSums(
            len(values),
            _whole(values.sum(axis=0, dtype=np.float64)),
            _whole(np.square(values, dtype=np.float64).sum(axis=0)),
        )
        for values in arrays
    )


def total(parts: Iterable[FeatureSums]) -> FeatureSums:
    """Return the sums of all parts together; of none: no frames.

    >>> total([FeatureSums(1, (2,), (4,)), FeatureSums(1, (3,), (9,))])
    FeatureSums(num_frames=2, sums=(5,), squares=(13,))
    """
    found = [part for part in parts if part.num_frames]
    return FeatureSums(
        sum(part.num_frames for part in found),
        tuple(sum(values) for values in zip(*(part.sums for part in found), strict=True)),
        tuple(sum(values) for values in zip(*(part.squares for part in found), strict=True)),
    )


def _whole(values: NDArray[np.float64]) -> tuple[int, ...]:
    return tuple(round(value * PARTS) for value in values.tolist())
