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
from asr_model.conditioning import Conditioning
from asr_model.config import SettingsError, load_settings
from asr_model.examples import FeaturizeSettings, SplitSettings, make_examples, split_of
from asr_model.features import LogMel, compute_features, from_bytes
from asr_model.records import Utterance
from asr_model.trimming import Trimming

COPIES = (Copy(name="slow", speed=0.5), Copy(name="line", telephone=True))
LOUD = Conditioning(level="rms", level_db=-10.0)
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
    ("settings", "expected"),
    [
        ({}, 64e6 / (80 * 2 * 100)),
        ({"features": LogMel(dtype="float32"), "copies": COPIES}, 64e6 / (80 * 4 * 100) / 3),
        ({"unit_minutes": 2.0, "copies": COPIES}, 120.0),
    ],
)
def test_a_unit_has_the_audio_that_makes_a_shard_of_64_megabytes_unless_it_is_given(settings, expected):
    assert FeaturizeSettings(**settings).unit_seconds == pytest.approx(expected)


@pytest.mark.parametrize(("alphabet", "strange"), [("helo", None), ("helo'x", None), ("heo", "l"), ("a", "e h l o")])
def test_a_text_outside_the_alphabet_has_a_reason_that_names_what_is(alphabet, strange):
    settings = FeaturizeSettings(alphabet=alphabet)
    if strange is None:
        assert make_examples(wav(), utterance(text="Hello, hello"), settings)
        return
    with pytest.raises(AudioError, match=f"text has {strange}, which") as error:
        make_examples(wav(), utterance(), settings)
    assert error.value.reason == "outside-alphabet"


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


def test_a_row_keeps_what_the_source_was():
    file = wav(2, seconds=0.5, rate=8000)
    (example,) = make_examples(file, utterance(channel=1), FeaturizeSettings(split=ALL_TRAIN, conditioning=LOUD))
    samples, _ = soundfile.read(wav(2, seconds=0.5, rate=8000), dtype="float32")
    assert example.num_bytes == len(file.getvalue())
    assert example.peak_db == pytest.approx(20 * np.log10(np.abs(samples[:, 1]).max()), abs=0.01)
    assert example.rms_db == pytest.approx(10 * np.log10(np.mean(samples[:, 1] ** 2)), abs=0.01)


def test_a_segment_is_that_of_the_recording():
    segment = utterance(offset=0.5, duration=0.25)
    (example,) = make_examples(wav(seconds=2.0), segment, FeaturizeSettings())
    samples, _ = soundfile.read(wav(seconds=2.0), dtype="float32")
    expected = compute_features(samples[8000:12000], FeaturizeSettings().features)
    assert np.allclose(from_bytes(example.features, example.num_frames), expected, atol=2e-3)
    assert (example.duration, example.offset) == (0.25, 0.5)


def test_the_recording_and_its_copies_are_conditioned_last():
    def energies(**settings):
        features = LogMel(normalization="none")
        made = make_examples(wav(), utterance(), FeaturizeSettings(split=ALL_TRAIN, features=features, **settings))
        return {e.copy: from_bytes(e.features, e.num_frames).astype(np.float32) for e in made}

    plain, loud = energies(copies=COPIES), energies(copies=COPIES, conditioning=LOUD)
    gain = np.log(10 ** (-10 / 10) / 0.01)  # from a mean power of 0.1 squared to -10 dB
    assert np.median(loud[""] - plain[""]) == pytest.approx(gain, abs=0.05)
    # The telephone took two thirds of the power away, which the level then made up for.
    assert np.median(loud["line"][:, 20:60] - plain["line"][:, 20:60]) > gain + 0.8


def test_silence_is_trimmed_before_copies_are_made_and_the_length_is_fixed_after():
    speech = soundfile.read(wav(), dtype="float32")[0]
    file = BytesIO()
    soundfile.write(file, np.concatenate([np.zeros(16000), speech, np.zeros(32000)]), 16000, format="WAV")
    trimming = Trimming(kind="energy", padding_seconds=0.0)

    def durations(**settings):
        found = make_examples(file, utterance(), FeaturizeSettings(split=ALL_TRAIN, copies=COPIES, **settings))
        return [(e.duration, e.num_frames) for e in found]

    assert [d for d, _ in durations()] == [4.0, 8.0, 4.0]
    assert [d for d, _ in durations(trimming=trimming)] == pytest.approx([1.0, 2.0, 1.0], abs=0.05)
    assert durations(trimming=trimming, fixed_seconds=1.5) == [(1.5, 151)] * 3


def test_copies_have_names_of_their_own():
    with pytest.raises(ValueError, match="copies: wanted a name for each, found slow, slow"):
        FeaturizeSettings(copies=(COPIES[0], COPIES[0]))


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


def test_an_utterance_of_hours_may_not_be_asked_for():
    with pytest.raises(SettingsError, match=r"audio.max_seconds: .*36000.*1800"):
        load_settings(FeaturizeSettings, {"audio": {"max_seconds": 36_000.0}}, "here")
