from __future__ import annotations

import json

import pytest
from test_report import scored

from asr_model.records import Transcript
from pipelines.audio_links import audio_folders, audio_link


def transcript(name):
    return Transcript(name, 0, "one", 0.5, 2.0, 8000, "WAV/PCM_16", 1, [])


@pytest.fixture
def folder(tmp_path):
    (tmp_path / "calls" / "day 1").mkdir(parents=True)
    (tmp_path / "calls" / "day 1" / "a#b.wav").write_bytes(b"x")
    (tmp_path / "transcripts").mkdir()
    return tmp_path


def link(folder, score, said=None, reference="calls/references.jsonl", output="report"):
    output = output if "://" in output else str(folder / output)
    folders = audio_folders(str(folder / reference), str(folder / "transcripts"))
    names = [score.audio_filepath, *([said.audio_filepath] if said else [])]
    return audio_link(names, score.offset, score.duration, folders, output)


def test_a_recording_is_found_beside_the_references_or_below_them(folder):
    score = scored("day 1/a#b.wav", "one", "one")
    assert link(folder, score) == link(folder, score, reference="calls") == "../calls/day%201/a%23b.wav"
    assert link(folder, score, reference="references.jsonl") is None
    assert link(folder, scored("gone.wav", "one", "one")) is None


def test_a_recording_is_found_by_the_name_and_from_the_manifest_it_was_transcribed_by(folder):
    score, said = scored("a#b.wav", "one", "one"), transcript("day 1/a#b.wav")
    assert link(folder, score, said, reference="references.jsonl") is None
    run = {"verb": "transcribe", "input": str(folder / "calls" / "manifest.jsonl")}
    (folder / "transcripts" / "_RUN.json").write_text(json.dumps(run))
    assert link(folder, score, said, reference="references.jsonl") == "../calls/day%201/a%23b.wav"


def test_a_segment_is_played_from_its_start_to_its_end(folder):
    score = scored("day 1/a#b.wav", "one", "one")._replace(offset=2.5, duration=4.0)
    assert link(folder, score) == "../calls/day%201/a%23b.wav#t=2.5,6.5"


def test_what_lies_elsewhere_is_not_linked(folder):
    assert link(folder, scored("day 1/a#b.wav", "one", "one"), output="gs://bucket/report") is None
    assert link(folder, scored("gs://bucket/a.wav", "one", "one")) is None
