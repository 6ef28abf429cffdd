from __future__ import annotations

import os

import numpy as np
import pytest
import soundfile

from asr_model.audio import AudioError
from asr_model.examples import FeaturizeSettings, make_examples
from asr_model.records import Failure, Utterance
from pipelines.reading import read_audio, read_text


def test_the_file_is_opened_and_used(tmp_path):
    path = tmp_path / "a.wav"
    path.write_bytes(b"audio")
    assert read_audio(Utterance("a.wav", str(path)), lambda file: [file.read()]) == [b"audio"]


@pytest.mark.parametrize(("name", "reason"), [("none.wav", "missing"), (".", "not-a-file")])
def test_what_cannot_be_opened_is_a_failure_under_its_name_in_the_manifest(tmp_path, name, reason):
    failure = read_audio(Utterance("a.wav", str(tmp_path / name), channel=1), lambda file: [])
    assert isinstance(failure, Failure)
    assert (failure.audio_filepath, failure.channel, failure.reason) == ("a.wav", 1, reason)
    assert str(tmp_path) in failure.message


@pytest.mark.timeout(10)
@pytest.mark.parametrize(("make", "kind"), [(os.mkfifo, "a pipe"), (None, "a device"), (os.mkdir, "a folder")])
def test_what_is_no_file_is_not_waited_for(tmp_path, make, kind):
    path = tmp_path / "a.wav"
    if make:
        make(path)
    else:
        path.symlink_to("/dev/zero")
    failure = read_audio(Utterance("a.wav", str(path)), lambda file: [file.read(1)])
    assert isinstance(failure, Failure)
    assert (failure.reason, failure.message) == ("not-a-file", f"{kind}: {path}")


@pytest.mark.parametrize("path", ["a.wav/b.wav", "x" * 5000])
def test_what_cannot_be_a_path_is_missing(tmp_path, path):
    (tmp_path / "a.wav").write_bytes(b"audio")
    failure = read_audio(Utterance("a.wav", str(tmp_path / path)), lambda file: [])
    assert isinstance(failure, Failure)
    assert failure.reason == "missing"


def test_a_disk_that_fails_is_no_failure_of_the_recording(tmp_path):
    def use(file):
        raise OSError(5, "Input/output error")

    with pytest.raises(OSError, match="Input/output"):
        read_audio(Utterance("a.wav", __file__), use)


def test_a_file_that_must_not_be_read_is_a_failure(tmp_path, monkeypatch):
    path = tmp_path / "a.wav"
    path.write_bytes(b"audio")

    def refuse(path):
        raise PermissionError(path)  # a superuser, as in a container, may read everything

    monkeypatch.setattr("pipelines.io.open_file", refuse)
    failure = read_audio(Utterance("a.wav", str(path)), lambda file: [])
    assert isinstance(failure, Failure)
    assert failure.reason == "no-permission"


def test_audio_that_cannot_be_used_keeps_its_reason(tmp_path):
    def use(file):
        raise AudioError("too-short", "nothing there")

    failure = read_audio(Utterance("a.wav", __file__), use)
    assert failure == Failure("a.wav", None, "too-short", "nothing there")


def test_other_exceptions_are_no_failures_of_the_recording():
    def use(file):
        raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        read_audio(Utterance("a.wav", __file__), use)


def test_a_text_of_its_own_file_is_read_and_what_keeps_it_from_that_is_a_failure(tmp_path):
    (tmp_path / "a.txt").write_bytes(b"\xef\xbb\xbf one\ntwo \n")
    (tmp_path / "b.txt").write_bytes(b"caf\xe9")
    names = ("a.txt", "b.txt", "gone.txt")
    good, bad, gone = (read_text(Utterance(name, name, 1, text_path=str(tmp_path / name))) for name in names)
    assert good == Utterance("a.txt", "a.txt", 1, "one\ntwo")
    assert (bad.reason, bad.channel) == ("bad-text", 1)
    assert (gone.reason, gone.audio_filepath) == ("missing", "gone.txt")
    assert read_text(good) is good


def bad_recordings(folder):
    """Write a recording for every way of being bad, and return what is to be said of each."""
    noise = 0.1 * np.random.default_rng(0).normal(size=32000)
    nan = noise.copy()
    nan[500] = np.nan

    def write(name, samples=noise, rate=16000, container="WAV", subtype=None):
        soundfile.write(folder / name, samples, rate, format=container, subtype=subtype)

    write("good.wav")
    write("short.wav", noise[:100])
    write("long.wav", np.resize(noise, 61 * 16000))
    write("nan.wav", nan, subtype="FLOAT")
    write("wide.wav", np.zeros((100, 1024)))
    write("fast.wav", rate=2_000_000_000)
    for name, container in (("cut.wav", "WAV"), ("cut.flac", "FLAC"), ("cut.mp3", "MP3"), ("cut.ogg", "OGG")):
        write(name, np.resize(noise, 160000), container=container)
        os.truncate(folder / name, (folder / name).stat().st_size * 2 // 3)
    (folder / "empty.wav").write_bytes(b"")
    (folder / "text.wav").write_text("no sound at all")
    (folder / "playlist.wav").write_text(f"ffconcat version 1.0\nfile '{folder}/good.wav'\n")
    (folder / "broken.wav").write_bytes(b"RIFF\x24\0\0\0WAVEfmt " + bytes(100))
    (folder / "folder.wav").mkdir()
    os.mkfifo(folder / "pipe.wav")
    return {
        "short.wav": "too-short",
        "long.wav": "too-long",
        "nan.wav": "non-finite",
        "wide.wav": "too-many-channels",
        "fast.wav": "bad-sample-rate",
        "cut.wav": "truncated",
        "cut.flac": "truncated",
        "cut.mp3": "truncated",
        "cut.ogg": "truncated",
        "empty.wav": "empty",
        "text.wav": "unknown-format",
        "playlist.wav": "unknown-format",
        "broken.wav": "unreadable",
        "folder.wav": "not-a-file",
        "pipe.wav": "not-a-file",
        "missing.wav": "missing",
    }


@pytest.mark.timeout(60)
def test_every_way_of_being_bad_has_its_reason_and_the_next_recording_is_read(tmp_path):
    settings = FeaturizeSettings()

    def read(name, **columns):
        row = Utterance(name, str(tmp_path / name), **{"text": "yes", **columns})
        return read_audio(row, lambda file: make_examples(file, row, settings))

    wanted = bad_recordings(tmp_path)
    found = {}
    for name in wanted:
        failure = read(name)
        assert isinstance(failure, Failure), name
        assert failure.audio_filepath == name
        assert len(failure.message) > 10
        found[name] = failure.reason
        assert len(read("good.wav")) == 1
    assert found == wanted
    columns = [{"channel": 1}, {"offset": 3.0, "duration": 1.0}, {"text": " "}, {"text": None}]
    reasons = [read("good.wav", **changed).reason for changed in columns]
    assert reasons == ["no-such-channel", "out-of-range", "empty-text", "empty-text"]
