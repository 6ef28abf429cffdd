from __future__ import annotations

import sys
from io import BytesIO
from pathlib import Path
from tempfile import TemporaryDirectory

import av
import numpy as np
import pytest
import soundfile
from test_audio import CountedReads, assert_usable_or_refused, broken

from asr_model.audio import AudioError, AudioSettings, decode
from asr_model.containers import open_container
from asr_model.streams import Nameless, UnknownFormatError

SECONDS = 3
CODED = [
    ("ipod", "aac", 16000, "MOV/AAC"),
    ("mp4", "aac", 44100, "MOV/AAC"),
    ("mov", "alac", 16000, "MOV/ALAC"),
    ("adts", "aac", 16000, "AAC/AAC"),
    ("amr", "libopencore_amrnb", 8000, "AMR/AMRNB"),
    ("webm", "libopus", 48000, "MATROSKA/OPUS"),
    ("matroska", "aac", 16000, "MATROSKA/AAC"),
    ("wav", "adpcm_g722", 16000, "WAV/G722"),
]
PLAYLISTS = [
    "ffconcat version 1.0\nfile '{}'\n",
    "#EXTM3U\n#EXT-X-TARGETDURATION:10\n#EXTINF:9,\n{}\n#EXT-X-ENDLIST\n",
    "#EXTM3U\n#EXT-X-TARGETDURATION:10\n#EXTINF:9,\nfile://{}\n#EXT-X-ENDLIST\n",
    '<?xml version="1.0"?><MPD xmlns="urn:mpeg:dash:schema:mpd:2011"><Period><BaseURL>{}</BaseURL></Period></MPD>',
]


def chirp(rate, seconds=SECONDS):
    time = np.arange(round(seconds * rate)) / rate
    return (0.4 * np.sin(2 * np.pi * (300 + 200 * time) * time)).astype(np.float32)


def encoded(container, codec, rate, channels=1, seconds=SECONDS, options=None):
    layout = "mono" if channels == 1 else "stereo"
    samples = np.stack([chirp(rate, seconds) * (1 - 0.5 * n) for n in range(channels)])
    # A real file: to put the index of an MP4 file first, FFmpeg reads what it wrote.
    with TemporaryDirectory() as folder:
        path = Path(folder) / "file"
        _encode(path, samples, container, codec, rate, layout, options or {})
        return path.read_bytes()


def _encode(path, samples, container, codec, rate, layout, options):
    with av.open(str(path), "w", format=container, options=options) as output:
        stream = output.add_stream(codec, rate=rate, layout=layout)
        frame = av.AudioFrame.from_ndarray(samples, format="fltp", layout=layout)
        frame.sample_rate = rate
        resampler = av.AudioResampler(format=stream.codec_context.format, layout=layout, rate=rate)
        for piece in [*resampler.resample(frame), *resampler.resample(None)]:
            output.mux(stream.encode(piece))
        output.mux(stream.encode(None))


