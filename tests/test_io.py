from __future__ import annotations

import json
import os

import pyarrow as pa
import pytest

import pipelines.io as io
from asr_model.records import Failure, Segment, Transcript, Utterance, to_table


def transcript(name):
    return Transcript(name, 0, "a", 0.5, 1.0, 8000, "WAV/PCM_16", 1, [Segment(0.0, 1.0, "a", 0.5)])


def manifest(folder, *lines):
    path = folder / "manifest.jsonl"
    path.write_bytes(b"".join(line if isinstance(line, bytes) else json.dumps(line).encode() + b"\n" for line in lines))
    return str(path)


def rows(source):
    return [row for row, _ in io.read_manifest(source)]


@pytest.mark.parametrize(
    ("folder", "path", "joined"),
    [
        ("a/b", "c.wav", "a/b/c.wav"),
        ("a/b/", "c.wav", "a/b/c.wav"),
        ("", "c.wav", "c.wav"),
        ("a", "/c.wav", "/c.wav"),
        ("a", "gs://bucket/c.wav", "gs://bucket/c.wav"),
        ("s3://bucket/a", "c.wav", "s3://bucket/a/c.wav"),
    ],
)
def test_a_path_is_seen_from_its_folder(folder, path, joined):
    assert io.join(folder, path) == joined


def test_a_file_whose_writing_fails_leaves_the_old_one_and_nothing_else(tmp_path):
    io.write_file(str(tmp_path / "file"), b"old")

    def lines():
        yield "new"
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        io.write_lines(str(tmp_path / "file"), lines())
    assert [path.name for path in tmp_path.iterdir()] == ["file"]
    assert (tmp_path / "file").read_bytes() == b"old"


def test_deleting_passes_over_what_is_not_there(tmp_path):
    io.write_file(str(tmp_path / "file"), b"x")
    io.delete([str(tmp_path / "file"), str(tmp_path / "none")])
    assert not list(tmp_path.iterdir())


def test_rows_come_back_from_parquet_with_their_stamp(tmp_path):
    written = [transcript("a.wav"), transcript("b.wav")]
    path = str(tmp_path / "part.parquet")
    io.write_parquet(path, to_table(Transcript, written, {"who": "me"}))
    assert list(io.read_rows(path, Transcript)) == written
    assert io.read_stamps([path])[path]["who"] == "me"


def test_a_flipped_bit_in_a_parquet_page_is_noticed(tmp_path):
    path = tmp_path / "part.parquet"
    io.write_parquet(str(path), pa.table({"features": [os.urandom(4096) for _ in range(8)]}))
    data = bytearray(path.read_bytes())
    data[len(data) // 2] ^= 1
    path.write_bytes(data)
    with pytest.raises((OSError, pa.ArrowException)), io.open_file(str(path)) as file:
        io.pq.ParquetFile(file, page_checksum_verification=True).read()


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
        ({"audio_filepath": "b.wav", "offset": 3.5}, "offset"),
        (b'{"audio_filepath": "\xff.wav"}\n', "line 2"),
    ],
)
def test_a_line_that_cannot_be_used_is_a_failure_and_the_others_are_read(tmp_path, line, message):
    source = manifest(tmp_path, {"audio_filepath": "a.wav"}, line, {"audio_filepath": "c.wav"})
    first, bad, last = rows(source)
    assert (first.audio_filepath, last.audio_filepath) == ("a.wav", "c.wav")
    assert (bad.audio_filepath, bad.reason) == (f"{source}:2", "bad-manifest-line")
    assert message in bad.message


def test_a_recording_named_twice_is_a_failure_unless_the_channels_differ(tmp_path):
    lines = [{"audio_filepath": "a.wav", "channel": channel} for channel in (0, 1, 0)]
    found = rows(manifest(tmp_path, *lines))
    assert [getattr(row, "reason", None) for row in found] == [None, None, "duplicate"]


def test_the_size_stands_in_for_a_duration_that_the_manifest_does_not_give(tmp_path):
    (tmp_path / "a.wav").write_bytes(b"12345")
    lines = [{"audio_filepath": "a.wav"}, {"audio_filepath": "a.wav", "channel": 1, "duration": 3.0}]
    lines += [{"audio_filepath": "gone.wav"}, {"audio_filepath": "gs://bucket/a.wav"}]
    assert [size for _, size in io.read_manifest(manifest(tmp_path, *lines))] == [5, 0, 0, 0]


def test_blank_lines_and_a_byte_order_mark_are_nothing(tmp_path):
    source = manifest(tmp_path, b'\xef\xbb\xbf{"audio_filepath": "a.wav"}\n', b"\n", b"  \n")
    assert [row.audio_filepath for row in rows(source)] == ["a.wav"]


def test_a_folder_gives_its_audio_in_order_and_a_glob_what_it_matches(tmp_path):
    for name in ("b.wav", "a.FLAC", "notes.txt", "deep/er/c.mp3"):
        io.write_file(str(tmp_path / name), b"12345")
    found = list(io.read_manifest(str(tmp_path)))
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


def test_a_folder_is_resumed_by_the_same_run_and_refused_to_others(tmp_path):
    folder, claim = str(tmp_path / "out"), {"verb": "featurize", "settings": {"a": 1}}
    io.claim_folder(folder, claim, overwrite=False)
    io.write_json(io.join(folder, io.SUCCESS_FILE), {"verb": "featurize"})
    io.write_file(io.join(folder, "train/part.parquet"), b"x")
    io.claim_folder(folder, claim, overwrite=False)
    assert not io.exists(io.join(folder, io.SUCCESS_FILE))  # unfinished until it has finished again
    assert io.exists(io.join(folder, "train/part.parquet"))
    other = {**claim, "settings": {"a": 2}}
    with pytest.raises(io.InputError, match=r"differing: settings"):
        io.claim_folder(folder, other, overwrite=False)
    io.claim_folder(folder, other, overwrite=True)
    assert not io.exists(io.join(folder, "train/part.parquet"))


def test_a_folder_with_somebodys_files_is_refused(tmp_path):
    (tmp_path / "thesis.txt").write_text("x")
    with pytest.raises(io.InputError, match="not empty"):
        io.claim_folder(str(tmp_path), {"verb": "featurize"}, overwrite=False)


def test_only_a_finished_folder_of_the_right_verb_is_read(tmp_path):
    with pytest.raises(io.InputError, match="did that job finish"):
        io.read_success(str(tmp_path), "transcribe")
    io.write_json(str(tmp_path / io.SUCCESS_FILE), {"verb": "featurize"})
    with pytest.raises(io.InputError, match="written by featurize, wanted the output of transcribe"):
        io.read_success(str(tmp_path), "transcribe")


@pytest.mark.parametrize(("limit", "fails"), [(0.25, False), (0.24, True)])
def test_the_failure_rate_may_be_reached_but_not_passed(limit, fails):
    failures = [Failure("a.wav", None, "missing", "gone")]
    if fails:
        with pytest.raises(io.TooManyFailuresError, match=r"1 of 4 .*missing.*failures\.jsonl"):
            io.check_failure_rate(4, failures, limit, "out")
    else:
        io.check_failure_rate(4, failures, limit, "out")
