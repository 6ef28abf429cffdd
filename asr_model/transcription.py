"""Recordings → transcripts: channels, speech segments, recognition."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import BinaryIO

import numpy as np
from numpy.typing import NDArray
from pydantic import Field

from asr_model.audio import AudioError, AudioSettings
from asr_model.channels import Channel, read_channels
from asr_model.config import Settings
from asr_model.decoding import DecoderChoice, Hypothesis, Tuned
from asr_model.external import Whisper
from asr_model.memory import give_back_memory
from asr_model.recognizer import Recognizer
from asr_model.records import Layout, Segment, Transcript, Utterance, Word
from asr_model.segmentation import SegmentationSettings, Segmenter
from asr_model.tempo import Tempo
from asr_model.vocal_tract import VocalTracts

__all__ = ["Speech", "TranscribeSettings", "Transcriber"]

WAITING_SECONDS = 300.0
"""Speech that is recognized together, so that segments of like length are found for each batch."""


class TranscribeSettings(Settings):
    """The settings of `transcribe`; features and alphabet come from the recognizer."""

    corpus: Layout = "auto"
    """How the archive lies on disk; ``auto``: what is found there."""
    audio: AudioSettings = AudioSettings()
    segmentation: SegmentationSettings = SegmentationSettings()
    decoder: DecoderChoice = Tuned()
    vocal_tracts: VocalTracts | None = None
    """Speakers as whom each utterance is heard; None: as the recognizer was tuned. ``[1.0]`` is least work."""
    tempo: Tempo | None = None
    """How fast it is heard, 1 being as it was said; None: as the recognizer was tuned."""
    batch_frames: int = Field(default=12000, ge=1)
    """Feature frames recognized at once, padding included."""
    unit_minutes: float = Field(default=10.0, gt=0)
    """Audio in a work unit; raise it for archives of more than some thousand hours."""
    max_failure_rate: float = Field(default=0.05, ge=0, le=1)


@dataclass
class Speech:
    """What is said in one channel of a recording: where, in samples at the channel's rate, and in which words."""

    utterance: Utterance
    channel: Channel
    spans: list[tuple[int, int]] = field(default_factory=list)
    hypotheses: list[Hypothesis] = field(default_factory=list)

    @property
    def times(self) -> list[tuple[float, float]]:
        """Start and end of each stretch in seconds from the start of the recording, of which this may be a segment."""
        begin = self.utterance.offset or 0.0
        rate = self.channel.sample_rate
        return [(begin + start / rate, begin + end / rate) for start, end in self.spans]


class Transcriber:
    """Transcribes recordings one after the other, however long: what waits to be recognized together is bounded."""

    def __init__(self, recognizer: Recognizer | Whisper, settings: TranscribeSettings):
        self._recognizer, self._settings = recognizer, settings
        self._waiting: list[tuple[Speech, NDArray[np.float32]]] = []
        self._num_waiting = 0

    def listen(self, file: BinaryIO, utterance: Utterance) -> list[Speech]:
        """Read a recording and return what is said in each channel wanted, complete after `transcripts`.

        Raises:
            AudioError: the audio cannot be used.
        """
        settings, sample_rate = self._settings, self._recognizer.sample_rate
        heard: dict[Channel, tuple[Speech, Segmenter]] = {}
        try:
            for channel, samples in read_channels(file, utterance, settings.audio, sample_rate):
                if channel not in heard:
                    heard[channel] = Speech(utterance, channel), Segmenter(sample_rate, settings.segmentation)
                speech, segmenter = heard[channel]
                self._wait(speech, segmenter.add(samples))
            for speech, segmenter in heard.values():
                self._wait(speech, segmenter.finish())
        except AudioError:
            self._waiting = [waiting for waiting in self._waiting if waiting[0].utterance is not utterance]
            raise
        return [speech for speech, _ in heard.values()]

    def transcripts(self, speeches: list[Speech]) -> list[Transcript]:
        """Recognize what waits and return the transcript of each of ``speeches``."""
        self._recognize()
        return [_transcript(speech, self._recognizer.step_seconds) for speech in speeches]

    def _wait(self, speech: Speech, segments: Iterable[tuple[int, NDArray[np.float32]]]) -> None:
        for start, samples in segments:
            speech.spans.append((start, start + len(samples)))
            self._waiting.append((speech, samples))
            self._num_waiting += len(samples)
            if self._num_waiting > WAITING_SECONDS * self._recognizer.sample_rate:
                self._recognize()

    def _recognize(self) -> None:
        found = self._recognizer.recognize([samples for _, samples in self._waiting], self._settings.batch_frames)
        for (speech, _), hypothesis in zip(self._waiting, found, strict=True):
            speech.hypotheses.append(hypothesis)
        self._waiting, self._num_waiting = [], 0
        give_back_memory()


def _transcript(speech: Speech, step_seconds: float) -> Transcript:
    utterance, source, hypotheses = speech.utterance, speech.channel.source, speech.hypotheses
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
        channel=speech.channel.number,
        pred_text=" ".join(s.text for s in segments),
        confidence=round(sum(s.confidence * (s.end - s.start) for s in segments) / seconds, 3) if segments else None,
        duration=round(speech.channel.duration, 6),
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
        **speech.channel.levels._asdict(),
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
