"""Folders of noises and of rooms' impulse responses, local or remote, from which one is drawn for an utterance."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import lru_cache
from typing import BinaryIO

import numpy as np
from numpy.typing import NDArray

from asr_model.audio import AudioError, AudioSettings, decode, resample, select_channels

__all__ = ["Sounds"]

HELD = 32
"""Decoded sounds that a process keeps in memory."""
HELD_SECONDS = 120.0
"""Of a longer sound only the beginning is used."""
_AUDIO = AudioSettings(min_seconds=0.0, max_seconds=3600.0)


class Sounds:
    """Draws from folders; ``list_files`` names what lies in a folder, in a fixed order, and ``open_file`` opens it."""

    def __init__(self, list_files: Callable[[str], Sequence[str]], open_file: Callable[[str], BinaryIO]):
        self._list = lru_cache(list_files)
        self._open = open_file
        self._load = lru_cache(maxsize=HELD)(self._decode)

    def draw(self, folder: str, sample_rate: int, draw: np.random.Generator) -> NDArray[np.float32]:
        """Return the samples (N,) at ``sample_rate`` of one of a folder's files, its channels mixed.

        Raises:
            ValueError: the folder holds no file, or the file is no audio.
        """
        paths = self._list(folder)
        if not paths:
            raise ValueError(f"{folder}: no sounds to draw from")
        return self._load(paths[int(draw.integers(len(paths)))], sample_rate)

    def _decode(self, path: str, sample_rate: int) -> NDArray[np.float32]:
        try:
            with self._open(path) as file:
                audio = decode(file, _AUDIO)
        except (AudioError, OSError) as error:
            raise ValueError(f"{path}: not to be used as a noise or a room: {error}") from error
        ((_, samples),) = select_channels(audio, "mix", "mix")
        return resample(samples[: round(HELD_SECONDS * audio.sample_rate)], audio.sample_rate, sample_rate)
