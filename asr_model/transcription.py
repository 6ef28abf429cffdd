"""Recordings → transcripts: channels, speech segments, recognition."""

from __future__ import annotations

from dataclasses import dataclass
from typing import BinaryIO

import numpy as np
from numpy.typing import NDArray
from pydantic import Field

from asr_model.audio import Audio, AudioSettings, decode, resample, select_channels
from asr_model.config import Settings
from asr_model.decoding import DecoderChoice, Hypothesis, Tuned
from asr_model.external import Whisper
from asr_model.level import Levels, levels_of
from asr_model.recognizer import Recognizer
from asr_model.records import Layout, Segment, Transcript, Utterance, Word
from asr_model.segmentation import SegmentationSettings, speech_segments

__all__ = ["Speech", "TranscribeSettings", "find_speech", "transcribe"]


class TranscribeSettings(Settings):
    """The settings of `transcribe`; features and alphabet come from the recognizer."""

    corpus: Layout = "auto"
    """How the archive lies on disk; ``auto``: what is found there."""
    audio: AudioSettings = AudioSettings()
    segmentation: SegmentationSettings = SegmentationSettings()
    decoder: DecoderChoice = Tuned()
    batch_frames: int = Field(default=12000, ge=1)
    """Feature frames recognized at once, padding included."""
    unit_minutes: float = Field(default=10.0, gt=0)
    """Audio in a work unit; raise it for archives of more than some thousand hours."""
    max_failure_rate: float = Field(default=0.05, ge=0, le=1)


@dataclass(frozen=True)
class Speech:
    """The speech in one channel of a recording: where, and its samples (N,) float32 at ``sample_rate`` Hz."""

    utterance: Utterance
    channel: int
    source: Audio
    levels: Levels
    sample_rate: int
    spans: list[tuple[int, int]]
    samples: NDArray[np.float32]

    @property
    def pieces(self) -> list[NDArray[np.float32]]:
        """Samples of each stretch of speech."""
        return [self.samples[start:end] for start, end in self.spans]

    @property
    def times(self) -> list[tuple[float, float]]:
        """Start and end of each stretch in seconds from the start of the recording, of which this may be a segment."""
        begin = self.utterance.offset or 0.0
        return [(begin + start / self.sample_rate, begin + end / self.sample_rate) for start, end in self.spans]


def find_speech(file: BinaryIO, utterance: Utterance, settings: TranscribeSettings, sample_rate: int) -> list[Speech]:
    """Decode a recording, resample it to ``sample_rate``, and return the speech in each channel wanted.

    Raises:
        AudioError: the audio cannot be used.
    """
    audio = decode(file, settings.audio, utterance.offset, utterance.duration)
    found = []
    for channel, native in select_channels(audio, utterance.channel, settings.audio.channels):
        samples = resample(native, audio.sample_rate, sample_rate)
        spans = speech_segments(samples, sample_rate, settings.segmentation)
        found.append(Speech(utterance, channel, audio, levels_of(native), sample_rate, spans, samples))
    return found


def transcribe(speeches: list[Speech], recognizer: Recognizer | Whisper, batch_frames: int) -> list[Transcript]:
    """Return a transcript for each of ``speeches``, recognized together."""
    hypotheses = iter(recognizer.recognize([piece for s in speeches for piece in s.pieces], batch_frames))
    step = recognizer.step_seconds
    return [_transcript(speech, [next(hypotheses) for _ in speech.spans], step) for speech in speeches]


def _transcript(speech: Speech, hypotheses: list[Hypothesis], step_seconds: float) -> Transcript:
    utterance, source = speech.utterance, speech.source
    segments = [
        Segment(
            start=round(start, 3),
            end=round(end, 3),
            text=hypothesis.text,
            confidence=round(hypothesis.confidence, 3),
        )
        for (start, end), hypothesis in zip(speech.times, hypotheses, strict=True)
        if hypothesis.text
    ]
    seconds = sum(s.end - s.start for s in segments)
    return Transcript(
        audio_filepath=utterance.audio_filepath,
        channel=speech.channel,
        pred_text=" ".join(s.text for s in segments),
        confidence=round(sum(s.confidence * (s.end - s.start) for s in segments) / seconds, 3) if segments else None,
        duration=round(source.duration, 6),
        sample_rate=source.sample_rate,
        codec=source.codec,
        num_channels=source.num_channels,
        segments=segments,
        words=[
            word
            for (start, end), hypothesis in zip(speech.times, hypotheses, strict=True)
            for word in _words(hypothesis, start, end, step_seconds)
        ],
        text=utterance.text,
        speaker=utterance.speaker,
        extra=utterance.extra,
        offset=utterance.offset,
        num_bytes=source.num_bytes,
        **speech.levels._asdict(),
    )


def _words(hypothesis: Hypothesis, start: float, end: float, step_seconds: float) -> list[Word]:
    """Return the words of a segment that lasts from ``start`` to ``end`` seconds, inside of which they stay."""
    return [
        Word(
            text=word.text,
            start=round(max(start, start + (word.start - 0.5) * step_seconds), 3),
            end=round(min(end, start + (word.end - 0.5) * step_seconds), 3),
            confidence=round(word.confidence, 3),
        )
        for word in hypothesis.words
    ]
