"""What training and recognition know of a network: its loss and its decoding, whatever the kind.

Shapes: B batch, T frames, F features, S output steps, U tokens, V vocabulary.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import torch
from torch import Tensor, nn

from asr_model.decoding import Hypothesis, greedy
from asr_model.text import Alphabet

__all__ = ["CtcNetwork", "Loss", "Network", "ctc_loss", "steps_needed"]


@dataclass(frozen=True)
class Loss:
    """A batch's loss: its sum ``total``, the ``num_tokens`` it is the sum over, and utterances left out of it."""

    total: Tensor
    num_tokens: Tensor
    infeasible: Tensor


class Network(nn.Module):
    """Base of every architecture. Whatever lies beyond an utterance's length never reaches what is made of it."""

    TOKEN_WEIGHTS: ClassVar[tuple[str, ...]] = ("output.weight", "output.bias")
    """Names of the weights with a row for every token of the alphabet; another alphabet gets others of them."""

    frames_per_step: int = 1
    """Feature frames that become one output step, by which the times of words are told."""

    def loss(self, features: Tensor, num_frames: Tensor, tokens: Tensor, num_tokens: Tensor) -> Loss:
        """Return the loss of features (B, T, F) with lengths (B,) and tokens (B, U) with lengths (B,)."""
        raise NotImplementedError

    def decode(self, features: Tensor, num_frames: Tensor, alphabet: Alphabet) -> list[Hypothesis]:
        """Return the hypothesis of each utterance of features (B, T, F) with lengths (B,), without a language model."""
        raise NotImplementedError


class CtcNetwork(Network):
    """A network whose call returns log-probabilities (B, S, V) float32 and their lengths (B,); token 0 is the blank."""

    def loss(self, features: Tensor, num_frames: Tensor, tokens: Tensor, num_tokens: Tensor) -> Loss:
        """Return the CTC loss (Graves et al., 2006)."""
        log_probs, num_steps = self(features, num_frames)
        return ctc_loss(log_probs, num_steps, tokens, num_tokens)

    def decode(self, features: Tensor, num_frames: Tensor, alphabet: Alphabet) -> list[Hypothesis]:
        """Return the best paths."""
        log_probs, num_steps = self(features, num_frames)
        return [greedy(row, steps, alphabet) for row, steps in zip(log_probs.cpu(), num_steps.tolist(), strict=True)]


def ctc_loss(log_probs: Tensor, num_steps: Tensor, tokens: Tensor, num_tokens: Tensor) -> Loss:
    """Return the CTC loss of log-probabilities (B, S, V) with lengths (B,).

    A text that needs more steps than there are has an infinite loss: it is left out, and counted.
    """
    feasible = steps_needed(tokens, num_tokens) <= num_steps
    total = nn.functional.ctc_loss(
        log_probs.transpose(0, 1), tokens, num_steps, num_tokens, reduction="sum", zero_infinity=True
    )
    return Loss(total, num_tokens[feasible].sum(), (~feasible).sum())


def steps_needed(tokens: Tensor, num_tokens: Tensor) -> Tensor:
    """Return the fewest steps CTC can write (B, U) tokens in: their number, and a blank between equal ones."""
    within = torch.arange(1, tokens.shape[1], device=tokens.device) < num_tokens[:, None]
    repeats = (tokens[:, 1:] == tokens[:, :-1]) & within
    return num_tokens + repeats.sum(dim=1)
