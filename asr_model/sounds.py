"""Folders of noises and of rooms' impulse responses, local or remote, from which one is drawn for an utterance."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import lru_cache
from typing import BinaryIO

import numpy as np
from numpy.typing import NDArray

from asr_model.audio import AudioError, AudioSettings
from asr_model.channels import read_channels
from asr_model.records import Utterance

__all__ = ["Sounds"]

HELD = 32
"""Decoded sounds that a process keeps in memory."""
HELD_SECONDS = 120.0
"""Of a longer sound only the beginning is used, and read."""
_AUDIO = AudioSettings(min_seconds=0.0)


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
        most, num_samples = round(HELD_SECONDS * sample_rate), 0
        blocks = []
        try:
            with self._open(path) as file:
                for _, samples in read_channels(file, Utterance(path, path, channel="mix"), _AUDIO, sample_rate):
                    blocks.append(samples)
                    num_samples += len(samples)
                    if num_samples >= most:
                        break
        except (AudioError, OSError) as error:
            raise ValueError(f"{path}: not to be used as a noise or a room: {error}") from error
        return np.concatenate(blocks)[:most]
