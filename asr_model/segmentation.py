"""Recording → speech segments, by energy: what lies between long pauses. In bounded memory."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray
from pydantic import Field

from asr_model.config import Settings

__all__ = ["SegmentationSettings", "Segmenter", "speech_segments"]

FRAME_SECONDS = 0.01
SILENCE_DB = -70.0
"""Root mean square (0 dB: full scale) below which nothing is speech."""
MIN_CONTRAST_DB = 10.0
"""Where loud and quiet frames lie closer than this, there is no telling speech from pause: all is one stretch."""

STRETCH_SECONDS = 300.0
"""A longer recording is cut stretch by stretch of about this, each by what is loud and quiet in it."""


class SegmentationSettings(Settings):
    """Where a recording is cut; times in seconds."""

    threshold: float = Field(default=0.3, ge=0, le=1)
    """Where speech begins, on the way from the noise floor (0) to the loud parts (1), in decibels."""
    min_pause_seconds: float = Field(default=0.9, gt=0)
    """Shorter pauses stay inside a segment."""
    padding_seconds: float = Field(default=0.5, ge=0)
    """What is kept of the pause on both sides."""
    min_speech_seconds: float = Field(default=0.05, ge=0)
    """Shorter sounds between pauses are clicks."""
    max_seconds: float = Field(default=20.0, gt=1)
    """Longer stretches are cut at their quietest place."""


def speech_segments(
    samples: NDArray[np.float32], sample_rate: int, settings: SegmentationSettings
) -> list[tuple[int, int]]:
    """Return (start, end) of each stretch of speech in samples (N,), counted in samples, in order, not overlapping."""
    frame = round(sample_rate * FRAME_SECONDS)
    num_frames = len(samples) // frame
    if not num_frames:
        return [(0, len(samples))] if len(samples) else []
    levels = _levels(samples[: num_frames * frame].reshape(num_frames, frame))
    quiet, loud = np.percentile(np.maximum(levels, SILENCE_DB), [10, 98])
    if loud - quiet < MIN_CONTRAST_DB:
        active = np.full(num_frames, loud > SILENCE_DB)
    else:
        active = levels > quiet + settings.threshold * (loud - quiet)
    segments: list[tuple[int, int]] = []
    padding = round(settings.padding_seconds / FRAME_SECONDS)
    speech_end = 0
    for start, end in _stretches(active, settings):
        padded = (max(0, start - padding), min(num_frames, end + padding))
        if segments and padded[0] < segments[-1][1]:  # paddings meet: the pause is shared
            middle = (speech_end + start) // 2
            segments[-1], padded = (segments[-1][0], middle), (middle, padded[1])
        segments.append(padded)
        speech_end = end
    cut = [piece for segment in segments for piece in _cut(*segment, levels, settings.max_seconds)]
    # The last frame is followed by less than a frame of samples, which belong to it.
    return [(start * frame, len(samples) if end == num_frames else end * frame) for start, end in cut]


class Segmenter:
    """`speech_segments` of samples that come block after block, of which only the last stretch is held."""

    def __init__(self, sample_rate: int, settings: SegmentationSettings):
        self._sample_rate, self._settings = sample_rate, settings
        pause = settings.min_pause_seconds + settings.padding_seconds
        self._pause = round(pause * sample_rate)
        self._stretch = round((STRETCH_SECONDS + settings.max_seconds + pause) * sample_rate)
        self._begin = 0
        self._held = np.empty(0, np.float32)

    def add(self, samples: NDArray[np.float32]) -> Iterator[tuple[int, NDArray[np.float32]]]:
        """Take a block (N,) and yield start and samples of each segment that is complete."""
        held, place = np.concatenate([self._held, samples]), 0
        while len(held) - place > self._stretch:
            stretch = held[place : place + self._stretch]
            spans = speech_segments(stretch, self._sample_rate, self._settings)
            # Speech near the end may go on: it is looked at again together with what follows.
            goes_on = spans and spans[-1][1] > len(stretch) - self._pause
            rest = spans.pop()[0] if goes_on else len(stretch) - self._pause
            yield from self._segments(stretch, spans)
            place, self._begin = place + rest, self._begin + rest
        self._held = held[place:].copy()

    def finish(self) -> Iterator[tuple[int, NDArray[np.float32]]]:
        """Yield start and samples of each segment that is left."""
        yield from self._segments(self._held, speech_segments(self._held, self._sample_rate, self._settings))

    def _segments(
        self, samples: NDArray[np.float32], spans: list[tuple[int, int]]
    ) -> Iterator[tuple[int, NDArray[np.float32]]]:
        for start, end in spans:
            yield self._begin + start, samples[start:end].copy()  # a view would keep all of the samples


def _levels(frames: NDArray[np.float32]) -> NDArray[np.float64]:
    """Return the root mean square level of (T, samples) frames in decibels, over 3 frames, without the offset."""
    power = frames.var(axis=1, dtype=np.float64)
    smooth = np.convolve(np.pad(power, 1, mode="edge"), np.full(3, 1 / 3), mode="valid")
    levels: NDArray[np.float64] = 10 * np.log10(np.maximum(smooth, 1e-12))
    return levels


def _stretches(active: NDArray[np.bool_], settings: SegmentationSettings) -> list[tuple[int, int]]:
    edges = np.flatnonzero(np.diff(np.concatenate([[False], active, [False]]).astype(np.int8)))
    stretches: list[tuple[int, int]] = []
    for start, end in edges.reshape(-1, 2).tolist():
        if stretches and (start - stretches[-1][1]) * FRAME_SECONDS < settings.min_pause_seconds:
            stretches[-1] = (stretches[-1][0], end)
        else:
            stretches.append((start, end))
    return [(s, e) for s, e in stretches if (e - s) * FRAME_SECONDS >= settings.min_speech_seconds]


def _cut(start: int, end: int, levels: NDArray[np.float64], max_seconds: float) -> list[tuple[int, int]]:
    """Cut a segment that is too long at the quietest frame of its second half, again and again."""
    longest = int(max_seconds / FRAME_SECONDS)
    pieces = []
    while end - start > longest:
        middle = start + longest // 2
        place = middle + int(np.argmin(levels[middle : start + longest]))
        pieces.append((start, place))
        start = place
    return [*pieces, (start, end)]
