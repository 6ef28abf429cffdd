from __future__ import annotations

from io import BytesIO

import numpy as np
import pytest
import soundfile

from asr_model.audio import Audio, AudioError, AudioSettings, decode, resample, select_channels

ANY = AudioSettings()


def tone(hz=440.0, seconds=1.0, rate=16000, level=0.5):
    return (level * np.sin(2 * np.pi * hz * np.arange(round(seconds * rate)) / rate)).astype(np.float32)


def encoded(samples, rate=16000, container="WAV", subtype="PCM_16"):
    file = BytesIO()
    soundfile.write(file, samples, rate, format=container, subtype=subtype)
    return BytesIO(file.getvalue())


@pytest.mark.parametrize(
    ("container", "subtype", "error"),
    [
        ("WAV", "PCM_16", 1e-4),
        ("WAV", "PCM_24", 1e-6),
        ("WAV", "FLOAT", 0),
        ("WAV", "ULAW", 0.03),
        ("WAV", "ALAW", 0.03),
        ("WAV", "IMA_ADPCM", 0.1),
        ("FLAC", "PCM_16", 1e-4),
        ("OGG", "VORBIS", 0.1),
        ("AIFF", "PCM_16", 1e-4),
        ("AU", "PCM_16", 1e-4),
        ("W64", "PCM_16", 1e-4),
        ("CAF", "PCM_16", 1e-4),
    ],
)
def test_what_was_written_is_decoded(container, subtype, error):
    samples = tone()
    audio = decode(encoded(samples, container=container, subtype=subtype), ANY)
    assert (audio.sample_rate, audio.num_channels, audio.codec) == (16000, 1, f"{container}/{subtype}")
    # An adaptive code needs a moment to adapt.
    assert np.abs(audio.samples[0][: len(samples)] - samples)[1000:].max() <= error
    assert audio.duration == pytest.approx(1.0, abs=0.05)


def test_mp3_is_decoded():
    audio = decode(encoded(tone(), container="MP3", subtype="MPEG_LAYER_III"), ANY)
    spectrum = np.abs(np.fft.rfft(audio.samples[0]))
    assert np.argmax(spectrum) * audio.sample_rate / audio.samples.shape[1] == pytest.approx(440, abs=2)


def test_a_truncated_file_counts_what_is_there_not_what_the_header_says():
    whole = encoded(tone(seconds=2.0)).getvalue()
    audio = decode(BytesIO(whole[: len(whole) // 2]), ANY)
    assert audio.duration == pytest.approx(1.0, abs=0.01)


@pytest.mark.parametrize(
    ("reason", "file", "settings"),
    [
        ("empty", b"", {}),
        ("unreadable", b"garbage" * 100, {}),
        ("unreadable", b"RIFF" + bytes(100), {}),
        ("too-short", encoded(tone(seconds=0.05)).getvalue(), {}),
        ("too-short", encoded(np.zeros(0, np.float32)).getvalue(), {"min_seconds": 0.0}),
        ("too-long", encoded(tone(seconds=2.0)).getvalue(), {"max_seconds": 1.9}),
        ("too-many-channels", encoded(np.zeros((8000, 3), np.float32)).getvalue(), {"max_channels": 2}),
        ("non-finite", encoded(np.full(8000, np.nan, np.float32), subtype="FLOAT").getvalue(), {}),
    ],
)
def test_what_cannot_be_used_has_a_reason(reason, file, settings):
    with pytest.raises(AudioError) as error:
        decode(BytesIO(file), AudioSettings(**settings))
    assert error.value.reason == reason


def test_each_channel_a_chosen_one_or_their_mean():
    left, right = tone(300), tone(500)
    audio = Audio(np.stack([left, right]), 16000, "WAV/PCM_16")
    each = select_channels(audio, None, "each")
    assert [number for number, _ in each] == [0, 1]
    assert np.array_equal(each[1][1], right)
    ((number, chosen),) = select_channels(audio, 1, "mix")
    assert number == 1
    assert np.array_equal(chosen, right)
    ((_, mixed),) = select_channels(audio, None, "mix")
    assert np.allclose(mixed, (left + right) / 2)
    assert [number for number, _ in select_channels(audio, "all", "mix")] == [0, 1]
    assert np.allclose(select_channels(audio, "mix", "each")[0][1], mixed)


@pytest.mark.parametrize("channel", [2, -1])
def test_a_channel_that_is_not_there_is_a_failure(channel):
    with pytest.raises(AudioError) as error:
        select_channels(Audio(np.zeros((2, 10), np.float32), 8000, ""), channel, "each")
    assert error.value.reason == "no-such-channel"


@pytest.mark.parametrize(("source", "target"), [(8000, 16000), (44100, 16000), (48000, 8000)])
def test_resampling_keeps_the_tone_and_the_length_in_seconds(source, target):
    resampled = resample(tone(rate=source), source, target)
    assert len(resampled) == target
    middle = slice(target // 4, -target // 4)
    assert np.abs(resampled - tone(rate=target))[middle].max() < 1e-3


def test_resampling_removes_what_the_lower_rate_cannot_hold():
    assert np.abs(resample(tone(6000), 16000, 8000)[1000:-1000]).max() < 1e-4


def test_equal_rates_change_nothing():
    samples = tone()
    assert resample(samples, 16000, 16000) is samples


@pytest.mark.parametrize("claim", [0x7FFFFFF0, 0xFFFFFFFF])
def test_a_header_that_claims_hours_is_not_believed(claim):
    whole = bytearray(encoded(tone(seconds=2.0)).getvalue())
    place = whole.index(b"data") + 4
    whole[place : place + 4] = claim.to_bytes(4, "little")
    assert decode(BytesIO(bytes(whole)), AudioSettings(max_seconds=3.0)).duration == 2.0


@pytest.mark.parametrize(("container", "subtype"), [("FLAC", "PCM_16"), ("OGG", "VORBIS")])
@pytest.mark.parametrize("part", [0.5, 0.02])
def test_a_compressed_file_that_breaks_off_has_a_reason(container, subtype, part):
    whole = encoded(tone(seconds=2.0), container=container, subtype=subtype).getvalue()
    with pytest.raises(AudioError) as error:
        decode(BytesIO(whole[: int(len(whole) * part)]), ANY)
    assert error.value.reason == "unreadable"


def test_one_infinite_sample_is_enough_to_refuse_a_recording():
    samples = tone()
    samples[777] = np.inf
    with pytest.raises(AudioError) as error:
        decode(encoded(samples, subtype="FLOAT"), ANY)
    assert error.value.reason == "non-finite"


@pytest.mark.parametrize("name", ["call.raw", "call.RAW", "call.mp3", "call"])
def test_the_content_counts_not_the_name(tmp_path, name):
    path = tmp_path / name
    path.write_bytes(encoded(tone()).getvalue())
    with path.open("rb") as file:
        assert decode(file, ANY).codec == "WAV/PCM_16"
    path.write_bytes(b"garbage" * 100)
    with path.open("rb") as file, pytest.raises(AudioError) as error:
        decode(file, ANY)
    assert error.value.reason == "unreadable"


def test_mp3_keeps_samples_and_length():
    samples = tone()
    audio = decode(encoded(samples, container="MP3", subtype="MPEG_LAYER_III"), ANY)
    assert audio.samples.shape == (1, len(samples))
    assert np.abs(audio.samples[0] - samples)[2000:-2000].max() < 0.05
