"""Channels of a recording, read block after block: at the rate that is wanted, with their level and length."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from typing import BinaryIO

import numpy as np
from numpy.typing import NDArray

from asr_model.audio import Audio, AudioSettings, Resampler, decode_blocks, select_channels
from asr_model.level import LevelMeter, Levels
from asr_model.records import Utterance

__all__ = ["Channel", "read_channels"]


class Channel:
    """One channel; ``source`` is the recording without its samples, ``sample_rate`` what they are resampled to."""

    def __init__(self, number: int, source: Audio, sample_rate: int):
        self.number, self.sample_rate = number, sample_rate
        self.source = replace(source, samples=source.samples[:, :0].copy())
        self._resampler = Resampler(source.sample_rate, sample_rate)
        self._meter = LevelMeter()

    @property
    def levels(self) -> Levels:
        """How loud the source is."""
        return self._meter.levels

    @property
    def duration(self) -> float:
        """Counted seconds."""
        return self._meter.num_samples / self.source.sample_rate

    def add(self, samples: NDArray[np.float32]) -> NDArray[np.float32]:
        """Take a block (N,) of the source and return what of it, resampled, can be said by now."""
        self._meter.add(samples)
        return self._resampler.add(samples)

    def finish(self) -> NDArray[np.float32]:
        """Return the resampled end; nothing follows it."""
        end = self._resampler.finish()
        del self._resampler  # some hundred kB, and there may be ten thousand of them
        return end


def read_channels(
    file: BinaryIO, utterance: Utterance, settings: AudioSettings, sample_rate: int
) -> Iterator[tuple[Channel, NDArray[np.float32]]]:
    """Yield samples of each channel that an utterance wants, block after block, resampled to ``sample_rate``.

    Raises:
        AudioError: the audio cannot be used; what is wrong at the end is known only there.
    """
    channels: dict[int, Channel] = {}
    for block in decode_blocks(file, settings, utterance.offset, utterance.duration):
        for number, samples in select_channels(block, utterance.channel, settings.channels):
            if number not in channels:
                channels[number] = Channel(number, block, sample_rate)
            yield channels[number], channels[number].add(samples)
    for channel in channels.values():
        yield channel, channel.finish()
