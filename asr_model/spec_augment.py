"""Features of a batch, changed anew in every epoch: pauses, tempo, vocal tract, noise, and masks over time and bands.

Shapes: B batch, T frames, F features.
"""

from __future__ import annotations

import torch
from pydantic import Field
from torch import Tensor
from torchaudio.transforms import SpecAugment

from asr_model.config import Settings
from asr_model.layers import length_mask

__all__ = ["SpecAugmentSettings", "add_margins", "add_noise", "spec_augment", "warp"]

LOWEST_NOISE = -2.0
"""Level of a noise that is not heard, in standard deviations of the features."""
NOISE_SLOPE = 1.0
"""A noise's bands are up to this much louder at one end than in the middle."""
NOISE_DEVIATION = 0.2
"""Of a noise from its own level, from frame to frame and band to band."""
NATS = 2.5
"""What a standard deviation of log energies is taken for: speech and its pauses differ by some four."""
QUIET = 0.05
"""Part of an utterance's frames that is quieter than its margins may begin to be."""
DEPTH = 2.0
"""A margin is up to this much quieter still: pauses of other recordings, and digital silence."""


class SpecAugmentSettings(Settings):
    """Masks (Park et al., 2019) and warps; widths in frames and bands; zero masks and changes turn it off."""

    num_time_masks: int = Field(default=2, ge=0)
    max_time_mask: int = Field(default=40, ge=1)
    max_time_ratio: float = Field(default=0.2, gt=0, le=1)
    """No time mask is wider than this part of the longest utterance in the batch."""
    num_frequency_masks: int = Field(default=2, ge=0)
    max_frequency_mask: int = Field(default=15, ge=1)
    max_tempo_change: float = Field(default=0.1, ge=0, le=0.5)
    """Every utterance is played at a tempo drawn from 1 ± this."""
    max_vocal_tract_change: float = Field(default=0.1, ge=0, le=0.5)
    """Every utterance's bands are stretched by a factor drawn from 1 ± this (Jaitly and Hinton, 2013)."""
    max_noise: float | None = Field(default=None, gt=LOWEST_NOISE, le=2)
    """Every utterance gets a steady noise of a level up to this, 0 being the mean of its features: at 0.3, half of them
    hear some. For log energies that are normalized for each utterance."""
    max_margin: int = Field(default=0, ge=0)
    """Half of the utterances get up to this many frames of a pause before them and after them, so that less is learned
    from where in a recording speech begins. For log energies that are normalized for each utterance."""


def spec_augment(
    features: Tensor, num_frames: Tensor, settings: SpecAugmentSettings, views: int = 1
) -> tuple[Tensor, Tensor]:
    """Return warped and masked features (views · B, T', F) and their lengths; draws from torch's global generator.

    The views of an utterance differ in vocal tract, noise and masks, and share one tempo and its pauses: their frames
    are of the same sounds.
    """
    if settings.max_margin:
        features, num_frames = add_margins(features, num_frames, settings.max_margin)
    features, num_frames = warp(features, num_frames, settings, views)
    if settings.max_noise is not None:
        features = add_noise(features, num_frames, settings.max_noise)
    masks = SpecAugment(
        n_time_masks=settings.num_time_masks,
        time_mask_param=settings.max_time_mask,
        n_freq_masks=settings.num_frequency_masks,
        freq_mask_param=settings.max_frequency_mask,
        p=settings.max_time_ratio,
        zero_masking=True,
    )
    return masks(features.transpose(1, 2)).transpose(1, 2), num_frames


def warp(features: Tensor, num_frames: Tensor, settings: SpecAugmentSettings, views: int = 1) -> tuple[Tensor, Tensor]:
    """Return ``views`` times features (B, T, F) at other tempi and of other vocal tracts, and their lengths."""
    size, frames, bands = features.shape
    device = features.device
    features, num_frames = features.repeat(views, 1, 1), num_frames.repeat(views)
    if not settings.max_tempo_change and not settings.max_vocal_tract_change:
        return features, num_frames
    draws = 2 * torch.rand(1 + views, size, device=device) - 1
    tempo = (1 + draws[0] * settings.max_tempo_change).repeat(views)
    tract = (1 + draws[1:] * settings.max_vocal_tract_change).flatten()
    lengths = (num_frames / tempo).round().long().clamp(min=1)
    steps = torch.arange(int(lengths.max()), device=device) + 0.5
    time = (steps * (num_frames / lengths)[:, None] - 0.5).clamp(min=0).minimum(num_frames[:, None] - 1)
    band = (torch.arange(bands, device=device) * tract[:, None]).clamp(max=bands - 1)
    # grid_sample counts from -1 at the first to 1 at the last point.
    x = (2 * band / max(bands - 1, 1) - 1)[:, None, :].expand(-1, len(steps), -1)
    y = (2 * time / max(frames - 1, 1) - 1)[:, :, None].expand(-1, -1, bands)
    grid = torch.stack([x, y], dim=-1)
    warped = torch.nn.functional.grid_sample(features[:, None], grid, padding_mode="border", align_corners=True)
    return warped[:, 0], lengths


def add_noise(features: Tensor, num_frames: Tensor, highest: float) -> Tensor:
    """Return normalized log energies (B, T, F) with a noise of a level up to ``highest``, normalized again.

    The noise's slope over the bands is drawn, too, and energies add up.
    """
    size, _, bands = features.shape
    level, slope = torch.rand(2, size, 1, 1, device=features.device)
    level = LOWEST_NOISE + level * (highest - LOWEST_NOISE)
    across = torch.linspace(-NOISE_SLOPE, NOISE_SLOPE, bands, device=features.device)
    noise = level + (2 * slope - 1) * across + NOISE_DEVIATION * torch.randn_like(features)
    return _normalized(torch.logaddexp(NATS * features, NATS * noise) / NATS, num_frames)


def add_margins(features: Tensor, num_frames: Tensor, longest: int) -> tuple[Tensor, Tensor]:
    """Return normalized log energies (B, T', F) and their lengths, half of them between pauses of up to ``longest``.

    A pause is as loud in every band as the utterance where it is quiet, or quieter by a draw.
    """
    size, frames, bands = features.shape
    device = features.device
    before, after = torch.randint(longest + 1, (2, size), device=device) * torch.randint(2, (size,), device=device)
    lengths = num_frames + before + after
    places = torch.arange(int(lengths.max()), device=device) - before[:, None]
    spoken = ((places >= 0) & (places < num_frames[:, None]))[:, :, None]
    inner = features.gather(1, places.clamp(0, frames - 1)[:, :, None].expand(-1, -1, bands))
    beyond = length_mask(num_frames, frames)[:, :, None] == 0
    ranks = (QUIET * num_frames).long()[:, None, None].expand(-1, 1, bands)
    quiet = features.masked_fill(beyond, torch.inf).sort(dim=1).values.gather(1, ranks)
    pause = quiet - DEPTH * torch.rand(size, 1, 1, device=device) + NOISE_DEVIATION * torch.randn_like(inner)
    return _normalized(torch.where(spoken, inner, pause), lengths), lengths


def _normalized(features: Tensor, num_frames: Tensor) -> Tensor:
    """Return features (B, T, F) of mean 0 and standard deviation 1 over the frames of each utterance, 0 beyond."""
    valid = length_mask(num_frames, features.shape[1])[:, :, None]
    count = num_frames[:, None, None]
    centred = (features - (features * valid).sum(dim=1, keepdim=True) / count) * valid
    return centred / (centred.square().sum(dim=1, keepdim=True) / count).sqrt().clamp(min=1e-3)
