from __future__ import annotations

import tracemalloc
from contextlib import suppress
from io import BytesIO

import numpy as np
import pytest
import soundfile

from asr_model import audio as decoding
from asr_model.audio import (
    Audio,
    AudioError,
    AudioSettings,
    Resampler,
    decode,
    decode_blocks,
    resample,
    select_channels,
)

ANY = AudioSettings()


def tone(hz=440.0, seconds=1.0, rate=16000, level=0.5):
    return (level * np.sin(2 * np.pi * hz * np.arange(round(seconds * rate)) / rate)).astype(np.float32)


def noise(seconds, seed=0):
    return (0.1 * np.random.default_rng(seed).normal(size=round(seconds * 16000))).astype(np.float32)


def encoded(samples, rate=16000, container="WAV", subtype="PCM_16"):
    file = BytesIO()
    soundfile.write(file, samples, rate, format=container, subtype=subtype)
    return BytesIO(file.getvalue())


SHORTENED = b"-s26 pcm,embedded-shorten-v2.00\nend_head\n"


def sphere(samples, rate=16000):
    header = f"NIST_1A\n   1024\nsample_count -i {len(samples)}\nsample_rate -i {rate}\nchannel_count -i 1\n"
    header += "sample_n_bytes -i 2\nsample_byte_format -s2 01\nsample_sig_bits -i 16\nsample_coding -s3 pcm\nend_head\n"
    return BytesIO(header.encode().ljust(1024) + (samples * 32767).astype("<i2").tobytes())


@pytest.mark.parametrize(
    ("container", "subtype", "error"),
    [
        ("WAV", "PCM_U8", 0.01),
        ("WAV", "PCM_16", 1e-4),
        ("WAV", "PCM_24", 1e-6),
        ("WAV", "PCM_32", 1e-6),
        ("WAV", "FLOAT", 0),
        ("WAV", "DOUBLE", 0),
        ("WAV", "ULAW", 0.03),
        ("WAV", "ALAW", 0.03),
        ("WAV", "GSM610", 0.1),
        ("WAV", "IMA_ADPCM", 0.1),
        ("WAV", "MS_ADPCM", 0.1),
        ("WAV", "G721_32", 0.1),
        ("WAVEX", "PCM_16", 1e-4),
        ("RF64", "PCM_16", 1e-4),
        ("W64", "PCM_16", 1e-4),
        ("FLAC", "PCM_16", 1e-4),
        ("FLAC", "PCM_24", 1e-6),
        ("MP3", "MPEG_LAYER_III", 0.05),
        ("OGG", "VORBIS", 0.1),
        ("OGG", "OPUS", 0.1),
        ("AIFF", "PCM_16", 1e-4),
        ("AU", "PCM_16", 1e-4),
        ("AU", "ULAW", 0.03),
        ("NIST", "PCM_16", 1e-4),
        ("NIST", "ULAW", 0.03),
        ("CAF", "PCM_16", 1e-4),
        ("CAF", "ALAC_16", 1e-4),
    ],
)
def test_what_was_written_is_decoded(container, subtype, error):
    samples = tone()
    audio = decode(encoded(samples, container=container, subtype=subtype), ANY)
    assert (audio.sample_rate, audio.num_channels, audio.codec) == (16000, 1, f"{container}/{subtype}")
    # An adaptive code needs a moment to adapt.
    assert np.abs(audio.samples[0][: len(samples)] - samples)[1000:-1000].max() <= error
    assert audio.duration == pytest.approx(1.0, abs=0.05)


def test_a_sphere_file_as_speech_corpora_have_it_is_decoded():
    audio = decode(sphere(tone()), ANY)
    assert (audio.codec, audio.duration) == ("NIST/PCM_16", 1.0)
    assert np.abs(audio.samples[0] - tone()).max() < 1e-4


@pytest.mark.parametrize(("headerless", "error"), [("ulaw", 0.03), ("alaw", 0.03), ("gsm", 0.15)])
def test_samples_without_a_header_are_read_where_a_setting_says_what_they_are(headerless, error):
    samples = tone(rate=8000)
    subtype = {"gsm": "GSM610"}.get(headerless, headerless.upper())
    file = encoded(samples, rate=8000, container="RAW", subtype=subtype)
    audio = decode(file, AudioSettings(headerless=headerless))
    assert (audio.codec, audio.sample_rate, audio.num_channels) == (f"RAW/{subtype}", 8000, 1)
    assert np.abs(audio.samples[0][:8000] - samples)[1000:-1000].max() < error
    with pytest.raises(AudioError):
        decode(file, ANY)
    # What has a header is what its header says.
    assert decode(encoded(tone()), AudioSettings(headerless=headerless)).codec == "WAV/PCM_16"


