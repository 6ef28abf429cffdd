"""Consistency regularization of CTC: what is heard in two views of an utterance should be the same.

Shapes: B batch, T frames, F features, S output steps, U tokens, V vocabulary.
"""

from __future__ import annotations

from torch import Tensor, nn

from asr_model.layers import length_mask
from asr_model.network import CtcNetwork, Loss, ctc_loss, steps_needed

__all__ = ["consistent_loss"]


def consistent_loss(
    network: CtcNetwork, features: Tensor, num_frames: Tensor, tokens: Tensor, num_tokens: Tensor, weight: float
) -> Loss:
    """Return the mean CTC loss of two views plus ``weight`` times their distance (CR-CTC, Yao et al., 2025).

    ``features`` (2B, T, F) with lengths (2B,) hold the first views of all utterances, then their second ones, of equal
    lengths; tokens (B, U) with lengths (B,) are of both. The distance is the mean of both Kullback-Leibler divergences,
    summed over the steps of feasible utterances; each view learns from the other, held fixed.
    """
    log_probs, num_steps = network(features, num_frames)
    made = ctc_loss(log_probs, num_steps, tokens.repeat(2, 1), num_tokens.repeat(2))
    one, other = log_probs.chunk(2)
    steps = num_steps[: len(tokens)]
    feasible = steps_needed(tokens, num_tokens) <= steps
    divergence = nn.functional.kl_div(one, other.detach(), reduction="none", log_target=True)
    divergence = divergence + nn.functional.kl_div(other, one.detach(), reduction="none", log_target=True)
    counted = length_mask(steps, log_probs.shape[1]) * feasible[:, None]
    distance = (divergence.sum(-1) * counted).sum() / 2
    return Loss(made.total / 2 + weight * distance, num_tokens[feasible].sum(), (~feasible).sum())
