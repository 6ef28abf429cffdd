"""A residual CNN under bidirectional LSTM layers: features → log-probabilities of tokens.

Shapes: B batch, T frames, F features, S output steps, V vocabulary, H hidden.
"""

from __future__ import annotations

from typing import Literal

from pydantic import Field
from torch import Tensor, nn

from asr_model.layers import BiLstm, Dropout
from asr_model.residual_cnn import ResidualCnn, ResidualCnnSettings

__all__ = ["CnnBiLstm", "CnnBiLstmSettings"]


class CnnBiLstmSettings(ResidualCnnSettings):
    """Sizes of `CnnBiLstm`."""

    kind: Literal["cnn_bilstm"] = "cnn_bilstm"
    lstm_size: int = Field(default=256, ge=1)
    """Units of one direction of one LSTM layer."""
    lstm_layers: int = Field(default=2, ge=1)
    dropout: float = Field(default=0.15, ge=0, lt=1)


class CnnBiLstm(ResidualCnn):
    """Residual CNN → linear → bidirectional LSTM layers → linear → log-softmax, for CTC.

    After Deep Speech 2 (Amodei et al., 2016).
    """

    def __init__(self, settings: CnnBiLstmSettings, num_features: int, vocabulary_size: int):
        super().__init__(settings, num_features)
        size = settings.lstm_size
        self.project = nn.Sequential(nn.Linear(self.convolved_size, size), nn.GELU(), Dropout(settings.dropout))
        self.lstm = nn.ModuleList(
            BiLstm(2 * size if layer else size, size, settings.dropout, settings.normalization)
            for layer in range(settings.lstm_layers)
        )
        self.output = nn.Linear(2 * size, vocabulary_size)

    def forward(self, features: Tensor, num_frames: Tensor) -> tuple[Tensor, Tensor]:
        """Return log-probabilities (B, S, V) float32 and output lengths (B,) of features (B, T, F), lengths (B,)."""
        x, lengths = self.convolve(features, num_frames)
        x = self.project(x)  # (B, S, H)
        for layer in self.lstm:
            x = layer(x, lengths)
        return self.output(x).float().log_softmax(-1), lengths
