from __future__ import annotations

from dataclasses import replace
from io import BytesIO

import numpy as np
import pytest
import soundfile

from asr_model.alignment import SpokenWord
from asr_model.decoding import Hypothesis
from asr_model.recognizer import load_recognizer
from asr_model.records import Utterance
from asr_model.transcription import TranscribeSettings, _transcript, find_speech, transcribe

SETTINGS = TranscribeSettings()


@pytest.fixture(scope="module")
def recognizer(recognizer_folder):
    return load_recognizer((recognizer_folder / "recognizer.safetensors").read_bytes(), "tiny")


def speech(name, seed, seconds, channels=1, rate=8000):
    draw = np.random.default_rng(seed)
    samples = 0.1 * draw.normal(size=(round(seconds * rate), channels)).cumsum(axis=0)
    samples -= samples.mean(axis=0)
    samples[len(samples) // 3 : len(samples) // 2] = 0
    file = BytesIO()
    soundfile.write(file, samples / np.abs(samples).max(), rate, format="WAV", subtype="PCM_16")
    return find_speech(BytesIO(file.getvalue()), Utterance(name, name), SETTINGS, 8000)


@pytest.mark.parametrize("batch_frames", [1, 500, 100_000])
def test_a_transcript_does_not_depend_on_company_order_or_batch(recognizer, batch_frames):
    speeches = [found for seed in range(5) for found in speech(f"{seed}.wav", seed, 2 + 2 * seed)]
    alone = [transcribe([one], recognizer, 12000)[0] for one in speeches]
    assert any(transcript.pred_text for transcript in alone)
    assert transcribe(speeches, recognizer, batch_frames) == alone
    assert transcribe(speeches[::-1], recognizer, batch_frames) == alone[::-1]


def test_every_channel_is_a_transcript_of_its_own(recognizer):
    transcripts = transcribe(speech("a.wav", 0, 4, channels=2), recognizer, 12000)
    assert [transcript.channel for transcript in transcripts] == [0, 1]
    assert {transcript.num_channels for transcript in transcripts} == {2}


def test_the_source_is_described_as_it_was_before_resampling(recognizer):
    (transcript,) = transcribe(speech("a.wav", 0, 3, rate=22050), recognizer, 12000)
    assert (transcript.sample_rate, transcript.codec, transcript.duration) == (22050, "WAV/PCM_16", 3.0)
    assert (transcript.peak_db, transcript.num_bytes) == (0.0, 44 + 2 * 3 * 22050)
    assert -15 < transcript.rms_db < -5


def test_times_in_a_segment_are_those_of_its_recording(recognizer):
    samples, rate = soundfile.read(call(), dtype="float32")
    file = BytesIO()
    soundfile.write(file, np.concatenate([np.zeros((3 * rate, 2)), samples]), rate, format="WAV", subtype="PCM_16")
    segment = Utterance("a", "a", channel=0, offset=3.0, duration=len(samples) / rate)
    (inside,) = transcribe(find_speech(file, segment, SETTINGS, rate), recognizer, 12000)
    whole, _ = transcribe(find_speech(call(), Utterance("a", "a"), SETTINGS, rate), recognizer, 12000)
    assert inside.pred_text == whole.pred_text != ""
    for found, alone in zip(inside.segments + inside.words, whole.segments + whole.words, strict=True):
        assert (found.start, found.end) == pytest.approx((alone.start + 3, alone.end + 3), abs=0.0015)


def test_silence_is_an_empty_transcript_without_confidence(recognizer):
    file = BytesIO()
    soundfile.write(file, np.zeros(16000), 8000, format="WAV")
    (transcript,) = transcribe(
        find_speech(BytesIO(file.getvalue()), Utterance("s", "s"), SETTINGS, 8000), recognizer, 12000
    )
    assert (transcript.pred_text, transcript.segments, transcript.confidence) == ("", [], None)


def test_a_silent_channel_beside_a_speaking_one_is_an_empty_transcript_without_confidence(recognizer):
    samples, rate = soundfile.read(call(), always_2d=True)
    speaking = transcribe(find_speech(call(), Utterance("a", "a"), SETTINGS, rate), recognizer, 12000)
    samples[:, 0] = 0
    file = BytesIO()
    soundfile.write(file, samples, rate, format="WAV", subtype="PCM_16")
    silent, beside = transcribe(
        find_speech(BytesIO(file.getvalue()), Utterance("a", "a"), SETTINGS, rate), recognizer, 12000
    )
    assert (silent.channel, silent.pred_text, silent.segments, silent.confidence) == (0, "", [], None)
    assert beside == speaking[1]
    assert beside.pred_text
    assert 0 < beside.confidence <= 1


def call():
    draw = np.random.default_rng(0)
    samples = 0.1 * draw.normal(size=(24000, 2)) * (np.arange(24000) % 16000 < 8000)[:, None]
    file = BytesIO()
    soundfile.write(file, samples, 8000, format="WAV", subtype="PCM_16")
    return BytesIO(file.getvalue())


def test_words_are_the_text_in_order_lie_in_their_segments_and_carry_confidences(recognizer):
    transcripts = [t for seed in range(4) for t in transcribe(speech(f"{seed}.wav", seed, 6), recognizer, 12000)]
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
    heard = replace(speech("x.wav", 0, 3)[0], spans=[(0, 8000), (16000, 24000)])
    transcript = _transcript(heard, [Hypothesis("a", 0.5, (SpokenWord("a", 3, 5, 0.5),))] * 2, 0.04)
    assert [(word.start, word.end) for word in transcript.words] == [(0.1, 0.18), (2.1, 2.18)]
