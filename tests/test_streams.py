from __future__ import annotations

import pickle
from io import BytesIO

import pytest

from asr_model.containers import ContainerStream
from asr_model.sound_files import SoundStream
from asr_model.streams import AudioError, DecodingError, Nameless, UnknownFormatError


def test_a_reason_says_what_and_why_and_comes_back_from_another_process():
    error = pickle.loads(pickle.dumps(AudioError("too-short", "0.01 s of audio")))
    assert (error.reason, error.message, str(error)) == ("too-short", "0.01 s of audio", "too-short: 0.01 s of audio")


def test_an_unknown_format_is_a_way_of_not_decoding():
    assert issubclass(UnknownFormatError, DecodingError)


def test_a_nameless_file_is_read_and_has_no_name(tmp_path):
    path = tmp_path / "call.raw"
    path.write_bytes(b"abc")
    with path.open("rb") as file:
        nameless = Nameless(file)
        nameless.seek(1)
        assert (nameless.read(1), nameless.tell()) == (b"b", 2)
        assert not hasattr(nameless, "name")
        room = bytearray(4)
        assert (nameless.readinto(room), room) == (1, b"c\0\0\0")
    assert Nameless(BytesIO(b"x")).read() == b"x"


def test_what_goes_wrong_in_reading_is_kept_and_a_place_before_the_beginning_is_not_gone_to():
    class Broken(BytesIO):
        def read(self, size=-1):
            raise OSError("gone")

    nameless = Nameless(Broken(b"abc"))
    assert nameless.read(1) == b""
    assert nameless.readinto(bytearray(2)) == 0
    assert str(nameless.error) == "gone"
    assert (nameless.seek(2), nameless.seek(-1)) == (2, 2)


@pytest.mark.parametrize("stream", [SoundStream, ContainerStream])
def test_decoders_do_what_a_stream_does(stream):
    assert callable(stream.seek)
    assert callable(stream.read)
    assert 0 <= stream.slack_seconds < 1
