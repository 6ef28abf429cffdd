from __future__ import annotations

from io import BytesIO

import numpy as np
import pytest
import soundfile

from asr_model.audio import AudioError, AudioSettings, decode
from asr_model.flac import MAX_BYTES, read_flac

NOISE = 0.3 * np.random.default_rng(0).normal(size=(30_000, 2)).clip(-3, 3)


def encoded(samples, subtype="PCM_16", sample_rate=16000):
    file = BytesIO()
    soundfile.write(file, samples, sample_rate, format="FLAC", subtype=subtype)
    return file.getvalue()


def samples_of(stream, size=10_000):
    blocks = []
    buffer = np.empty((size, stream.num_channels), np.float32)
    while count := stream.read(buffer):
        blocks.append(buffer[:count].copy())
    return np.concatenate(blocks)


@pytest.mark.parametrize("subtype", ["PCM_S8", "PCM_16", "PCM_24"])
@pytest.mark.parametrize(("num_channels", "sample_rate"), [(1, 16000), (2, 44100), (1, 8000)])
def test_samples_and_names_are_libsndfiles(subtype, num_channels, sample_rate):
    data = encoded(NOISE[:, :num_channels], subtype, sample_rate)
    stream = read_flac(data)
    with soundfile.SoundFile(BytesIO(data)) as sound:
        assert (stream.sample_rate, stream.num_channels) == (sound.samplerate, sound.channels)
        assert (stream.codec, stream.num_frames) == (f"{sound.format}/{sound.subtype}", sound.frames)
        assert np.array_equal(samples_of(stream), sound.read(dtype="float32", always_2d=True))


def test_a_stream_is_read_from_where_one_goes():
    stream = read_flac(encoded(NOISE))
    whole = samples_of(read_flac(encoded(NOISE)))
    stream.seek(12_345)
    assert np.array_equal(samples_of(stream), whole[12_345:])


@pytest.mark.parametrize("seed", range(20))
def test_what_is_damaged_is_left_to_libsndfile(seed):
    draw = np.random.default_rng(seed)
    data = bytearray(encoded(NOISE[:, :1]))
    data[int(draw.integers(42, len(data)))] ^= 1 << int(draw.integers(8))
    assert read_flac(bytes(data)) is None


@pytest.mark.parametrize("part", [0.0, 0.001, 0.5, 0.999])
def test_what_is_cut_is_left_to_libsndfile(part):
    data = encoded(NOISE)
    cut = data[: int(part * len(data))]
    assert read_flac(cut) is None
    with pytest.raises(AudioError) as error:
        decode(BytesIO(cut), AudioSettings())
    assert error.value.reason in ("empty", "truncated", "unreadable")


def with_claim(data, claim):
    """Return a FLAC file whose header claims another number of samples."""
    place = 4 + 4 + 10  # in STREAMINFO: rate, channels, bits, and 36 bits of samples
    fields = int.from_bytes(data[place : place + 8]) >> 36 << 36 | claim
    return data[:place] + fields.to_bytes(8) + data[place + 8 :]


@pytest.mark.parametrize("claim", [0, 1, 29_999, 30_001, MAX_BYTES // 8 + 1, (1 << 36) - 1])
def test_claims_are_held_against_the_frames(claim):
    data = encoded(NOISE)
    assert read_flac(with_claim(data, len(NOISE)))
    assert read_flac(with_claim(data, claim)) is None


def test_long_recordings_and_other_formats_are_not_read_here():
    assert read_flac(encoded(np.zeros(MAX_BYTES // 4, np.int16)))
    assert read_flac(encoded(np.zeros(MAX_BYTES // 4 + 1, np.int16))) is None
    assert read_flac(b"") is read_flac(b"RIFF" + bytes(100)) is None


def test_utterances_are_the_same_without_it(monkeypatch):
    data = encoded(NOISE[:, :1])
    audio = decode(BytesIO(data), AudioSettings())
    monkeypatch.setattr("asr_model.audio.read_flac", lambda data: None)
    theirs = decode(BytesIO(data), AudioSettings())
    assert (audio.codec, audio.sample_rate, audio.num_bytes) == (theirs.codec, theirs.sample_rate, theirs.num_bytes)
    assert np.array_equal(audio.samples, theirs.samples)
