from __future__ import annotations

import os

import pytest

from asr_model.audio import AudioError
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
