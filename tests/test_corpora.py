from __future__ import annotations

import json

import pytest

import pipelines.io as io
from asr_model.records import Failure, Utterance
from pipelines.corpora import read_corpus


def manifest(folder, *lines):
    path = folder / "manifest.jsonl"
    path.write_bytes(b"".join(line if isinstance(line, bytes) else json.dumps(line).encode() + b"\n" for line in lines))
    return str(path)


def rows(source):
    return [row for row, _ in read_corpus(source)]


def test_a_manifest_gives_its_columns_and_carries_others_through(tmp_path):
    line = {"audio_filepath": "a.wav", "text": "hi", "duration": 2, "speaker": 7, "channel": 1, "queue": "sales"}
    source = manifest(tmp_path, line)
    expected = Utterance("a.wav", f"{tmp_path}/a.wav", 1, "hi", 2, "7", {"queue": "sales"})
    assert rows(source) == [expected]
    assert rows(str(tmp_path)) == [expected]  # a folder stands for the manifest in it


@pytest.mark.parametrize(
    ("line", "message"),
    [
        (b"{not json\n", "line 2"),
        (b"[1]\n", "wanted a JSON object, found list"),
        ({"text": "a"}, "no audio_filepath"),
        ({"audio_filepath": "b.wav", "text": 3}, "text is 3, wanted a string"),
        ({"audio_filepath": "b.wav", "channel": True}, "channel is true"),
        ({"audio_filepath": "b.wav", "channel": -1}, "channel is -1"),
        ({"audio_filepath": "b.wav", "duration": "long"}, "duration is"),
        ({"audio_filepath": "b.wav", "offset": 3.5}, "offset is 3.5 but duration is null"),
        (b'{"audio_filepath": "\xff.wav"}\n', "line 2"),
    ],
)
def test_a_line_that_cannot_be_used_is_a_failure_and_the_others_are_read(tmp_path, line, message):
    source = manifest(tmp_path, {"audio_filepath": "a.wav"}, line, {"audio_filepath": "c.wav"})
    first, bad, last = rows(source)
    assert (first.audio_filepath, last.audio_filepath) == ("a.wav", "c.wav")
    assert (bad.audio_filepath, bad.reason) == (f"{source}:2", "bad-manifest-line")
    assert message in bad.message


@pytest.mark.parametrize(
    ("key", "values", "failing"),
    [
        ("channel", (0, 1, 0), [2]),
        ("channel", (0, None, 1), [1]),
        ("channel", ("all", 1), [1]),
        ("channel", ("mix", 0), [1]),  # a mix is channel 0 of what comes out
        ("offset", (0.0, 2.5, None, 2.5), [3]),
    ],
)
def test_a_recording_named_twice_is_a_failure_unless_channels_or_offsets_differ(tmp_path, key, values, failing):
    lines = [{"audio_filepath": "a.wav", "duration": 1, key: value} for value in values]
    found = rows(manifest(tmp_path, *lines))
    assert [getattr(row, "reason", None) for row in found] == [
        "duplicate" if number in failing else None for number in range(len(values))
    ]


def test_the_size_stands_in_for_a_duration_that_the_manifest_does_not_give(tmp_path):
    (tmp_path / "a.wav").write_bytes(b"12345")
    lines = [{"audio_filepath": "a.wav"}, {"audio_filepath": "a.wav", "channel": 1, "duration": 3.0}]
    lines += [{"audio_filepath": "gone.wav"}, {"audio_filepath": "gs://bucket/a.wav"}]
    assert [size for _, size in read_corpus(manifest(tmp_path, *lines))] == [5, 0, 0, 0]


def test_blank_lines_and_a_byte_order_mark_are_nothing(tmp_path):
    source = manifest(tmp_path, b'\xef\xbb\xbf{"audio_filepath": "a.wav"}\n', b"\n", b"  \n")
    assert [row.audio_filepath for row in rows(source)] == ["a.wav"]


def test_a_folder_gives_its_audio_in_order_and_a_glob_what_it_matches(tmp_path):
    for name in ("b.wav", "a.FLAC", "notes.txt", "deep/er/c.mp3"):
        io.write_file(str(tmp_path / name), b"12345")
    found = list(read_corpus(str(tmp_path)))
    assert [row.path for row, _ in found] == [f"{tmp_path}/{name}" for name in ("a.FLAC", "b.wav", "deep/er/c.mp3")]
    assert {size for _, size in found} == {5}
    assert [row.path for row in rows(f"{tmp_path}/*.txt")] == [f"{tmp_path}/notes.txt"]
    assert [row.path for row in rows(f"{tmp_path}/b.wav")] == [f"{tmp_path}/b.wav"]


