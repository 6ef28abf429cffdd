from __future__ import annotations

import os

import pytest

import pipelines.io as io
from asr_model.records import Failure, Utterance
from pipelines.corpora import read_corpus
from pipelines.reading import read_text


def rows(source, layout="auto"):
    return [row for row, _ in read_corpus(source, layout)]


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


def test_words_of_a_recording_that_is_not_there_are_a_failure(tmp_path):
    write(tmp_path, **{"1-2.trans.txt": "1-2-0 A\n1-2-1 B\n", "1-2-0.flac": b"1"})
    good, lost = rows(str(tmp_path))
    assert (good.text, lost.audio_filepath, lost.reason) == ("A", f"{tmp_path}/1-2-1", "missing")
    assert "1-2.trans.txt:2" in lost.message
    assert [row.text for row in rows(f"{tmp_path}/*-0.flac")] == ["A"]  # a pattern leaves out what it leaves out


def test_a_text_beside_each_recording_is_its_text(tmp_path):
    write(tmp_path, **{"a.wav": b"1", "a.txt": "hello\nthere\n", "b.wav": b"1", "notes.txt": "x"})
    assert [read_text(row).text for row in rows(str(tmp_path))] == ["hello\nthere", None]
    assert [read_text(row).text for row in rows(f"{tmp_path}/a*.wav")] == ["hello\nthere"]
    assert [read_text(row).text for row in rows(f"{tmp_path}/a.wav")] == ["hello\nthere"]


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


def kaldi(folder, **files):
    return write(
        folder, **{"wav.scp": "u1 a/1.wav\nu2 touch pwned |\nu3 /x/3.wav\n", "text": "u1 HI  THERE\n", **files}
    )


def test_a_kaldi_directory_is_read_and_no_command_in_it_is_run(tmp_path):
    first, piped, last = rows(kaldi(tmp_path, utt2spk="u1 bob\n", utt2dur="u1\t2.5\n"))
    assert first == Utterance("a/1.wav", f"{tmp_path}/a/1.wav", None, "HI  THERE", 2.5, "bob", {"utterance": "u1"})
    assert (piped.audio_filepath, piped.reason) == (f"{tmp_path}/wav.scp:2", "bad-manifest-line")
    assert "is a command, and none is run" in piped.message
    assert (last.path, last.text) == ("/x/3.wav", None)


SEGMENTS = """\
s1 u1 0.5 2.25
s2 u1 2.25 -1
s3 u3 0 1.5 1
s4 u3 1.5 2.5 A
"""


def test_kaldi_segments_are_stretches_of_their_recordings(tmp_path):
    words = "s1 ONE\ns2 TWO\ns3 THREE\ns4 FOUR\n"
    found = rows(kaldi(tmp_path, segments=SEGMENTS, text=words, utt2spk="s1 bob\ns3 eve\n"))
    assert [(row.audio_filepath, row.channel, row.offset, row.duration, row.text) for row in found] == [
        ("a/1.wav", None, 0.5, 1.75, "ONE"),
        ("a/1.wav", None, 2.25, None, "TWO"),
        ("/x/3.wav", 1, 0.0, 1.5, "THREE"),
        ("/x/3.wav", 0, 1.5, 1.0, "FOUR"),
    ]
    assert [row.speaker for row in found] == ["bob", None, "eve", None]
    assert found[0].extra == {"utterance": "s1", "recording": "u1"}
    lengths = rows(kaldi(tmp_path, segments=SEGMENTS, text=words, reco2dur="u1 10\n"))
    assert lengths[1].duration == 7.75


@pytest.mark.parametrize(
    ("line", "message"),
    [
        ("s9 u9 0 1", "recording u9 is not in wav.scp"),
        ("s9 u1 2 1", "wanted an end after its start"),
        ("s9 u1 x 1", "could not convert"),
        ("s9 u1 0", "wanted recording, start, end"),
        ("s9 u1 -2 1", "offset is -2.0"),
        ("s9 u2 0 1", "is a command"),
        ("s9 u1 0 1 left", 'channel is "left"'),
    ],
)
def test_a_bad_line_of_segments_is_a_failure(tmp_path, line, message):
    first, bad = rows(kaldi(tmp_path, segments=f"s1 u1 0 1\n{line}\n", text=""))
    assert (first.offset, bad.reason, bad.audio_filepath) == (0.0, "bad-manifest-line", f"{tmp_path}/segments:2")
    assert message in bad.message


def test_kaldi_ids_that_are_there_twice_or_in_text_only_are_failures(tmp_path):
    scp = "u1 1.wav\nu1 2.wav\n"
    found = rows(kaldi(tmp_path, **{"wav.scp": scp, "text": "u1 A\nu1 B\nu7 C\n"}))
    assert [(row.audio_filepath.rpartition("/")[2], getattr(row, "reason", None)) for row in found] == [
        ("text:2", "duplicate"),
        ("1.wav", None),
        ("wav.scp:2", "duplicate"),
        ("u7", "missing"),
    ]


def test_a_line_of_a_table_with_too_many_cells_is_a_failure(tmp_path):
    write(tmp_path, **{"t.csv": "audio_filepath,text\na.wav,one, two\nb.wav,x\n"})
    bad, good = rows(f"{tmp_path}/t.csv")
    assert "3 cells, wanted 2" in bad.message
    assert good.text == "x"


def test_a_name_that_is_not_utf_8_is_a_failure_that_can_be_written_down(tmp_path):
    (tmp_path / "ok.wav").write_bytes(b"1")
    (tmp_path / os.fsdecode(b"caf\xe9.wav")).write_bytes(b"1")
    bad, good = rows(str(tmp_path))
    assert (bad.reason, good.path) == ("bad-file-name", f"{tmp_path}/ok.wav")
    (bad.audio_filepath + bad.message).encode()
