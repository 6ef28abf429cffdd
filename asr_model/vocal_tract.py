"""Views of an utterance as speakers of other sizes would have said it.

Shapes: B batch, T frames, F features.
"""

from __future__ import annotations

from typing import Annotated

import torch
from pydantic import Field
from torch import Tensor

__all__ = ["VocalTracts", "stretch_bands"]

VocalTracts = Annotated[tuple[Annotated[float, Field(ge=0.5, le=2.0)], ...], Field(min_length=1)]
"""Lengths of the vocal tract, the speaker's own being 1."""


def stretch_bands(features: Tensor, factor: float) -> Tensor:
    """Return features (B, T, F) with band f taken from band f · ``factor``, as of a longer vocal tract if above 1."""
    if factor == 1.0:
        return features
    last = features.shape[2] - 1
    bands = (torch.arange(last + 1, device=features.device) * factor).clamp(max=last)
    below = bands.long()
    return torch.lerp(features[..., below], features[..., (below + 1).clamp(max=last)], bands - below)