@pytest.mark.parametrize("name", ["none", "none.jsonl", "none.wav", "*.wav", "empty"])
def test_an_input_that_is_not_there_is_an_error_that_names_it(tmp_path, name):
    (tmp_path / "empty").mkdir()
    (tmp_path / "empty" / "notes.txt").write_text("x")
    with pytest.raises(io.InputError, match=name.replace("*", r"\*")):
        rows(str(tmp_path / name))


def test_a_manifest_without_rows_is_an_error(tmp_path):
    with pytest.raises(io.InputError, match="no rows"):
        rows(manifest(tmp_path, b"\n"))


def write(folder, **files):
    for name, content in files.items():
        io.write_file(str(folder / name), content.encode() if isinstance(content, str) else content)
    return str(folder)


def test_a_common_voice_table_is_read_by_the_names_of_its_columns(tmp_path):
    lines = ["client_id\tpath\tsentence\tage", 'abc\tx.mp3\tSaid "so"\tteens', "def\ty.mp3\tYes\t"]
    write(tmp_path, **{"validated.tsv": "\n".join(lines), "clips/x.mp3": b"123"})
    first, second = read_corpus(f"{tmp_path}/validated.tsv")
    expected = Utterance("clips/x.mp3", f"{tmp_path}/clips/x.mp3", None, 'Said "so"', None, "abc", {"age": "teens"})
    assert first == (expected, 3)
    assert (second[0].audio_filepath, second[0].speaker) == ("clips/y.mp3", "def")


def test_a_csv_may_quote_and_name_channels_and_durations(tmp_path):
    text = '\ufeffaudio_filepath,text,duration,channel,queue\na.wav,"one, two",1.5,1,sales\n'
    write(tmp_path, **{"t.csv": text + "b.wav,x,soon,,\n,x,1,0,\n"})
    good, *bad = rows(f"{tmp_path}/t.csv")
    assert good == Utterance("a.wav", f"{tmp_path}/a.wav", 1, "one, two", 1.5, None, {"queue": "sales"})
    assert [row.audio_filepath for row in bad] == [f"{tmp_path}/t.csv:3", f"{tmp_path}/t.csv:4"]
    assert all(isinstance(row, Failure) for row in bad)


def test_a_table_without_a_column_of_audio_is_an_error(tmp_path):
    write(tmp_path, **{"t.csv": "name,text\na,b\n"})
    with pytest.raises(io.InputError, match=r"no column of audio files .*found name, text"):
        rows(f"{tmp_path}/t.csv")


def test_a_librispeech_folder_gives_texts_and_speakers(tmp_path):
    write(
        tmp_path,
        **{"84/121/84-121.trans.txt": "84-121-0000 GO ON\n84-121-0001 NO\n", "84/121/84-121-0000.flac": b"1"},
        **{"84/121/84-121-0001.flac": b"1", "84/121/84-121-0002.flac": b"1"},
    )
    assert [(row.text, row.speaker) for row in rows(str(tmp_path))] == [("GO ON", "84"), ("NO", "84"), (None, None)]


def test_a_text_beside_each_recording_is_its_text(tmp_path):
    write(tmp_path, **{"a.wav": b"1", "a.txt": "hello\nthere\n", "b.wav": b"1", "notes.txt": "x"})
    assert [row.text for row in rows(str(tmp_path))] == ["hello\nthere", None]


def test_a_kaldi_directory_is_read_and_no_command_in_it_is_run(tmp_path):
    write(
        tmp_path,
        **{"wav.scp": "u1 a/1.wav\nu2 touch pwned |\nu3 /x/3.wav\n", "text": "u1 HI THERE\n", "utt2spk": "u1 bob\n"},
    )
    first, piped, last = rows(str(tmp_path))
    assert first == Utterance("a/1.wav", f"{tmp_path}/a/1.wav", None, "HI THERE", None, "bob", {"utterance": "u1"})
    assert (piped.audio_filepath, piped.reason) == ("u2", "bad-manifest-line")
    assert (last.path, last.text) == ("/x/3.wav", None)
    write(tmp_path, segments="u1 r1 0 1\n")
    with pytest.raises(io.InputError, match="segments"):
        rows(str(tmp_path))


def test_an_ljspeech_folder_gives_the_normalized_text(tmp_path):
    write(tmp_path, **{"metadata.csv": 'LJ1|It cost $1.|It "cost" one dollar.\nLJ2|Yes.\n'})
    assert [(row.audio_filepath, row.text) for row in rows(str(tmp_path))] == [
        ("wavs/LJ1.wav", 'It "cost" one dollar.'),
        ("wavs/LJ2.wav", "Yes."),
    ]


def test_a_table_that_is_not_utf_8_is_an_error_with_the_line(tmp_path):
    write(tmp_path, **{"t.csv": b"audio_filepath,text\na.wav,caf\xe9\n"})
    with pytest.raises(io.InputError, match="line 2 is not UTF-8"):
        rows(f"{tmp_path}/t.csv")