def test_the_file_s_bytes_are_counted():
    file = encoded(tone())
    assert decode(file, ANY).num_bytes == len(file.getvalue())


def test_mp3_is_decoded():
    audio = decode(encoded(tone(), container="MP3", subtype="MPEG_LAYER_III"), ANY)
    spectrum = np.abs(np.fft.rfft(audio.samples[0]))
    assert np.argmax(spectrum) * audio.sample_rate / audio.samples.shape[1] == pytest.approx(440, abs=2)


CUT = [
    ("WAV", "PCM_16"),
    ("WAV", "IMA_ADPCM"),
    ("WAV", "GSM610"),
    ("WAVEX", "PCM_16"),
    ("RF64", "PCM_16"),
    ("W64", "PCM_16"),
    ("FLAC", "PCM_16"),
    ("MP3", "MPEG_LAYER_III"),
    ("OGG", "VORBIS"),
    ("OGG", "OPUS"),
    ("AIFF", "PCM_16"),
    ("AU", "PCM_16"),
    ("NIST", "PCM_16"),
]


@pytest.mark.parametrize(("container", "subtype"), CUT)
@pytest.mark.parametrize("part", [0.5, 0.9])
def test_a_file_that_was_cut_has_a_reason(container, subtype, part):
    whole = encoded(noise(seconds=8.0), container=container, subtype=subtype).getvalue()
    decode(BytesIO(whole), ANY)
    with pytest.raises(AudioError) as error:
        decode(BytesIO(whole[: int(len(whole) * part)]), ANY)
    assert error.value.reason == "truncated"


