from __future__ import annotations

import json
import math

import pytest

from asr_model.matching import match
from asr_model.records import Segment, Utterance, Word
from pipelines.hypotheses import TranscriptLine, list_transcripts, read_transcripts, transcribed_with
from pipelines.io import InputError


def read(path):
    return [row.read() if isinstance(row, TranscriptLine) else row for row in read_transcripts(str(path))]


def test_json_lines_of_any_system_are_transcripts(tmp_path):
    rows = [
        {"audio_filepath": "a.wav", "pred_text": "one"},
        {
            "audio_filepath": "b.wav",
            "pred_text": "two",
            "channel": 1,
            "duration": 2.5,
            "segments": [{"start": 0, "end": 1, "text": "two", "confidence": 0.5}],
            "words": [{"text": "two", "start": 0, "end": 1, "confidence": 0.5}],
            "queue": "sales",
        },
    ]
    path = tmp_path / "system.jsonl"
    path.write_text("".join(json.dumps(row) + "\n" for row in rows))
    one, two = read(path)
    assert (one.channel, one.pred_text, one.segments, one.extra) == (0, "one", [], {})
    assert (two.channel, two.duration, two.extra) == (1, 2.5, {"queue": "sales"})
    assert two.segments == [Segment(0, 1, "two", 0.5)]
    assert two.words == [Word("two", 0, 1, 0.5)]


def test_a_confidence_that_is_no_number_is_read_as_python_writes_it(tmp_path):
    path = tmp_path / "system.jsonl"
    path.write_text('{"audio_filepath": "a.wav", "pred_text": "one", "score": NaN}')
    (row,) = read(path)
    assert math.isnan(row.extra["score"])


@pytest.mark.parametrize(
    "line",
    [
        '{"audio_filepath": "a.wav"}',
        '{"pred_text": "x"}',
        "[1]",
        "{",
        '{"audio_filepath": "a", "pred_text": 1}',
        '{"audio_filepath": 1, "pred_text": "a"}',
        '{"audio_filepath": "a", "pred_text": "x", "duration": NaN}',
        '{"audio_filepath": "a", "pred_text": "\\ud800"}',
    ],
)
def test_a_line_that_is_no_transcript_is_named(tmp_path, line):
    path = tmp_path / "system.jsonl"
    path.write_text('{"audio_filepath": "a.wav", "pred_text": "one"}\n\n' + line)
    with pytest.raises(InputError, match="line 3 is no transcript"):
        read(path)


def test_a_folder_without_its_finished_marker_is_refused(tmp_path):
    (tmp_path / "transcripts").mkdir()
    with pytest.raises(InputError, match="did that job finish"):
        list_transcripts(str(tmp_path))


def test_transcripts_of_ours_tell_what_they_were_made_with(tmp_path):
    run = {"verb": "transcribe", "input": "a/*.wav", "recognizer": "5e64", "settings": {"unit_minutes": 10}}
    (tmp_path / "_RUN.json").write_text(json.dumps(run))
    assert transcribed_with(str(tmp_path)) == {"recognizer": "5e64", "settings": {"unit_minutes": 10}}
    assert transcribed_with(str(tmp_path / "system.jsonl")) == {}


SAID = {"start": 0, "end": 1, "text": " Hello there", "avg_logprob": 0}
WHISPER = json.dumps({"text": " Hello there", "segments": [SAID]})
NEMO = json.dumps({"audio_filepath": "mon/call.wav", "pred_text": "Hello there"})
SRT = "1\n00:00:00,000 --> 00:00:01,000\nHello there\n"
CTM = "mon/call 1 0.5 0.5 Hello 0.9\nmon/call 1 1.0 0.5 there 0.7\n"


@pytest.mark.parametrize(
    ("name", "text", "key"),
    [
        ("mon/call.json", WHISPER, "mon/call"),
        ("nemo.json", NEMO, "mon/call.wav"),
        ("mon/call.srt", SRT, "mon/call"),
        ("mon/call.wav.srt", SRT, "mon/call.wav"),
        ("mon/call.vtt", "WEBVTT\n\n" + SRT.replace(",", ".").removeprefix("1\n"), "mon/call"),
        ("h.ctm", CTM, "mon/call"),
        ("h.trn", "Hello there (mon/call)\n", "mon/call"),
        ("text", "mon/call Hello there\n", "mon/call"),
        ("h.csv", "audio_filepath,channel,pred_text\nmon/call.wav,,Hello there\n", "mon/call.wav"),
    ],
)
def test_every_format_of_transcripts_is_read_and_matched(tmp_path, name, text, key):
    path = tmp_path / name
    path.parent.mkdir(exist_ok=True)
    path.write_text(text)
    ((listed, size),) = list_transcripts(str(path))
    assert size == len(text)
    (row,) = read(listed)
    assert (row.audio_filepath.removeprefix(f"{tmp_path}/"), row.channel, row.pred_text) == (key, 0, "Hello there")
    reference = Utterance("mon/call.wav", "mon/call.wav", None, "hello there")
    assert list(match([reference], [row])) == [(reference, row)]


def test_a_ctm_has_the_times_and_confidences_of_words(tmp_path):
    (tmp_path / "h.ctm").write_text(CTM)
    (row,) = read_transcripts(str(tmp_path / "h.ctm"))
    assert row.words == [Word("Hello", 0.5, 1.0, 0.9), Word("there", 1.0, 1.5, 0.7)]
    assert row.confidence == pytest.approx(0.8)


def test_of_a_folder_with_several_formats_one_is_read_and_a_glob_is_taken_as_it_is(tmp_path):
    for name, text in (("a.json", WHISPER), ("a.srt", SRT), ("a.txt", "Hello there"), ("b.json", WHISPER)):
        (tmp_path / name).write_text(text)
    assert [path for path, _ in list_transcripts(str(tmp_path))] == [str(tmp_path / n) for n in ("a.json", "b.json")]
    assert [path for path, _ in list_transcripts(f"{tmp_path}/*.srt")] == [str(tmp_path / "a.srt")]
    with pytest.raises(InputError, match="matches no transcripts"):
        list_transcripts(f"{tmp_path}/*.ctm")


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("h.json", '{"a": 1}'),
        ("h.srt", "hello"),
        ("h.ctm", "a"),
        ("h.trn", "x"),
        ("h.csv", "a,b\n1,2\n"),
        ("h.json", "{"),
    ],
)
def test_a_file_that_is_not_what_its_name_says_is_refused(tmp_path, name, text):
    (tmp_path / name).write_text(text)
    with pytest.raises(InputError, match=name):
        read(tmp_path / name)


def test_a_folder_of_ours_that_is_not_finished_is_not_taken_for_another_system_s(tmp_path):
    (tmp_path / "_RUN.json").write_text("{}")
    (tmp_path / "transcripts.jsonl").write_text(NEMO)
    with pytest.raises(InputError, match="did that job finish"):
        list_transcripts(str(tmp_path))
