"""Recognizers trained elsewhere, behind the interface of ours: Whisper (Radford et al., 2022) by faster-whisper."""

from __future__ import annotations

import hashlib
import importlib.util
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from asr_model.alignment import SpokenWord
from asr_model.config import SettingsError
from asr_model.decoding import DecoderChoice, Greedy, Hypothesis, Tuned
from asr_model.recognizer import RecognizerError

__all__ = ["WHISPER", "Whisper", "load_whisper"]

WHISPER = "whisper:"
"""What stands before the folder of a model where a recognizer is named."""
NO_REPEAT_NGRAM = 5
"""Tokens in a row that may come but once in a window: Whisper itself escapes from endless loops by chance only."""
BEAM_SIZE = 5
"""As Whisper's authors have it."""


@dataclass(frozen=True)
class Whisper:
    """Turns samples into text as Whisper writes it, with capitals and punctuation.

    ``digest`` identifies the files of ``model``. Segments are recognized one by one, so that none depends on another;
    never by sampling, which would not give the same text twice.
    """

    model: Any
    digest: str
    decoder: DecoderChoice

    @property
    def sample_rate(self) -> int:
        """Samples of a second that `recognize` wants."""
        return 16000

    @property
    def step_seconds(self) -> float:
        """Seconds between two steps of time that words are placed in."""
        return 0.02

    def recognize(self, segments: Sequence[NDArray[np.float32]], batch_frames: int = 0) -> list[Hypothesis]:
        """Return the hypothesis of each segment: samples (N,) float32 at 16 kHz, never batched."""
        return [self._recognize(samples) for samples in segments]

    def _recognize(self, samples: NDArray[np.float32]) -> Hypothesis:
        parts, _ = self.model.transcribe(
            samples,
            beam_size=1 if isinstance(self.decoder, Greedy) else BEAM_SIZE,
            temperature=0.0,
            no_repeat_ngram_size=NO_REPEAT_NGRAM,
            condition_on_previous_text=False,
            word_timestamps=True,
        )
        words = [word for part in parts for word in part.words or () if word.word.strip()]
        return Hypothesis.of(
            [
                SpokenWord(word.word.strip(), self._step(word.start), self._step(word.end), word.probability)
                for word in words
            ]
        )

    def _step(self, seconds: float) -> float:
        """Return seconds in steps; half a step is taken off again where steps become seconds."""
        return seconds / self.step_seconds + 0.5


def load_whisper(folder: str, asked: DecoderChoice) -> Whisper:
    """Return the Whisper model of a folder in CTranslate2's format, which must lie on every worker's own disk.

    Raises:
        SettingsError: faster-whisper is not installed, or the decoder is none of Whisper's.
        RecognizerError: the folder holds no such model.
    """
    if importlib.util.find_spec("faster_whisper") is None:
        raise SettingsError(f"--recognizer {WHISPER}{folder}: not installed; it is in the extra beamscribe[whisper]")
    if not isinstance(asked, Tuned | Greedy):
        raise SettingsError(f"decoder.kind: {asked.kind} is none of Whisper's; wanted recognizer (beam of 5) or greedy")
    if asked.model_extra:
        raise SettingsError(f"decoder.{next(iter(asked.model_extra))}: Whisper's decoder has no settings")
    files = sorted(path for path in Path(folder).glob("*") if path.is_file())
    if not any(path.name == "model.bin" for path in files):
        raise RecognizerError(f"{folder}: no Whisper model in CTranslate2's format (no model.bin)")
    from faster_whisper import WhisperModel

    model = WhisperModel(folder, device="cpu", compute_type="int8", cpu_threads=1, num_workers=1)
    return Whisper(model, _digest(files), asked)


def _digest(files: list[Path]) -> str:
    total = hashlib.blake2b(digest_size=8)
    for path in files:
        total.update(path.name.encode())
        with open(path, "rb") as file:
            total.update(hashlib.file_digest(file, "blake2b").digest())
    return total.hexdigest()