@pytest.mark.parametrize(("container", "subtype"), CUT)
def test_of_a_cut_file_what_is_there_may_be_kept(container, subtype):
    whole = encoded(noise(seconds=8.0), container=container, subtype=subtype).getvalue()
    kept = decode(BytesIO(whole[: len(whole) // 2]), AudioSettings(truncated="keep"))
    assert 2.5 < kept.duration < 4.5
    beginning = decode(BytesIO(whole), ANY).samples[:, : kept.samples.shape[1]]
    settled = slice(None, -2000)  # decoders may end the broken last block as they like
    assert np.allclose(kept.samples[:, settled], beginning[:, settled], atol=1e-6)


def test_the_stale_buffer_after_a_short_read_is_not_taken_for_sound():
    whole = encoded(tone(seconds=3.0), container="MP3", subtype="MPEG_LAYER_III").getvalue()
    kept = decode(BytesIO(whole[: int(len(whole) * 0.4)]), AudioSettings(truncated="keep"))
    assert kept.duration < 1.5


@pytest.mark.parametrize(
    ("reason", "file", "settings"),
    [
        ("empty", b"", {}),
        ("unknown-format", b"garbage" * 100, {}),
        ("unknown-format", b"RIFF" + bytes(100), {}),
        ("unknown-format", b"x", {}),
        ("unknown-format", bytes.fromhex("3026b2758e66cf11a6d900aa0062ce6c") + bytes(100), {}),
        ("unreadable", sphere(tone()).getvalue().replace(b"-s3 pcm\nend_head\n", SHORTENED), {}),
        ("unreadable", b"RIFF\x24\0\0\0WAVE" + bytes(100), {}),
        ("unreadable", b"fLaC" + bytes(100), {}),
        ("too-short", encoded(tone(seconds=0.05)).getvalue(), {}),
        ("too-short", encoded(np.zeros(0, np.float32)).getvalue(), {"min_seconds": 0.0}),
        ("too-long", encoded(tone(seconds=2.0)).getvalue(), {"max_seconds": 1.9}),
        ("too-many-channels", encoded(np.zeros((8000, 3), np.float32)).getvalue(), {"max_channels": 2}),
        ("too-many-channels", encoded(np.zeros((100, 1024), np.float32)).getvalue(), {}),
        ("bad-sample-rate", encoded(tone(), rate=2_000_000_000).getvalue(), {}),
        ("bad-sample-rate", encoded(tone(), rate=2000).getvalue(), {}),
        ("bad-sample-rate", encoded(tone(), rate=44100).getvalue(), {"max_sample_rate": 16000}),
        ("non-finite", encoded(np.full(8000, 1e30, np.float32), subtype="FLOAT").getvalue(), {}),
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
    for channel, mode in ((None, "mix"), ("mix", "each")):
        ((number, mixed),) = select_channels(audio, channel, mode)
        assert number == 0
        assert np.allclose(mixed, (left + right) / 2)
    assert [number for number, _ in select_channels(audio, "all", "mix")] == [0, 1]


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


def flac_of_claim(samples, claim, channels=1):
    whole = bytearray(encoded(samples, container="FLAC").getvalue())
    place = whole.index(b"fLaC") + 8 + 10  # in STREAMINFO: rate, channels, bits, and 36 bits of samples
    fields = int.from_bytes(whole[place : place + 8])
    fields = fields & ~((1 << 36) - 1) & ~(7 << 41) | (channels - 1) << 41 | claim
    whole[place : place + 8] = fields.to_bytes(8)
    return BytesIO(bytes(whole))


@pytest.mark.parametrize(("channels", "reason"), [(1, "truncated"), (8, "truncated")])
def test_a_flac_header_that_claims_terabytes_allocates_none(channels, reason):
    claim = (1 << 36) - 1  # with 8 channels of doubles: 4.4 TB
    with pytest.raises(AudioError) as error:
        decode(flac_of_claim(tone(), claim, channels), AudioSettings(max_seconds=1e9))
    assert error.value.reason == reason
    with pytest.raises(AudioError) as error:
        decode(flac_of_claim(tone(), claim, channels), ANY)
    assert error.value.reason == "too-long"


def test_a_flac_stream_that_does_not_say_how_long_it_is_is_counted():
    audio = decode(flac_of_claim(noise(7.0), 0), ANY)
    assert audio.duration == 7.0


@pytest.mark.parametrize("claims", [True, False])
def test_hours_of_silence_in_a_small_file_take_no_memory(tmp_path, claims):
    path = tmp_path / "silence.flac"
    with soundfile.SoundFile(path, "w", 4000, 1, format="FLAC") as sound:
        for _ in range(600):  # ten hours
            sound.write(np.zeros(60 * 4000, np.int16))
    assert path.stat().st_size < 1_000_000
    if not claims:
        whole = bytearray(path.read_bytes())
        whole[21] &= 0xF0
        whole[22:26] = bytes(4)
        path.write_bytes(whole)
    tracemalloc.start()
    with path.open("rb") as file, pytest.raises(AudioError) as error:
        decode(file, AudioSettings(max_seconds=60.0))
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert error.value.reason == "too-long"
    assert peak < 3 * 60 * 4000 * 4


@pytest.mark.parametrize(
    ("container", "subtype"),
    [(c, s) for c, s in CUT if (c, s) != ("WAV", "IMA_ADPCM")] + [("WAV", "G721_32"), ("CAF", "PCM_16")],
)
def test_a_segment_is_the_same_stretch_of_the_whole(container, subtype):
    file = encoded(noise(seconds=8.0), container=container, subtype=subtype)
    whole = decode(file, ANY).samples
    segment = decode(file, ANY, offset_seconds=5.25, duration_seconds=1.5).samples
    assert segment.shape == (1, 24000)
    assert np.allclose(segment, whole[:, 84000:108000], atol=1e-6)
    rest = decode(file, ANY, offset_seconds=5.25).samples
    assert np.allclose(rest, whole[:, 84000:], atol=1e-6)


class CountedReads(BytesIO):
    """A file that knows how many bytes were read of it."""

    num_bytes = 0

    def read(self, size=-1):
        data = super().read(size)
        self.num_bytes += len(data)
        return data


@pytest.mark.parametrize(("container", "part"), [("WAV", 0.01), ("FLAC", 0.1)])
def test_for_a_segment_the_rest_of_the_file_is_not_read(container, part):
    file = CountedReads(encoded(noise(seconds=120.0), container=container).getvalue())
    decode(file, ANY, offset_seconds=100.0, duration_seconds=0.5)
    assert file.num_bytes < part * len(file.getvalue())


@pytest.mark.parametrize("container", ["WAV", "FLAC"])
@pytest.mark.parametrize(
    ("offset", "duration", "reason"),
    [
        (2.5, None, "out-of-range"),
        (2.5, 1.0, "out-of-range"),
        (1.5, 1.0, "out-of-range"),
        (0.0, 3.0, "out-of-range"),
        (-1.0, 1.0, "out-of-range"),
        (0.5, 1.2, "too-long"),
        (0.5, 0.05, "too-short"),
    ],
)
def test_a_segment_that_cannot_be_used_has_a_reason(container, offset, duration, reason):
    with pytest.raises(AudioError) as error:
        decode(encoded(noise(2.0), container=container), AudioSettings(max_seconds=1.1), offset, duration)
    assert error.value.reason == reason


def test_a_segment_may_end_a_little_after_its_recording():
    assert decode(encoded(noise(2.0)), ANY, 1.5, 0.53).duration == 0.5


def test_a_segment_of_a_cut_file_is_as_good_as_ever_where_it_is_there():
    whole = encoded(noise(8.0)).getvalue()
    cut = BytesIO(whole[: len(whole) // 2])
    assert decode(cut, ANY, 1.0, 2.0).duration == 2.0
    with pytest.raises(AudioError) as error:
        decode(cut, ANY, 3.5, 2.0)
    assert error.value.reason == "truncated"


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
    assert error.value.reason == "unknown-format"


def test_mp3_keeps_samples_and_length():
    samples = tone()
    audio = decode(encoded(samples, container="MP3", subtype="MPEG_LAYER_III"), ANY)
    assert audio.samples.shape == (1, len(samples))
    assert np.abs(audio.samples[0] - samples)[2000:-2000].max() < 0.05


def broken(whole, draw):
    """Return bytes with a few of them changed, most in the header, or cut."""
    data = bytearray(whole)
    for _ in range(draw.integers(1, 8)):
        place = int(draw.integers(200 if draw.random() < 0.7 else len(data)))
        if draw.random() < 0.5:
            data[place] = draw.integers(256)
        else:
            number = int(draw.choice([0, 1, 0x7FFFFFFF, 0x80000000, 0xFFFFFFFF]))
            data[place : place + 4] = number.to_bytes(4, draw.choice(["little", "big"]))
    return bytes(data[: draw.integers(1, len(data))] if draw.random() < 0.2 else data)


def assert_usable_or_refused(data):
    for segment in ((), (0.3, 0.5)):
        with suppress(AudioError):
            assert np.isfinite(decode(BytesIO(data), AudioSettings(max_seconds=30.0), *segment).samples).all()


@pytest.mark.parametrize(("container", "subtype"), [*CUT, ("WAV", "FLOAT"), ("CAF", "PCM_16"), ("CAF", "ALAC_16")])
def test_a_broken_file_has_a_reason_whatever_is_broken(container, subtype):
    whole, draw = encoded(noise(1.0), container=container, subtype=subtype).getvalue(), np.random.default_rng(0)
    for _ in range(60):
        assert_usable_or_refused(broken(whole, draw))


@pytest.mark.parametrize("container", ["WAV", "FLAC", "OGG"])
def test_a_disk_or_network_that_fails_is_not_taken_for_a_cut_file(container):
    file = encoded(noise(4.0), container=container, subtype="VORBIS" if container == "OGG" else "PCM_16")
    read, calls = file.read, 0

    def failing(size=-1):
        nonlocal calls
        calls += 1
        if calls > 3:
            raise OSError("connection lost")
        return read(size)

    file.read = failing
    with pytest.raises(OSError, match="connection lost"):
        decode(file, ANY, 1.0, 2.0)  # of a segment, the rest is not read beforehand


@pytest.mark.parametrize(
    ("data", "name"),
    [
        (bytes.fromhex("3026b2758e66cf11a6d900aa0062ce6c") + bytes(100), "Windows Media"),
        (b"ajkg\x02" + bytes(100), "shorten"),
        (sphere(tone()).getvalue().replace(b"-s3 pcm\nend_head\n", SHORTENED), "SPHERE compressed by shorten"),
    ],
)
def test_a_format_that_is_known_and_not_read_is_called_by_its_name(data, name):
    with pytest.raises(AudioError, match=f"{name}.*is not read"):
        decode(BytesIO(data), ANY)


@pytest.mark.parametrize("hz", [8000, 11025, 16000, 44100, 48000])
@pytest.mark.parametrize("block", [999, 16_384, 10**6])
def test_resampling_block_after_block_gives_the_same_values(hz, block):
    samples = noise(seconds=3.0)
    resampler = Resampler(hz, 16000)
    blocks = [resampler.add(samples[at : at + block]) for at in range(0, len(samples), block)]
    assert np.array_equal(np.concatenate([*blocks, resampler.finish()]), resample(samples, hz, 16000))


@pytest.mark.parametrize(("container", "subtype"), [("WAV", "PCM_16"), ("FLAC", "PCM_16"), ("OGG", "VORBIS")])
@pytest.mark.parametrize(("offset", "duration"), [(None, None), (1.5, 2.0), (3.0, None)])
def test_blocks_are_bounded_and_are_together_the_whole(monkeypatch, container, subtype, offset, duration):
    file = encoded(np.stack([noise(seconds=5.0), tone(seconds=5.0)], axis=1), container=container, subtype=subtype)
    whole = decode(file, ANY, offset, duration)
    monkeypatch.setattr(decoding, "BLOCK_BYTES", 40_000)
    blocks = list(decode_blocks(file, ANY, offset, duration))
    assert len(blocks) > 1
    assert all(block.samples.nbytes <= 40_000 for block in blocks)
    assert np.array_equal(np.concatenate([block.samples for block in blocks], axis=1), whole.samples)
    assert np.array_equal(decode(file, ANY, offset, duration).samples, whole.samples)
