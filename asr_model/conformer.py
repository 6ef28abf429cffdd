"""A residual CNN under Conformer blocks: features → log-probabilities of tokens.

Shapes: B batch, S steps, D size of a step, N heads, V vocabulary.
Lengths are integers beside the tensor; whatever lies beyond them never reaches a valid step.
"""

from __future__ import annotations

from typing import Literal

import torch
from pydantic import Field, model_validator
from torch import Tensor, nn
from torch.nn.attention import SDPBackend, sdpa_kernel

from asr_model.layers import Dropout, length_mask
from asr_model.residual_cnn import ResidualCnn, ResidualCnnSettings

__all__ = ["Conformer", "ConformerSettings"]

ROTARY_BASE = 10000.0
"""The slowest pair of a head's numbers turns once in some 2π times as many steps (Su et al., 2021)."""

KERNELS = [SDPBackend.FLASH_ATTENTION, SDPBackend.EFFICIENT_ATTENTION, SDPBackend.MATH]
"""Of attention; cuDNN's is left out: it compiles itself anew for every shape there is."""
TRAINING_KERNELS = [SDPBackend.MATH]
"""On a processor, where flash attention takes three times as long for its gradient; its memory is of no concern there:
what is trained on is short."""


class ConformerSettings(ResidualCnnSettings):
    """Sizes of `Conformer`."""

    kind: Literal["conformer"] = "conformer"
    size: int = Field(default=192, ge=2)
    """Numbers of a step."""
    layers: int = Field(default=8, ge=1)
    heads: int = Field(default=4, ge=1)
    reach: int = Field(default=128, ge=1)
    """Steps that attention sees to either side: what is longer than the training's utterances sounds the same."""
    convolution_steps: int = Field(default=15, ge=1)
    """Steps that the convolution of a block sees; an odd number."""
    feed_forward: int = Field(default=4, ge=1)
    """Times ``size`` that a feed-forward layer is wide."""
    dropout: float = Field(default=0.1, ge=0, lt=1)

    @model_validator(mode="after")
    def _sizes_that_fit(self) -> ConformerSettings:
        if self.size % (2 * self.heads):
            raise ValueError(f"size {self.size}: wanted a multiple of twice the {self.heads} heads")
        if self.convolution_steps % 2 == 0:
            raise ValueError(f"convolution_steps {self.convolution_steps}: wanted an odd number")
        return self


class Conformer(ResidualCnn):
    """Residual CNN → linear → Conformer blocks → linear → log-softmax, for CTC.

    After Gulati et al. (2020), with rotary positions (Su et al., 2021), attention within a reach, and layer instead of
    batch normalization, which sees neither padding nor batch company.
    """

    def __init__(self, settings: ConformerSettings, num_features: int, vocabulary_size: int):
        super().__init__(settings, num_features)
        self.project = nn.Sequential(nn.Linear(self.convolved_size, settings.size), Dropout(settings.dropout))
        self.blocks = nn.ModuleList(ConformerBlock(settings) for _ in range(settings.layers))
        self.output = nn.Linear(settings.size, vocabulary_size)
        self.reach, self.head_size = settings.reach, settings.size // settings.heads

    def forward(self, features: Tensor, num_frames: Tensor) -> tuple[Tensor, Tensor]:
        """Return log-probabilities (B, S, V) float32 and output lengths (B,) of features (B, T, F), lengths (B,)."""
        x, lengths = self.convolve(features, num_frames)
        x = self.project(x)
        steps = torch.arange(x.shape[1], device=x.device)
        near = (steps[:, None] - steps).abs() <= self.reach
        valid = length_mask(lengths, x.shape[1])
        # Steps beyond the length see what is near too: a row that sees nothing would be NaN.
        heard = near & (valid[:, None, None, :].bool() | ~valid[:, None, :, None].bool())  # (B, 1, S, S)
        turns = rotations(steps, self.head_size)
        for block in self.blocks:
            x = block(x, valid[:, :, None], heard, turns)
        return self.output(x).float().log_softmax(-1), lengths


