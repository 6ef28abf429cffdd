from __future__ import annotations

import os
import subprocess
import sys
from io import BytesIO

import numpy as np
import pytest
import soundfile

from asr_model.audio import AudioError
from asr_model.augment import Copy
from asr_model.examples import FeaturizeSettings, SplitSettings, make_examples, split_of
from asr_model.features import compute_features, from_bytes
from asr_model.records import Utterance

COPIES = (Copy(name="slow", speed=0.5), Copy(name="line", telephone=True))
ALL_TRAIN = SplitSettings(dev=0.0)


def wav(channels=1, seconds=1.0, rate=16000):
    samples = 0.1 * np.random.default_rng(0).normal(size=(round(seconds * rate), channels))
    file = BytesIO()
    soundfile.write(file, samples, rate, format="WAV", subtype="FLOAT")
    return BytesIO(file.getvalue())


def utterance(**changes):
    return Utterance(**{"audio_filepath": "a.wav", "path": "/x/a.wav", "text": "Hello", "speaker": "s1", **changes})


def test_an_example_holds_the_features_of_the_recording_and_the_text_as_it_was_given():
    (example,) = make_examples(wav(), utterance(extra={"room": 3}), FeaturizeSettings(split=ALL_TRAIN))
    samples, _ = soundfile.read(wav(), dtype="float32")
    expected = compute_features(samples, FeaturizeSettings().features)
    assert np.allclose(from_bytes(example.features, example.num_frames), expected, atol=2e-3)
    assert (example.id, example.text, example.extra) == ("a.wav#0", "Hello", {"room": 3})
    assert (example.duration, example.codec, example.sample_rate) == (1.0, "WAV/FLOAT", 16000)


def test_other_rates_are_resampled_and_the_source_s_is_kept():
    (example,) = make_examples(wav(rate=8000), utterance(), FeaturizeSettings())
    assert (example.num_frames, example.sample_rate, example.duration) == (101, 8000, 1.0)


def test_every_copy_is_a_row_of_its_own():
    made = make_examples(wav(), utterance(), FeaturizeSettings(copies=COPIES, split=ALL_TRAIN))
    assert [example.id for example in made] == ["a.wav#0", "a.wav#0/slow", "a.wav#0/line"]
    assert [example.duration for example in made] == [1.0, 2.0, 1.0]
    assert len({example.features for example in made}) == 3


def test_what_is_not_for_training_gets_no_copies():
    settings = FeaturizeSettings(copies=COPIES, split=SplitSettings(dev=1.0))
    assert len(make_examples(wav(), utterance(), settings)) == 1


def test_a_row_of_all_channels_is_an_example_of_each_with_its_copies():
    settings = FeaturizeSettings(copies=COPIES, split=SplitSettings(dev=0.0))
    made = make_examples(wav(channels=2), utterance(channel="all"), settings)
    assert sorted((row.channel, row.copy) for row in made) == sorted(
        (channel, name) for channel in (0, 1) for name in ("", *(copy.name for copy in COPIES))
    )
    assert len({row.id for row in made}) == len(made)


@pytest.mark.parametrize(
    ("reason", "changes", "channels"),
    [
        ("empty-text", {"text": None}, 1),
        ("empty-text", {"text": " ... "}, 1),
        ("ambiguous-channel", {}, 2),
        ("no-such-channel", {"channel": 2}, 2),
    ],
)
def test_what_cannot_be_learnt_from_has_a_reason(reason, changes, channels):
    with pytest.raises(AudioError) as error:
        make_examples(wav(channels), utterance(**changes), FeaturizeSettings())
    assert error.value.reason == reason


def test_a_channel_may_be_named():
    (example,) = make_examples(wav(2), utterance(channel=1), FeaturizeSettings())
    assert (example.channel, example.num_channels, example.id) == (1, 2, "a.wav#1")


def test_speakers_are_never_in_two_splits_and_fall_as_asked_for():
    settings = SplitSettings(dev=0.2, test=0.1)
    splits = [
        {split_of(utterance(audio_filepath=f"{n}.wav", speaker=f"s{s}"), settings) for n in range(3)}
        for s in range(2000)
    ]
    assert all(len(found) == 1 for found in splits)
    counts = [sum(found == {name} for found in splits) / 2000 for name in ("train", "dev", "test")]
    assert counts == pytest.approx([0.7, 0.2, 0.1], abs=0.03)


def test_the_manifest_s_own_split_goes_before():
    assert split_of(utterance(extra={"split": "test"}), SplitSettings(dev=1.0)) == "test"
    with pytest.raises(ValueError, match=r"a\.wav: split 'tset'"):
        split_of(utterance(extra={"split": "tset"}), SplitSettings())


def test_channels_of_a_file_without_a_speaker_fall_in_one_split():
    files = [f"{n}.wav" for n in range(200)]
    settings = SplitSettings(dev=0.5)
    splits = [
        {split_of(utterance(audio_filepath=name, speaker=None, channel=c), settings) for c in (0, 1)} for name in files
    ]
    assert all(len(found) == 1 for found in splits)
    assert {name for found in splits for name in found} == {"train", "dev"}


def test_a_larger_part_for_development_keeps_who_was_in_it():
    def development(part):
        settings = SplitSettings(dev=part)
        return {s for s in range(500) if split_of(utterance(speaker=f"s{s}"), settings) == "dev"}

    assert set() == development(0.0) < development(0.1) < development(0.3) < development(1.0) == set(range(500))


def test_the_split_does_not_depend_on_the_hash_seed():
    program = (
        "from asr_model.examples import SplitSettings, split_of\n"
        "from asr_model.records import Utterance\n"
        "print(*[split_of(Utterance('a', 'a', speaker=f's{n}'), SplitSettings(dev=0.5)) for n in range(50)])"
    )
    printed = subprocess.run(
        [sys.executable, "-c", program],
        env={**os.environ, "PYTHONHASHSEED": "1"},
        capture_output=True,
        text=True,
        check=True,
    ).stdout.split()
    assert printed == [split_of(utterance(speaker=f"s{n}"), SplitSettings(dev=0.5)) for n in range(50)]
