from __future__ import annotations

from dataclasses import replace
from io import BytesIO

import numpy as np
import pytest
import soundfile

from asr_model import audio, transcription
from asr_model.alignment import SpokenWord
from asr_model.audio import AudioError
from asr_model.channels import Channel
from asr_model.decoding import Hypothesis
from asr_model.recognizer import load_recognizer
from asr_model.records import Utterance
from asr_model.transcription import Speech, Transcriber, TranscribeSettings, _transcript

SETTINGS = TranscribeSettings()


@pytest.fixture(scope="module")
def recognizer(recognizer_folder):
    return load_recognizer((recognizer_folder / "recognizer.safetensors").read_bytes(), "tiny")


def encoded(samples, rate=8000):
    file = BytesIO()
    soundfile.write(file, samples, rate, format="WAV", subtype="PCM_16")
    return BytesIO(file.getvalue())


def speech(name, seed, seconds, channels=1, rate=8000):
    """Return a recording and its row."""
    draw = np.random.default_rng(seed)
    samples = 0.1 * draw.normal(size=(round(seconds * rate), channels)).cumsum(axis=0)
    samples -= samples.mean(axis=0)
    samples[len(samples) // 3 : len(samples) // 2] = 0
    return encoded(samples / np.abs(samples).max(), rate), Utterance(name, name)


def transcribed(recognizer, *recordings, **changes):
    transcriber = Transcriber(recognizer, SETTINGS.model_copy(update=changes))
    return transcriber.transcripts([heard for file, row in recordings for heard in transcriber.listen(file, row)])


@pytest.mark.parametrize(("batch_frames", "waiting_seconds"), [(1, 600), (100_000, 600), (500, 5)])
def test_a_transcript_does_not_depend_on_company_order_or_batch(recognizer, monkeypatch, batch_frames, waiting_seconds):
    recordings = [speech(f"{seed}.wav", seed, 2 + 2 * seed) for seed in range(5)]
    alone = [transcript for one in recordings for transcript in transcribed(recognizer, one)]
    assert any(transcript.pred_text for transcript in alone)
    monkeypatch.setattr(transcription, "WAITING_SECONDS", waiting_seconds)
    assert transcribed(recognizer, *recordings, batch_frames=batch_frames) == alone
    assert transcribed(recognizer, *recordings[::-1], batch_frames=batch_frames) == alone[::-1]


@pytest.mark.parametrize("rate", [8000, 11025])
def test_a_transcript_does_not_depend_on_the_blocks_that_a_recording_is_read_in(recognizer, monkeypatch, rate):
    recording = speech("a.wav", 1, 9, channels=2, rate=rate)
    whole = transcribed(recognizer, recording)
    assert any(transcript.pred_text for transcript in whole)
    monkeypatch.setattr(audio, "BLOCK_BYTES", 20_000)
    in_blocks = transcribed(recognizer, recording)
    assert [replace(transcript, rms_db=0.0) for transcript in in_blocks] == [
        replace(transcript, rms_db=0.0) for transcript in whole
    ]
    assert [t.rms_db for t in in_blocks] == pytest.approx([t.rms_db for t in whole], abs=0.011)


def test_of_a_recording_that_breaks_off_nothing_is_left_behind(recognizer):
    transcriber = Transcriber(recognizer, SETTINGS)
    whole, row = speech("whole.wav", 1, 4)
    cut = BytesIO(whole.getvalue()[:40_000])
    with pytest.raises(AudioError, match="truncated"):
        transcriber.listen(cut, Utterance("cut.wav", "cut.wav"))
    (transcript,) = transcriber.transcripts(transcriber.listen(whole, row))
    assert [transcript] == transcribed(recognizer, (whole, row))


def test_every_channel_is_a_transcript_of_its_own(recognizer):
    transcripts = transcribed(recognizer, speech("a.wav", 0, 4, channels=2))
    assert [transcript.channel for transcript in transcripts] == [0, 1]
    assert {transcript.num_channels for transcript in transcripts} == {2}


def test_the_source_is_described_as_it_was_before_resampling(recognizer):
    (transcript,) = transcribed(recognizer, speech("a.wav", 0, 3, rate=22050))
    assert (transcript.sample_rate, transcript.codec, transcript.duration) == (22050, "WAV/PCM_16", 3.0)
    assert (transcript.peak_db, transcript.num_bytes) == (0.0, 44 + 2 * 3 * 22050)
    assert -15 < transcript.rms_db < -5


def test_times_in_a_segment_are_those_of_its_recording(recognizer):
    samples, rate = soundfile.read(call(), dtype="float32")
    file = encoded(np.concatenate([np.zeros((3 * rate, 2)), samples]), rate)
    segment = Utterance("a", "a", channel=0, offset=3.0, duration=len(samples) / rate)
    (inside,) = transcribed(recognizer, (file, segment))
    whole, _ = transcribed(recognizer, (call(), Utterance("a", "a")))
    assert inside.pred_text == whole.pred_text != ""
    for found, alone in zip(inside.segments + inside.words, whole.segments + whole.words, strict=True):
        assert (found.start, found.end) == pytest.approx((alone.start + 3, alone.end + 3), abs=0.0015)


def test_silence_is_an_empty_transcript_without_confidence(recognizer):
    (transcript,) = transcribed(recognizer, (encoded(np.zeros(16000)), Utterance("s", "s")))
    assert (transcript.pred_text, transcript.segments, transcript.confidence) == ("", [], None)


def test_a_silent_channel_beside_a_speaking_one_is_an_empty_transcript_without_confidence(recognizer):
    samples, rate = soundfile.read(call(), always_2d=True)
    speaking = transcribed(recognizer, (call(), Utterance("a", "a")))
    samples[:, 0] = 0
    silent, beside = transcribed(recognizer, (encoded(samples, rate), Utterance("a", "a")))
    assert (silent.channel, silent.pred_text, silent.segments, silent.confidence) == (0, "", [], None)
    assert beside == speaking[1]
    assert beside.pred_text
    assert 0 < beside.confidence <= 1


def call():
    draw = np.random.default_rng(0)
    samples = 0.1 * draw.normal(size=(24000, 2)) * (np.arange(24000) % 16000 < 8000)[:, None]
    return encoded(samples)


def test_words_are_the_text_in_order_lie_in_their_segments_and_carry_confidences(recognizer):
    transcripts = transcribed(recognizer, *(speech(f"{seed}.wav", seed, 6) for seed in range(4)))
    assert sum(len(transcript.words) for transcript in transcripts) > 4
    for transcript in transcripts:
        assert " ".join(word.text for word in transcript.words) == transcript.pred_text
        assert all(0 <= word.confidence <= 1 for word in transcript.words)
        words = iter(transcript.words)
        for segment in transcript.segments:
            inside = [next(words) for _ in segment.text.split()]
            edges = [segment.start, *(edge for word in inside for edge in (word.start, word.end)), segment.end]
            assert edges == sorted(edges)


def test_words_of_a_later_segment_count_their_time_from_the_start_of_the_recording():
    hypotheses = [Hypothesis("a", 0.5, (SpokenWord("a", 3, 5, 0.5),))] * 2
    source = audio.Audio(np.zeros((1, 0), np.float32), 8000, "WAV/PCM_16")
    spans = [(0, 8000), (16000, 24000)]
    heard = Speech(Utterance("x.wav", "x.wav"), Channel(0, source, 8000), spans, hypotheses)
    transcript = _transcript(heard, 0.04)
    assert [(word.start, word.end) for word in transcript.words] == [(0.1, 0.18), (2.1, 2.18)]
