from __future__ import annotations

import json

import pytest

from asr_model.records import Segment, Word
from pipelines.hypotheses import list_transcripts, read_transcripts, transcribed_with
from pipelines.io import InputError


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
    one, two = read_transcripts(str(path))
    assert (one.channel, one.pred_text, one.segments, one.extra) == (0, "one", [], {})
    assert (two.channel, two.duration, two.extra) == (1, 2.5, {"queue": "sales"})
    assert two.segments == [Segment(0, 1, "two", 0.5)]
    assert two.words == [Word("two", 0, 1, 0.5)]


@pytest.mark.parametrize(
    "line", ['{"audio_filepath": "a.wav"}', '{"pred_text": "x"}', "[1]", "{", '{"audio_filepath": "a", "pred_text": 1}']
)
def test_a_line_that_is_no_transcript_is_named(tmp_path, line):
    path = tmp_path / "system.jsonl"
    path.write_text('{"audio_filepath": "a.wav", "pred_text": "one"}\n\n' + line)
    with pytest.raises(InputError, match="line 3 is no transcript"):
        list(read_transcripts(str(path)))


def test_a_folder_without_its_finished_marker_is_refused(tmp_path):
    (tmp_path / "transcripts").mkdir()
    with pytest.raises(InputError, match="did that job finish"):
        list_transcripts(str(tmp_path))


def test_transcripts_of_ours_tell_what_they_were_made_with(tmp_path):
    run = {"verb": "transcribe", "input": "a/*.wav", "recognizer": "5e64", "settings": {"unit_minutes": 10}}
    (tmp_path / "_RUN.json").write_text(json.dumps(run))
    assert transcribed_with(str(tmp_path)) == {"recognizer": "5e64", "settings": {"unit_minutes": 10}}
    assert transcribed_with(str(tmp_path / "system.jsonl")) == {}
