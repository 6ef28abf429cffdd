from __future__ import annotations

from io import BytesIO

import numpy as np
import pytest
import soundfile

from asr_model import audio
from asr_model.audio import AudioError, AudioSettings, decode, resample
from asr_model.channels import read_channels
from asr_model.level import peak_db, rms_db
from asr_model.records import Utterance


def stereo(rate=8000, seconds=3.0):
    samples = 0.1 * np.random.default_rng(0).normal(size=(round(seconds * rate), 2)) * [1.0, 0.25]
    file = BytesIO()
    soundfile.write(file, samples, rate, format="WAV", subtype="PCM_16")
    return file


def read(file, sample_rate=16000, **row):
    """Return the channels and all samples of each."""
    found = {}
    for channel, samples in read_channels(file, Utterance("a.wav", "a.wav", **row), AudioSettings(), sample_rate):
        found.setdefault(channel, []).append(samples)
    return {channel: np.concatenate(blocks) for channel, blocks in found.items()}


@pytest.mark.parametrize("block_bytes", [5000, 1 << 23])
@pytest.mark.parametrize("rate", [8000, 11025, 16000])
def test_channels_are_what_the_whole_recording_gives_whatever_the_blocks(monkeypatch, block_bytes, rate):
    whole = decode(stereo(rate), AudioSettings())
    monkeypatch.setattr(audio, "BLOCK_BYTES", block_bytes)
    found = read(stereo(rate))
    assert [channel.number for channel in found] == [0, 1]
    for (channel, samples), native in zip(found.items(), whole.samples, strict=True):
        assert np.array_equal(samples, resample(native, rate, 16000))
        assert channel.levels == pytest.approx((peak_db(native), rms_db(native)), abs=0.011)
        assert channel.duration == whole.duration == 3.0
        assert (channel.source.sample_rate, channel.source.codec) == (rate, "WAV/PCM_16")
        assert (channel.source.num_channels, channel.source.num_bytes) == (2, whole.num_bytes)
        assert channel.source.samples.size == 0


def test_a_row_gets_the_channel_and_the_segment_that_it_names():
    both = list(read(stereo()).values())
    ((channel, one),) = read(stereo(), channel=1).items()
    assert channel.number == 1
    assert np.array_equal(one, both[1])
    ((channel, mix),) = read(stereo(), 8000, channel="mix", offset=1.0, duration=0.5).items()
    assert (channel.number, channel.duration, len(mix)) == (0, 0.5, 4000)


def test_what_is_wrong_at_the_end_is_said():
    with pytest.raises(AudioError, match="truncated"):
        read(BytesIO(stereo().getvalue()[:30_000]))
    with pytest.raises(AudioError, match="no-such-channel"):
        read(stereo(), channel=2)
