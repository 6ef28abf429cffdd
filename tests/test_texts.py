from __future__ import annotations

import json

import pytest

import pipelines.io as io
from pipelines.__main__ import main
from pipelines.texts import read_texts


def manifest(folder, rows):
    path = folder / "texts.jsonl"
    path.write_text("".join(json.dumps({"audio_filepath": f"{n}.wav", **row}) + "\n" for n, row in enumerate(rows)))
    return str(path)


def test_lines_of_a_text_file_are_normalized_and_empty_ones_left_out(tmp_path):
    (tmp_path / "texts.txt").write_text("Don’t stop!\n\n  ...  \nA  B\n", encoding="utf-8")
    assert list(read_texts(str(tmp_path / "texts.txt"), "train")) == ["don't stop", "a b"]


def test_rows_of_another_split_are_left_out_and_those_of_none_are_of_any(tmp_path):
    source = manifest(tmp_path, [{"text": "A", "split": "train"}, {"text": "B", "split": "dev"}, {"text": "C"}, {}])
    assert list(read_texts(source, "train")) == ["a", "c"]
    assert list(read_texts(source, "dev")) == ["b", "c"]


def test_texts_of_shards_are_those_of_the_split_and_copies_count_once(archive, tmp_path):
    shards = str(tmp_path / "shards")
    command = ["featurize", "--input", str(archive / "references.jsonl"), "--output", shards]
    more = ["--set", "split.dev=0.5", "--set", "copies=[{name: slow, speed: 0.9}]", "--direct_num_workers=1"]
    assert main([*command, *more]) == 0
    train, dev = list(read_texts(shards, "train")), list(read_texts(shards, "dev"))
    assert train
    assert len(train) + len(dev) == 12
    assert set(train + dev) == {"a b"}


def test_what_cannot_be_read_is_an_error_and_not_skipped(tmp_path):
    with pytest.raises(io.InputError, match="no such file"):
        list(read_texts(str(tmp_path / "none.txt"), "train"))
    path = tmp_path / "bad.jsonl"
    path.write_text('{"audio_filepath": "a.wav", "text": "a"}\n{"text": 3}\n')
    with pytest.raises(io.InputError, match="bad-manifest-line: line 2"):
        list(read_texts(str(path), "train"))
