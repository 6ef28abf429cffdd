from __future__ import annotations

from io import BytesIO

import numpy as np
import pytest
import soundfile

from asr_model.audio import AudioSettings, decode
from asr_model.sound_files import open_sound
from asr_model.streams import DecodingError, Nameless, UnknownFormatError

NOISE = (0.1 * np.random.default_rng(0).normal(size=96000)).astype(np.float32)


def encoded(samples, container, subtype, **how):
    file = BytesIO()
    soundfile.write(file, samples, 16000, format=container, subtype=subtype, **how)
    return file.getvalue()


def nameless(data):
    return Nameless(BytesIO(data))


def mpeg_frames(data):
    kbps = [0, 8, 16, 24, 32, 40, 48, 56, 64, 80, 96, 112, 128, 144, 160]
    frames, place = [], 0
    while place < len(data):
        size = 72 * kbps[data[place + 2] >> 4] // 16 + (data[place + 2] >> 1 & 1)  # layer 3 at 16 kHz
        frames.append(data[place : place + size])
        place += size
    return frames


def constant():
    return encoded(NOISE, "MP3", "MPEG_LAYER_III", bitrate_mode="CONSTANT", compression_level=0.3)


def variable():
    return encoded(NOISE, "MP3", "MPEG_LAYER_III", bitrate_mode="VARIABLE", compression_level=0.9)


def test_an_opened_file_says_what_its_header_says():
    with open_sound(nameless(encoded(NOISE, "FLAC", "PCM_16"))) as stream:
        assert (stream.sample_rate, stream.num_channels, stream.codec) == (16000, 1, "FLAC/PCM_16")
        assert (stream.num_frames, stream.is_cut) == (96000, False)


def test_reading_returns_counts_until_the_end():
    with open_sound(nameless(encoded(NOISE, "WAV", "FLOAT"))) as stream:
        buffer, pieces = np.empty((10000, 1), np.float32), []
        while count := stream.read(buffer):
            pieces.append(buffer[:count, 0].copy())
    assert np.array_equal(np.concatenate(pieces), NOISE)
    assert {len(piece) for piece in pieces[:-1]} == {10000}


@pytest.mark.parametrize(
    ("data", "error"),
    [(b"garbage" * 9, UnknownFormatError), (b"RIFF\x24\0\0\0WAVE" + bytes(99), DecodingError)],
)
def test_what_is_no_sound_is_told_from_what_is_broken(data, error):
    with pytest.raises(DecodingError) as raised, open_sound(nameless(data)):
        pass
    assert raised.type is error


@pytest.mark.parametrize("claim", [0, 0x7FFFFFF0, 0x7FFFF000, 0xFFFFFFFF])
def test_a_wav_file_written_into_a_pipe_is_not_cut(claim):
    whole = bytearray(encoded(NOISE, "WAV", "PCM_16"))
    place = whole.index(b"data") + 4
    whole[place : place + 4] = claim.to_bytes(4, "little")
    with open_sound(nameless(bytes(whole))) as stream:
        assert not stream.is_cut


def test_what_follows_the_samples_of_a_wav_file_is_no_cut_nor_a_few_bytes_less():
    whole = encoded(NOISE, "WAV", "PCM_16")
    for data in (whole + b"LIST\x04\0\0\0abcd", whole + bytes(77), whole[:-2]):
        with open_sound(nameless(data)) as stream:
            assert not stream.is_cut


def test_an_mp3_file_without_a_header_of_its_length_is_counted():
    bare = b"".join(mpeg_frames(constant())[1:])
    with open_sound(nameless(bare)) as stream:
        assert stream.num_frames is None
    assert decode(BytesIO(bare), AudioSettings()).duration == pytest.approx(6.0, abs=0.15)
    assert decode(BytesIO(bare[: len(bare) // 2]), AudioSettings()).duration == pytest.approx(3.0, abs=0.15)


@pytest.mark.parametrize(
    "data",
    [b"".join(mpeg_frames(variable())[1:]), constant() + constant(), variable() + constant()],
    ids=["variable", "joined", "joined-variable"],
)
def test_of_an_mp3_file_that_libsndfile_takes_for_shorter_nothing_is_lost(data):
    with pytest.raises(DecodingError, match=r"MP3 frames of .* s, taken for"), open_sound(nameless(data)):
        pass
    seconds = sum(1 for _ in mpeg_frames(data)) * 576 / 16000
    assert decode(BytesIO(data), AudioSettings()).duration == pytest.approx(seconds, abs=0.2)


def test_titles_before_and_after_the_frames_of_an_mp3_file_do_no_harm():
    title = b"ID3\x04\0\0\0\0\x07\x76" + bytes(0x7F * 8 - 2)
    whole = constant()
    plain = decode(BytesIO(whole), AudioSettings())
    titled = decode(BytesIO(title + whole + b"TAG" + bytes(125)), AudioSettings())
    assert np.array_equal(plain.samples, titled.samples)


def test_an_ogg_file_without_its_last_page_is_cut():
    whole = encoded(NOISE, "OGG", "VORBIS")
    with open_sound(nameless(whole[: whole.rindex(b"OggS")])) as stream:
        assert stream.is_cut
