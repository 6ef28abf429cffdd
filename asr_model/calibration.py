"""Confidences that mean what they say: how often a word of some confidence was right, learned from held-out words."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import ArrayLike, NDArray
from pydantic import Field

from asr_model.config import Settings

__all__ = ["Calibration", "fit_calibration"]

SMALLEST = 1e-6
"""Confidences nearer to 0 or 1 are taken for this near."""
STEPS = 100
RIDGE = 1.0
"""How much a change of slope costs, in words: a few words change little."""


class Calibration(Settings):
    """The logistic function that makes a word's chance of being right of its confidence; by default it changes none."""

    slope: float = Field(default=1.0, gt=0)
    offset: float = 0.0

    def __call__(self, confidence: float) -> float:
        """Return the chance (0 to 1) that a word of this confidence (0 to 1) is right.

        >>> round(Calibration(slope=0.5, offset=-1.0)(0.9), 3)
        0.525
        """
        if self == Calibration():
            return confidence
        return float(_chance(self.slope * _log_odds(confidence) + self.offset))


def fit_calibration(confidences: Sequence[float], is_right: Sequence[bool]) -> Calibration:
    """Return the calibration that fits words best, which were right or not (Platt, 1999; by Newton's method).

    Right and wrong words count one more each than there are, so that the chance of none is 0 or 1.
    """
    num_right = sum(is_right)
    aims = np.where(is_right, (num_right + 1) / (num_right + 2), 1 / (len(is_right) - num_right + 2))
    inputs = np.stack([_log_odds(confidences), np.ones(len(is_right))], axis=1)
    start = np.array([1.0, 0.0])
    weights, ridge = start, np.diag([RIDGE, 1e-3])
    for _ in range(STEPS):
        chances = _chance(inputs @ weights)
        gradient = inputs.T @ (chances - aims) + ridge @ (weights - start)
        curvature = (inputs * (chances * (1 - chances))[:, None]).T @ inputs + ridge
        change = np.linalg.solve(curvature, gradient)
        weights = weights - change / max(1.0, float(np.abs(change).max()))  # no leaps, from which there is no return
        if np.abs(change).max() < 1e-9:
            break
    slope, offset = weights.tolist()
    return Calibration(slope=max(round(slope, 4), 1e-4), offset=round(offset, 4))


def _log_odds(confidences: ArrayLike) -> NDArray[np.float64]:
    inside = np.clip(confidences, SMALLEST, 1 - SMALLEST)
    odds: NDArray[np.float64] = np.log(inside / (1 - inside))
    return odds


def _chance(log_odds: ArrayLike) -> NDArray[np.float64]:
    chances: NDArray[np.float64] = 1 / (1 + np.exp(-np.asarray(log_odds)))
    return chances
