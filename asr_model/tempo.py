"""Utterances as if said faster or more slowly, at the same pitch.

Shapes: T frames, F features.
"""

from __future__ import annotations

from typing import Annotated

import numpy as np
import torch
from numpy.typing import NDArray
from pydantic import Field

__all__ = ["Tempo", "change_tempo"]

Tempo = Annotated[float, Field(ge=0.5, le=2.0)]
"""How fast something is said, 1 being as fast as it was."""


def change_tempo(features: NDArray[np.floating], tempo: float) -> NDArray[np.floating]:
    """Return features (T, F) float16 or float32 as (T / ``tempo``, F) float32, interpolated between frames."""
    if tempo == 1.0:
        return features
    num_frames = max(1, round(len(features) / tempo))
    rows = torch.from_numpy(np.ascontiguousarray(features, np.float32)).T[None]
    return torch.nn.functional.interpolate(rows, num_frames, mode="linear")[0].T.numpy()
