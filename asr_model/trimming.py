"""Silence before and after the speech of a training utterance, and utterances of one fixed length.

Both are for training alone. A recognizer never meets the silence that trimming removes, because recordings are cut
at their pauses before they are recognized; and it takes utterances of any length, so nothing need be fixed then.
"""

from __future__ import annotations

import functools
import warnings
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray
from pydantic import Field, model_validator

from asr_model.audio import AudioError, resample
from asr_model.conditioning import require_package
from asr_model.config import Settings
from asr_model.segmentation import SegmentationSettings, speech_segments

__all__ = ["Trimming", "fix_length", "trim"]

SILERO_HZ = 16000


class Trimming(Settings):
    """Silence before the first and after the last speech of an utterance; pauses between stay."""

    kind: Literal["none", "energy", "silero"] = "none"
    """How speech is told from silence: by level over the noise floor, or by Silero's network (silero-vad)."""
    padding_seconds: float = Field(default=0.1, ge=0)
    """Kept of the silence on both sides."""

    @model_validator(mode="after")
    def _check(self) -> Trimming:
        if self.kind == "silero":
            require_package("silero_vad", "trimming.kind: silero")
        return self


def trim(samples: NDArray[np.float32], sample_rate: int, settings: Trimming) -> NDArray[np.float32]:
    """Return samples (N,) from the first to the last speech in them, a view.

    Raises:
        AudioError: ``no-speech``: none is found.
    """
    if settings.kind == "none":
        return samples
    find = _spans_by_energy if settings.kind == "energy" else _spans_by_silero
    spans = find(samples, sample_rate)
    if not spans:
        raise AudioError("no-speech", f"no speech found by {settings.kind} (trimming.kind)")
    padding = round(settings.padding_seconds * sample_rate)
    return samples[max(0, spans[0][0] - padding) : spans[-1][1] + padding]


def fix_length(samples: NDArray[np.float32], num_samples: int) -> NDArray[np.float32]:
    """Return the first ``num_samples`` of (N,); what is shorter is followed by silence."""
    return np.pad(samples[:num_samples], (0, max(0, num_samples - len(samples))))


def _spans_by_energy(samples: NDArray[np.float32], sample_rate: int) -> list[tuple[int, int]]:
    longest = len(samples) / sample_rate + 2
    return speech_segments(samples, sample_rate, SegmentationSettings(padding_seconds=0.0, max_seconds=longest))


def _spans_by_silero(samples: NDArray[np.float32], sample_rate: int) -> list[tuple[int, int]]:
    import silero_vad
    import torch

    heard = torch.from_numpy(np.ascontiguousarray(resample(samples, sample_rate, SILERO_HZ)))
    found = silero_vad.get_speech_timestamps(heard, _silero(), sampling_rate=SILERO_HZ, speech_pad_ms=0)
    scale = sample_rate / SILERO_HZ
    return [(round(span["start"] * scale), round(span["end"] * scale)) for span in found]


@functools.cache
def _silero() -> Any:
    """Return the network that lies in the package, loaded once in a process."""
    import silero_vad

    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", ".*torch.jit.*", DeprecationWarning)
        return silero_vad.load_silero_vad()
