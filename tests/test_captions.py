from __future__ import annotations

import math

import pytest

from asr_model.captions import parse_captions, parse_whisper
from asr_model.records import Segment, Word

SRT = "\ufeff1\n00:00:01,500 --> 00:00:02,750\n<i>Hello</i> there,\nagain\n\n2\n01:01:03,000 --> 01:01:04,000\nBye\n"
VTT = """WEBVTT

00:01.500 --> 00:02.750 align:start
<v Bob>Hello</v> &amp; there

NOTE x

00:03.000 --> 00:04.000
Bye
"""


def test_captions_are_segments_without_tags():
    assert parse_captions(SRT.removeprefix("\ufeff"), "srt") == [
        Segment(1.5, 2.75, "Hello there, again", -1.0),
        Segment(3663.0, 3664.0, "Bye", -1.0),
    ]
    assert parse_captions(VTT, "vtt") == [Segment(1.5, 2.75, "Hello & there", -1.0), Segment(3.0, 4.0, "Bye", -1.0)]


@pytest.mark.parametrize(("text", "form"), [("", "srt"), ("", "vtt"), ("WEBVTT\n\n", "vtt")])
def test_a_recording_without_speech_has_no_captions(text, form):
    assert parse_captions(text, form) == []


@pytest.mark.parametrize(
    ("text", "form"),
    [
        ("hello\n", "srt"),
        ("hello\n", "vtt"),
        ("1\n00:00:xx --> 00:00:01,000\nx\n", "srt"),
        (SRT + "\n3\n0 --> 1\nx\n", "srt"),
    ],
)
def test_what_cannot_be_read_whole_is_refused(text, form):
    with pytest.raises(ValueError, match="captions"):
        parse_captions(text, form)


def test_whisper_s_json_has_segments_and_words():
    words = [{"word": " Hello", "start": 0.0, "end": 0.5, "probability": 0.9}, {"word": " 3", "probability": 0.5}]
    segments = [{"start": 0, "end": 1.0, "text": " Hello 3", "avg_logprob": -0.5, "words": words}]
    text, found, timed = parse_whisper({"text": " Hello 3", "segments": segments, "language": "en"})
    assert text == "Hello 3"
    assert found == [Segment(0.0, 1.0, "Hello 3", math.exp(-0.5))]
    assert timed == [Word("Hello", 0.0, 0.5, 0.9)]
    assert parse_whisper({"segments": [{"start": 0, "end": 1, "text": "a"}]})[:2] == (
        "a",
        [Segment(0.0, 1.0, "a", -1.0)],
    )


@pytest.mark.parametrize("data", [{"words": []}, {"segments": [{"text": "x"}]}, [1]])
def test_other_json_is_refused(data):
    with pytest.raises(ValueError, match="no transcript of Whisper's"):
        parse_whisper(data)
