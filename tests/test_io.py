from __future__ import annotations

import os
from collections import Counter

import pyarrow as pa
import pytest

import pipelines.io as io
from asr_model.records import Segment, Transcript, to_table


def transcript(name):
    return Transcript(name, 0, "a", 0.5, 1.0, 8000, "WAV/PCM_16", 1, [Segment(0.0, 1.0, "a", 0.5)])


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


def test_a_folder_is_resumed_by_the_same_run_and_refused_to_others(tmp_path):
    folder, claim = str(tmp_path / "out"), {"verb": "featurize", "settings": {"a": 1}}
    io.claim_folder(folder, claim, overwrite=False)
    io.write_json(io.join(folder, io.SUCCESS_FILE), {"verb": "featurize"})
    io.write_file(io.join(folder, "train/part.parquet"), b"x")
    io.write_file(io.join(folder, "train/.part.parquet.1.tmp"), b"x")
    io.claim_folder(folder, claim, overwrite=False)
    assert not io.exists(io.join(folder, io.SUCCESS_FILE))  # unfinished until it has finished again
    assert io.exists(io.join(folder, "train/part.parquet"))
    assert not io.exists(io.join(folder, "train/.part.parquet.1.tmp"))
    other = {**claim, "settings": {"a": 2}}
    with pytest.raises(io.InputError, match=r"differing: settings"):
        io.claim_folder(folder, other, overwrite=False)
    io.claim_folder(folder, other, overwrite=True)
    assert not io.exists(io.join(folder, "train/part.parquet"))


def test_a_folder_with_somebodys_files_is_refused(tmp_path):
    (tmp_path / "thesis.txt").write_text("x")
    with pytest.raises(io.InputError, match="not empty"):
        io.claim_folder(str(tmp_path), {"verb": "featurize"}, overwrite=False)


def test_a_run_that_was_killed_as_it_began_is_begun_again(tmp_path):
    (tmp_path / f".{io.RUN_FILE}.1.tmp").write_text("{")
    io.claim_folder(str(tmp_path), {"verb": "featurize"}, overwrite=False)
    assert [path.name for path in tmp_path.iterdir()] == [io.RUN_FILE]


def test_only_a_finished_folder_of_the_right_verb_is_read(tmp_path):
    with pytest.raises(io.InputError, match="did that job finish"):
        io.read_success(str(tmp_path), "transcribe")
    io.write_json(str(tmp_path / io.SUCCESS_FILE), {"verb": "featurize"})
    with pytest.raises(io.InputError, match="written by featurize, wanted the output of transcribe"):
        io.read_success(str(tmp_path), "transcribe")


@pytest.mark.parametrize(("limit", "fails"), [(0.25, False), (0.24, True)])
def test_the_failure_rate_may_be_reached_but_not_passed(limit, fails):
    failures = Counter(missing=1)
    if fails:
        with pytest.raises(io.TooManyFailuresError, match=r"1 of 4 .*missing.*failures\.jsonl"):
            io.check_failure_rate(4, failures, limit, "out")
    else:
        io.check_failure_rate(4, failures, limit, "out")


@pytest.mark.parametrize("name", ["calls [2024]", "a*b", "what?"])
def test_the_name_of_a_folder_is_no_pattern(tmp_path, name):
    folder, claim = str(tmp_path / name), {"verb": "featurize", "settings": {}}
    (tmp_path / "calls 2").mkdir()
    (tmp_path / "calls 2" / "kept").write_text("x")
    for _ in range(2):
        io.claim_folder(folder, claim, overwrite=False)
        io.write_file(io.join(folder, "train/part-0.parquet"), b"x")
    assert [path for path, _ in io.list_folder(folder, "*/part-*")] == [f"{folder}/train/part-0.parquet"]
    io.claim_folder(folder, {**claim, "verb": "transcribe"}, overwrite=True)
    assert [path for path, _ in io.list_folder(folder)] == [f"{folder}/{io.RUN_FILE}"]
    (tmp_path / name / io.RUN_FILE).rename(tmp_path / name / "thesis")
    with pytest.raises(io.InputError, match="not empty"):
        io.claim_folder(folder, claim, overwrite=False)
    assert (tmp_path / "calls 2" / "kept").exists()


def test_what_a_link_in_a_folder_leads_to_is_not_deleted_with_it(tmp_path):
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine" / "thesis").write_text("x")
    folder = str(tmp_path / "out")
    io.claim_folder(folder, {"verb": "featurize"}, overwrite=False)
    (tmp_path / "out" / "link").symlink_to(tmp_path / "mine")
    io.claim_folder(folder, {"verb": "transcribe"}, overwrite=True)
    assert (tmp_path / "mine" / "thesis").exists()
