from __future__ import annotations

import gzip
import json
from typing import get_args

import pytest

import pipelines.io as io
from asr_model.records import Layout, Utterance
from pipelines.corpora import find_corpus, read_corpus


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
        ({"audio_filepath": "b.wav", "offset": 3.5, "duration": 0}, "duration is 0 from offset 3.5"),
        (b"[" * 200_000 + b"\n", "line 2"),
        ({"audio_filepath": "b.wav", "note": float("nan")}, "not JSON compliant"),
        (b'{"audio_filepath": "\\ud800.wav"}\n', "surrogates"),
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
    assert [row.path for row in rows(f"{tmp_path}/*.w*")] == [f"{tmp_path}/b.wav"]
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


@pytest.mark.parametrize("name", ["m.jsonl.gz", "m.json.gz", "t.csv.gz"])
def test_manifests_and_tables_may_be_compressed(tmp_path, name):
    text = "audio_filepath\na.wav\n" if "csv" in name else '{"audio_filepath": "a.wav"}\n'
    (tmp_path / name).write_bytes(gzip.compress(text.encode()))
    assert [row.audio_filepath for row in rows(f"{tmp_path}/{name}")] == ["a.wav"]


def test_a_cut_gzip_file_is_an_error(tmp_path):
    (tmp_path / "m.jsonl.gz").write_bytes(gzip.compress(b'{"audio_filepath": "a.wav"}\n' * 1000)[:-10])
    with pytest.raises(io.InputError, match="not a whole gzip file"):
        rows(f"{tmp_path}/m.jsonl.gz")


FILES = {
    "manifest": {"manifest.jsonl": '{"audio_filepath": "a.wav"}\n'},
    "kaldi": {"wav.scp": "u1 a.wav\n"},
    "ljspeech": {"metadata.csv": "LJ1|One|one\n"},
    "lhotse": {"recordings.jsonl.gz": gzip.compress(b"{}\n")},
    "folder": {"deep/er/a.wav": "x"},
}


@pytest.mark.parametrize("layout", FILES)
def test_the_layout_of_a_folder_is_found_out_or_given(tmp_path, layout):
    for name, content in FILES[layout].items():
        io.write_file(str(tmp_path / name), content if isinstance(content, bytes) else content.encode())
    assert find_corpus(str(tmp_path)).layout == layout
    assert find_corpus(str(tmp_path), layout) == find_corpus(str(tmp_path))


def test_a_layout_that_is_given_goes_before_what_is_there(tmp_path):
    (tmp_path / "manifest.jsonl").write_text('{"audio_filepath": "gone.wav"}\n')
    (tmp_path / "a.wav").write_bytes(b"x")
    assert [row.audio_filepath for row in rows(str(tmp_path))] == ["gone.wav"]
    assert [row.path for row, _ in read_corpus(str(tmp_path), "folder")] == [f"{tmp_path}/a.wav"]


@pytest.mark.parametrize("layout", [name for name in get_args(Layout) if name != "auto"])
def test_an_input_that_is_not_of_the_layout_given_is_an_error(tmp_path, layout):
    with pytest.raises(io.InputError, match=layout):
        find_corpus(str(tmp_path / "none"), layout)
    with pytest.raises(io.InputError):
        list(read_corpus(str(tmp_path), layout))


def test_a_table_called_metadata_is_told_from_ljspeech_s(tmp_path):
    (tmp_path / "metadata.csv").write_text("file_name,transcription\na.wav,hello\n")
    assert [(row.path, row.text) for row in rows(str(tmp_path))] == [(f"{tmp_path}/a.wav", "hello")]
