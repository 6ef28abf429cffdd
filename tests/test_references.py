from __future__ import annotations

import json

import pytest

from asr_model.records import Failure
from pipelines.io import InputError
from pipelines.references import ReferenceLine, list_references, read_references


def read(*source):
    return [row.read() if isinstance(row, ReferenceLine) else row for row in read_references(*source)]


def test_a_manifest_is_read_whole_or_in_ranges_of_bytes(tmp_path):
    path = tmp_path / "m.jsonl"
    path.write_text("".join(json.dumps({"audio_filepath": f"{n}.wav", "text": "é" * n}) + "\n" for n in range(9)))
    (_, size), *_ = list_references(str(path))
    whole = read(str(path))
    assert [row.audio_filepath for row in whole] == [f"{n}.wav" for n in range(9)]
    assert whole[0].path == str(tmp_path / "0.wav")
    parts = [read(str(path), start, start + 40) for start in range(0, size, 40)]
    assert [row for part in parts for row in part] == whole


def test_a_broken_line_is_a_failure_with_its_number(tmp_path):
    path = tmp_path / "m.jsonl"
    path.write_text('{"audio_filepath": "a.wav", "text": "x"}\n{"audio_filepath": \n{"text": "y"}\n')
    rows = read(str(path))
    failures = [row for row in rows if isinstance(row, Failure)]
    assert [row.reason for row in failures] == ["bad-manifest-line"] * 2
    assert [row.message.split(":")[0] for row in failures] == ["line 2", "line 3"]


def test_what_is_not_there_is_said(tmp_path):
    with pytest.raises(InputError, match="no such file"):
        list_references(str(tmp_path / "none.jsonl"))


STM = """\
call A s 3 4 <o> again
call A s 0 1 <o> hello
call A - 1 3 <o> ignore_time_segment_in_scoring
call B t 0 1 <o> yes
"""


@pytest.mark.parametrize(
    ("name", "text", "expected"),
    [
        ("r.stm", STM, [("call", 0, "hello again"), ("call", 1, "yes")]),
        ("r.ctm", "call 1 0.5 0.5 hello\ncall 1 1.0 0.5 there\n", [("call", 0, "hello there")]),
        ("r.trn", "hello there (call)\n(b)\n", [("call", None, "hello there"), ("b", None, "")]),
        ("text", "call hello  there\nb\n", [("call", None, "hello there"), ("b", None, "")]),
        ("r.csv", "path,text\na.wav,hello\n", [("a.wav", None, "hello")]),
    ],
)
def test_every_format_of_references_is_read(tmp_path, name, text, expected):
    path = tmp_path / name
    path.write_text(text)
    assert list_references(str(path)) == [(str(path), len(text))]
    rows = read(str(path))
    assert [(row.audio_filepath, row.channel, row.text) for row in rows] == expected


def test_times_of_references_are_carried(tmp_path):
    (tmp_path / "r.stm").write_text(STM)
    (tmp_path / "r.ctm").write_text("call 1 0.5 0.5 hello\n")
    row = next(read_references(str(tmp_path / "r.stm")))
    assert (row.speaker, row.extra) == ("s", {"segment_times": [(0.0, 1.0), (3.0, 4.0)], "ignored_times": [(1.0, 3.0)]})
    assert next(read_references(str(tmp_path / "r.ctm"))).extra == {"word_times": [(0.5, 1.0)]}


@pytest.mark.parametrize(
    ("name", "data"), [("r.stm", b"call A s x\n"), ("r.trn", b"caf\xe9 (a)\n"), ("r.trn", b"no id\n")]
)
def test_a_line_that_cannot_be_read_stops_the_job_and_is_named(tmp_path, name, data):
    (tmp_path / name).write_bytes(data)
    with pytest.raises(InputError, match=rf"{name}: line 1"):
        list(read_references(str(tmp_path / name)))
