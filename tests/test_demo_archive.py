from __future__ import annotations

import dataclasses
import json

import demo_archive
import numpy as np
import packages
import pytest
import recordings
import soundfile
from conftest import contents
from packages import default_cache

from asr_model.text import normalize_text


@pytest.fixture(scope="module")
def cached():
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("PATH", "")  # what of Debian is not in the cache yet is not asked for again
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


def test_every_turn_is_a_segment_of_its_call(demo):
    turns = [json.loads(line) for line in (demo / "turns.jsonl").read_text().splitlines()]
    assert {row["kind"] for row in turns} == {"prompt", "letters", "digits", "reading"}
    for row in turns:
        if row["channel"] == 1:  # who reads a number says digits, too
            assert (row["kind"] == "digits") == (set(row["text"].split()) <= set(recordings.DIGITS))
    for row in references(demo):
        mine = [t for t in turns if (t["audio_filepath"], t["channel"]) == (row["audio_filepath"], row["channel"])]
        assert [turn["text"] for turn in mine] == [turn["text"] for turn in row["turns"]]
        for turn, whole in zip(mine, row["turns"], strict=True):
            assert 0 <= turn["offset"] <= whole["start"]
            assert whole["end"] < turn["offset"] + turn["duration"] <= row["duration"]


def test_nothing_is_demonstrated_on_that_was_trained_on(cached, demo):
    trained = {normalize_text(recording.text) for recording in cached if recordings.is_for_training(recording)}
    turns = [turn for row in references(demo) for turn in row["turns"] if turn["speaker"] == "allison"]
    assert not trained & {turn["text"] for turn in turns}


def test_without_debian_the_calls_are_made_of_the_other_voices(cached, tmp_path):
    demo_archive.compose([recording for recording in cached if recording.package.registry == "PyPI"], tmp_path)
    rows = references(tmp_path)
    assert len(rows) == 20
    assert sum(len(row["text"].split()) for row in rows if row["channel"] == 1) > 100


def prompt(folder, name, text):
    path = folder / f"{name}.wav"
    samples = 0.1 * np.sin(2 * np.pi * 300 * np.arange(4000) / 8000)
    soundfile.write(path, samples, 8000)
    return recordings.Recording(path, name, text, "allison", packages.PACKAGES[-2])


def test_prompts_with_the_words_of_trained_ones_are_left_out_and_all_others_heard_in_turn(cached, tmp_path):
    made = [prompt(tmp_path, f"p{number}", f"Prompt {chr(97 + number)}.") for number in range(24)]
    trained = [recording for recording in made if recordings.is_for_training(recording)]
    others = [recording for recording in made if recording not in trained]
    assert trained
    assert others
    names = (f"copy{number}" for number in range(1000))
    untrained = (name for name in names if not recordings.is_for_training(dataclasses.replace(made[0], name=name)))
    copies = [prompt(tmp_path, next(untrained), recording.text.upper()) for recording in trained]
    voices = [recording for recording in cached if recording.package.registry == "PyPI"]
    demo_archive.compose([*made, *copies, *voices], tmp_path / "demo")
    agent = [row for row in references(tmp_path / "demo") if row["role"] == "agent"]
    heard = [turn["text"] for row in agent for turn in row["turns"]]
    assert len(heard) > len(others)
    assert {*heard[: len(others)]} == {*heard} == {normalize_text(recording.text) for recording in others}
    assert "copy" not in (tmp_path / "demo" / "SOURCES.md").read_text()


@pytest.mark.parametrize(("rate", "raw"), [(8000, False), (16000, True), (44100, False)])
def test_every_recording_comes_at_the_telephone_s_rate_and_at_one_level(tmp_path, rate, raw):
    tone = 0.3 * np.sin(2 * np.pi * 440 * np.arange(rate) / rate)
    path = tmp_path / ("tone.raw" if raw else "tone.wav")
    soundfile.write(path, tone, rate, format="RAW" if raw else "WAV", subtype="PCM_16")
    recording = recordings.Recording(path, "tone", "x", "y", packages.PACKAGES[0], rate if raw else None)
    samples = demo_archive.load(recording)
    assert len(samples) == 8000
    assert np.sqrt(np.mean(samples**2)) == pytest.approx(demo_archive.SPEECH_LEVEL, rel=0.01)
    assert np.argmax(np.abs(np.fft.rfft(samples))) == 440