def likeness(found, wanted):
    """Return the greatest correlation of two signals over small shifts: coders delay a little."""
    size = len(wanted) // 2
    middle = wanted[size // 2 : size // 2 + size]
    found = np.pad(found, 3000)[size // 2 : size // 2 + size + 6000]
    scores = np.correlate(found, middle, "valid")
    at = int(np.argmax(scores))
    return scores[at] / np.linalg.norm(middle) / np.linalg.norm(found[at : at + size])


@pytest.mark.parametrize(("container", "codec", "rate", "name"), CODED)
def test_what_libsndfile_does_not_read_is_decoded_by_its_content(container, codec, rate, name):
    data = encoded(container, codec, rate)
    audio = decode(BytesIO(data), AudioSettings())
    assert (audio.codec, audio.sample_rate, audio.num_channels, audio.num_bytes) == (name, rate, 1, len(data))
    assert audio.duration == pytest.approx(SECONDS, abs=0.15)
    assert likeness(audio.samples[0], chirp(rate)) > (0.9 if codec == "libopencore_amrnb" else 0.98)
    assert audio.samples[0][rate:-rate].std() == pytest.approx(0.4 / np.sqrt(2), rel=0.15)


def test_g722_without_a_header_is_read_where_a_setting_says_so():
    file = BytesIO(encoded("g722", "adpcm_g722", 16000))
    audio = decode(file, AudioSettings(headerless="g722"))
    assert (audio.codec, audio.sample_rate, audio.duration) == ("G722/G722", 16000, SECONDS)
    assert likeness(audio.samples[0], chirp(16000)) > 0.98
    with pytest.raises(AudioError):
        decode(file, AudioSettings())


def test_channels_keep_their_order():
    audio = decode(BytesIO(encoded("ipod", "aac", 16000, channels=2)), AudioSettings())
    left, right = np.sqrt(np.mean(audio.samples**2, axis=1))
    assert right / left == pytest.approx(0.5, abs=0.05)


@pytest.mark.parametrize(("container", "codec", "rate", "name"), CODED)
def test_a_segment_is_the_same_stretch_of_the_whole(container, codec, rate, name):
    file = BytesIO(encoded(container, codec, rate, seconds=8))
    whole = decode(file, AudioSettings()).samples[0]
    segment = decode(file, AudioSettings(), 5.5, 1.25).samples[0]
    assert len(segment) == round(1.25 * rate)
    expected = whole[round(5.5 * rate) : round(6.75 * rate)]
    # Times in WebM are milliseconds.
    assert likeness(segment, expected) > 0.95
    shift = np.argmax(np.correlate(whole[round(5.4 * rate) : round(6.85 * rate)], segment, "valid")) - round(0.1 * rate)
    assert abs(shift) / rate <= 0.0011


def test_a_segment_is_gone_to():
    file = CountedReads(encoded("ipod", "aac", 16000, seconds=60))
    decode(file, AudioSettings(), 50.0, 0.5)
    assert file.num_bytes < 0.5 * len(file.getvalue())


@pytest.mark.parametrize(
    ("container", "codec", "rate", "options"),
    [
        ("mp4", "aac", 16000, {"movflags": "faststart"}),
        ("webm", "libopus", 48000, {}),
        ("wav", "adpcm_g722", 16000, {}),
    ],
)
def test_a_container_that_was_cut_has_a_reason(container, codec, rate, options):
    data = encoded(container, codec, rate, options=options)
    with pytest.raises(AudioError) as error:
        decode(BytesIO(data[: len(data) * 7 // 10]), AudioSettings())
    assert error.value.reason == "truncated"
    kept = decode(BytesIO(data[: len(data) * 7 // 10]), AudioSettings(truncated="keep"))
    assert 0.5 * SECONDS < kept.duration < 0.8 * SECONDS


def test_a_container_that_was_cut_before_its_index_is_unreadable_and_not_unknown():
    data = encoded("ipod", "aac", 16000)
    with pytest.raises(AudioError) as error:
        decode(BytesIO(data[: len(data) * 7 // 10]), AudioSettings())
    assert error.value.reason == "unreadable"


def test_without_audio_inside_there_is_a_reason():
    file = BytesIO()
    with av.open(file, "w", format="mp4") as output:
        stream = output.add_stream("mpeg4", rate=25)
        stream.width = stream.height = 32
        for _ in range(5):
            output.mux(stream.encode(av.VideoFrame.from_ndarray(np.zeros((32, 32, 3), np.uint8))))
        output.mux(stream.encode(None))
    with pytest.raises(AudioError, match=r"unreadable: .*no audio in this"):
        decode(file, AudioSettings())


@pytest.mark.parametrize("playlist", PLAYLISTS)
def test_a_playlist_opens_no_other_file(playlist, tmp_path):
    secret = tmp_path / "secret.wav"
    soundfile.write(secret, chirp(16000), 16000)
    path = tmp_path / "call.wav"
    path.write_text(playlist.format(secret))
    with path.open("rb") as file, pytest.raises(AudioError) as error:
        decode(file, AudioSettings())
    assert error.value.reason == "unknown-format"
    secret.unlink()  # no reason given depends on whether the other file is there
    with path.open("rb") as file, pytest.raises(AudioError) as again:
        decode(file, AudioSettings())
    assert str(again.value) == str(error.value)


def test_no_format_that_names_other_files_is_allowed():
    with pytest.raises(UnknownFormatError), open_container(Nameless(BytesIO(PLAYLISTS[0].encode()))):
        pass


def test_without_pyav_the_extra_is_named(monkeypatch):
    data = encoded("ipod", "aac", 16000)
    monkeypatch.setitem(sys.modules, "av", None)
    with pytest.raises(AudioError, match=r"unknown-format: .*beamscribe\[av\]"):
        decode(BytesIO(data), AudioSettings())


def test_a_broken_container_has_a_reason_whatever_is_broken():
    draw = np.random.default_rng(0)
    for container, codec, rate, _ in CODED:
        whole = encoded(container, codec, rate, seconds=1)
        for _ in range(40):
            assert_usable_or_refused(broken(whole, draw))