class ConformerBlock(nn.Module):
    """Half a feed-forward layer, attention, convolution, the other half, each beside an identity."""

    def __init__(self, settings: ConformerSettings):
        super().__init__()
        size, dropout = settings.size, settings.dropout
        self.before = _feed_forward(size, settings.feed_forward * size, dropout)
        self.attention = RotaryAttention(size, settings.heads, dropout)
        self.convolution = StepConvolution(size, settings.convolution_steps, dropout)
        self.after = _feed_forward(size, settings.feed_forward * size, dropout)
        self.norm = nn.LayerNorm(size)

    def forward(self, x: Tensor, valid: Tensor, heard: Tensor, turns: Tensor) -> Tensor:
        """Return (B, S, D) of the same shape; ``valid`` (B, S, 1) is 1 within the lengths, 0 beyond."""
        x = x + 0.5 * self.before(x)
        x = x + self.attention(x, heard, turns)
        x = x + self.convolution(x, valid)
        x = x + 0.5 * self.after(x)
        normalized: Tensor = self.norm(x)
        return normalized


class RotaryAttention(nn.Module):
    """Self-attention after normalization, whose positions are rotations of queries and keys."""

    def __init__(self, size: int, heads: int, dropout: float):
        super().__init__()
        self.heads = heads
        self.norm = nn.LayerNorm(size)
        self.inputs = nn.Linear(size, 3 * size)
        self.outputs = nn.Sequential(nn.Linear(size, size), Dropout(dropout))

    def forward(self, x: Tensor, heard: Tensor, turns: Tensor) -> Tensor:
        """Return (B, S, D); ``heard`` (B, 1, S, S) says which steps each one sees, ``turns`` are `rotations`."""
        parts = self.inputs(self.norm(x)).unflatten(-1, (3, self.heads, -1))  # (B, S, 3, N, D / N)
        query, key, value = parts.transpose(1, 3).unbind(2)  # (B, N, S, D / N)
        query, key = (rotate(part, turns).to(value.dtype) for part in (query, key))
        with sdpa_kernel(TRAINING_KERNELS if self.training and x.device.type == "cpu" else KERNELS):
            joined = nn.functional.scaled_dot_product_attention(query, key, value, attn_mask=heard)
        made: Tensor = self.outputs(joined.transpose(1, 2).flatten(2))
        return made


class StepConvolution(nn.Module):
    """A convolution over time, of each number apart, between two linear layers; the first one gates."""

    def __init__(self, size: int, steps: int, dropout: float):
        super().__init__()
        self.norm = nn.LayerNorm(size)
        self.inputs = nn.Sequential(nn.Linear(size, 2 * size), nn.GLU())
        self.convolution = nn.Conv1d(size, size, steps, padding=steps // 2, groups=size)
        self.outputs = nn.Sequential(nn.LayerNorm(size), nn.SiLU(), nn.Linear(size, size), Dropout(dropout))

    def forward(self, x: Tensor, valid: Tensor) -> Tensor:
        """Return (B, S, D) of the same shape; ``valid`` (B, S, 1) is 1 within the lengths, 0 beyond."""
        x = self.inputs(self.norm(x)) * valid
        x = self.convolution(x.transpose(1, 2)).transpose(1, 2)
        made: Tensor = self.outputs(x)
        return made


def rotations(steps: Tensor, head_size: int) -> Tensor:
    """Return the cosines and sines (2, S, head_size / 2) by which the pairs of a head's numbers turn at each step."""
    speeds = ROTARY_BASE ** -(torch.arange(0, head_size, 2, device=steps.device) / head_size)
    angles = steps[:, None] * speeds
    return torch.stack([angles.cos(), angles.sin()])


def rotate(x: Tensor, turns: Tensor) -> Tensor:
    """Return (…, S, head_size) with each pair of numbers turned, so that products depend on distances alone."""
    one, other = x.chunk(2, dim=-1)
    cosines, sines = turns
    return torch.cat([one * cosines - other * sines, one * sines + other * cosines], dim=-1)


def _feed_forward(size: int, width: int, dropout: float) -> nn.Module:
    widening = (nn.LayerNorm(size), nn.Linear(size, width), nn.SiLU(), Dropout(dropout))
    return nn.Sequential(*widening, nn.Linear(width, size), Dropout(dropout))
