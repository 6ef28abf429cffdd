"""The residual CNN that networks over spectrograms begin with.

Shapes: B batch, T frames, F features, S output steps, C channels.
Lengths are integers beside the tensor; whatever lies beyond them never reaches a valid step.
"""

from __future__ import annotations

import math
from typing import Annotated, Literal, Self, TypeVar

from pydantic import Field, model_validator
from torch import Tensor, nn

from asr_model.config import Settings
from asr_model.layers import Normalization, length_mask, normalization
from asr_model.network import CtcNetwork

__all__ = ["ResidualCnn", "ResidualCnnSettings"]

L = TypeVar("L", int, Tensor)
Stride = Annotated[int, Field(ge=1)] | Annotated[tuple[Annotated[int, Field(ge=1)], ...], Field(min_length=1)]


class ResidualCnnSettings(Settings):
    """Sizes of `ResidualCnn`."""

    channels: tuple[int, ...] = Field(default=(16, 32), min_length=1)
    """Channels of each convolution stage."""
    time_stride: Stride = 2
    """Frames that become one in each stage; a list gives each stage its own."""
    frequency_stride: Stride = 2
    """Bands that become one in each stage; a list gives each stage its own."""
    kernel_size: Literal[1, 3, 5, 7, 9, 11] = 3
    """Frames and bands that a convolution sees."""
    residual_blocks: int = Field(default=1, ge=0)
    """Residual blocks in each stage."""
    normalization: Normalization = "layer"
    """Of what enters a convolution or a layer after the CNN."""

    @model_validator(mode="after")
    def _one_stride_a_stage(self) -> Self:
        for name, stride in (("time_stride", self.time_stride), ("frequency_stride", self.frequency_stride)):
            if isinstance(stride, tuple) and len(stride) != len(self.channels):
                wanted = f"wanted one number, or one for each of the {len(self.channels)} stages of channels"
                raise ValueError(f"{name} {list(stride)}: {wanted}")
        return self

    def strides(self) -> list[tuple[int, int]]:
        """Return the (time, frequency) stride of each stage."""
        count = len(self.channels)
        each = [s if isinstance(s, tuple) else (s,) * count for s in (self.time_stride, self.frequency_stride)]
        return list(zip(*each, strict=True))


class ResidualCnn(CtcNetwork):
    """Convolution stages with pre-activation residual blocks (He et al., 2016).

    Layer normalization is over frequency, which unlike batch normalization sees neither padding nor batch company.
    """

    def __init__(self, settings: ResidualCnnSettings, num_features: int):
        super().__init__()
        self.frames_per_step = math.prod(time_stride for time_stride, _ in settings.strides())
        self.stages = nn.ModuleList()
        channels, bands, kernel = 1, num_features, settings.kernel_size
        for width, stride in zip(settings.channels, settings.strides(), strict=True):
            convolution = nn.Conv2d(channels, width, kernel, stride, padding=kernel // 2)
            self.stages.append(convolution)
            bands = _length(convolution, 1, bands)
            for _ in range(settings.residual_blocks):
                self.stages.append(ResidualBlock(width, bands, kernel, settings.normalization))
            channels = width
        self.convolved_size = channels * bands
        """Size of a step of what `convolve` returns."""

    def convolve(self, features: Tensor, num_frames: Tensor) -> tuple[Tensor, Tensor]:
        """Return steps (B, S, convolved_size) and their numbers (B,) of features (B, T, F), lengths (B,)."""
        x, lengths = features.unsqueeze(1), num_frames  # (B, C=1, T, F)
        x = x * length_mask(lengths, x.shape[2])[:, None, :, None]
        for stage in self.stages:
            if isinstance(stage, nn.Conv2d):
                x, lengths = stage(x), _length(stage, 0, lengths)
                x = x * length_mask(lengths, x.shape[2])[:, None, :, None]
            else:
                x = stage(x, length_mask(lengths, x.shape[2])[:, None, :, None])
        return x.transpose(1, 2).flatten(2), lengths


class ResidualBlock(nn.Module):
    """Two convolutions around an identity, each after normalization over frequency and GELU."""

    def __init__(self, channels: int, bands: int, kernel: int, norm: Normalization):
        super().__init__()
        self.norms = nn.ModuleList(normalization(norm, bands) for _ in range(2))
        self.convolutions = nn.ModuleList(nn.Conv2d(channels, channels, kernel, padding=kernel // 2) for _ in range(2))

    def forward(self, x: Tensor, mask: Tensor) -> Tensor:
        """Return (B, C, T, F) of the same shape; ``mask`` (B, 1, T, 1) is 1 within the true lengths."""
        y = x
        for norm, convolution in zip(self.norms, self.convolutions, strict=True):
            y = convolution(nn.functional.gelu(norm(y)) * mask)
        return (x + y) * mask


def _length(convolution: nn.Conv2d, axis: int, length: L) -> L:
    """Return the steps along time (axis 0) or frequency (axis 1) that a convolution makes of ``length``."""
    padding, kernel, stride = convolution.padding[axis], convolution.kernel_size[axis], convolution.stride[axis]
    return (length + 2 * int(padding) - kernel) // stride + 1
