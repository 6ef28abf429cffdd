from __future__ import annotations

import json

import pytest

from asr_model.records import Failure
from pipelines.io import InputError
from pipelines.references import list_references, read_references


def test_a_manifest_is_read_whole_or_in_ranges_of_bytes(tmp_path):
    path = tmp_path / "m.jsonl"
    path.write_text("".join(json.dumps({"audio_filepath": f"{n}.wav", "text": "é" * n}) + "\n" for n in range(9)))
    (_, size), *_ = list_references(str(path))
    whole = list(read_references(str(path)))
    assert [row.audio_filepath for row in whole] == [f"{n}.wav" for n in range(9)]
    assert whole[0].path == str(tmp_path / "0.wav")
    parts = [read_references(str(path), start, start + 40) for start in range(0, size, 40)]
    assert [row for part in parts for row in part] == whole


def test_a_broken_line_is_a_failure_with_its_number(tmp_path):
    path = tmp_path / "m.jsonl"
    path.write_text('{"audio_filepath": "a.wav", "text": "x"}\n{"audio_filepath": \n{"text": "y"}\n')
    rows = list(read_references(str(path)))
    failures = [row for row in rows if isinstance(row, Failure)]
    assert [row.reason for row in failures] == ["bad-manifest-line"] * 2
    assert [row.message.split(":")[0] for row in failures] == ["line 2", "line 3"]


def test_what_is_not_there_is_said(tmp_path):
    with pytest.raises(InputError, match="no such file"):
        list_references(str(tmp_path / "none.jsonl"))
