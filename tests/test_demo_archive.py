from __future__ import annotations

import json

import demo_archive
import numpy as np
import pytest
import recordings
import soundfile
from conftest import contents
from packages import default_cache

from asr_model.text import normalize_text


@pytest.fixture(scope="module")
def cached():
    return recordings.obtain_recordings(default_cache())


@pytest.fixture(scope="module")
def demo(cached, tmp_path_factory):
    output = tmp_path_factory.mktemp("demo")
    demo_archive.compose(cached, output)
    return output


def references(demo):
    return [json.loads(line) for line in (demo / "references.jsonl").read_text().splitlines()]


def test_it_is_the_same_every_time(cached, demo, tmp_path):
    demo_archive.compose(cached, tmp_path)
    assert contents(tmp_path) == contents(demo)


def test_it_is_ten_stereo_telephone_calls_of_one_to_three_minutes(demo):
    files = sorted((demo / "archive").iterdir())
    assert len(files) == 10
    for file in files:
        info = soundfile.info(file)
        assert (info.channels, info.samplerate, info.subtype) == (2, 8000, "ULAW")
        assert 60 <= info.duration <= 180


def test_speech_is_where_the_reference_says_and_nowhere_else(demo):
    for row in references(demo):
        samples = soundfile.read(demo / row["audio_filepath"])[0][:, row["channel"]]
        spoken = np.zeros(len(samples), bool)
        for turn in row["turns"]:
            spoken[round(turn["start"] * 8000) : round(turn["end"] * 8000)] = True
        assert row["text"] == " ".join(turn["text"] for turn in row["turns"]) == normalize_text(row["text"])
        assert len(samples) / 8000 == pytest.approx(row["duration"])
        pauses = np.abs(samples[~spoken]).max()
        assert pauses < 0.01
        if row["turns"]:
            assert np.sqrt(np.mean(samples[spoken] ** 2)) > 0.02


def test_nothing_is_demonstrated_on_that_was_trained_on(cached, demo):
    trained = {normalize_text(recording.text) for recording in cached if recordings.is_for_training(recording)}
    turns = [turn for row in references(demo) for turn in row["turns"] if turn["speaker"] == "allison"]
    assert not trained & {turn["text"] for turn in turns}


def test_without_debian_the_calls_are_made_of_the_other_voices(cached, tmp_path):
    demo_archive.compose([recording for recording in cached if recording.package.registry == "PyPI"], tmp_path)
    rows = references(tmp_path)
    assert len(rows) == 20
    assert sum(len(row["text"].split()) for row in rows if row["channel"] == 1) > 100
