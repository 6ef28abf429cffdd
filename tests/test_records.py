from __future__ import annotations

import dataclasses
import subprocess
import sys
from io import BytesIO
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from asr_model.records import (
    STAMP_KEY,
    Example,
    Failure,
    Segment,
    Transcript,
    Utterance,
    Word,
    from_table,
    read_stamp,
    row_groups,
    schema,
    to_table,
)
from asr_model.scoring import Score

ROWS = {
    Example: Example("a#0", "a", 0, "", "Hé", None, 1.5, 8000, "WAV/ULAW", 2, 3, b"\x00\xff", {"é": [1, None]}, 2.5),
    Failure: Failure("a", None, "empty", "nothing", 1.5),
    Segment: Segment(0.5, 1.25, "a", 1.0),
    Word: Word("a", 0.5, 1.25, 1.0),
    Transcript: Transcript(
        *("a", 1, "x y", None, 2.0, 8000, "FLAC/PCM_16", 1),
        segments=[Segment(0.0, 1.0, "x y", 0.5)],
        words=[Word("x", 0.0, 0.5, 0.5), Word("y", 0.5, 1.0, 0.5)],
    ),
    Score: Score(
        *("a", None, "scored", 0.5, None, 2, 1, 1, 0, 0, 3, 1, None, 0.25, "s", "x y", "x z", None, 2, 1),
        groups={"channel": "none"},
    ),
}


def through_parquet(table):
    file = BytesIO()
    pq.write_table(table, file)
    return pq.read_table(BytesIO(file.getvalue()))


@pytest.mark.parametrize("record", ROWS)
def test_rows_come_back_from_a_file_as_they_were(record):
    row = ROWS[record]
    empty = dataclasses.replace(row, segments=[], words=[]) if record is Transcript else row
    table = through_parquet(to_table(record, [row, empty], {"a": 1}))
    assert list(from_table(record, table)) == [row, empty]


def test_row_groups_are_read_anew_each_time(tmp_path):
    pq.write_table(to_table(Example, [ROWS[Example]] * 3, {}), tmp_path / "rows.parquet", row_group_size=2)
    with (tmp_path / "rows.parquet").open("rb") as file:
        for _ in range(2):
            assert [group.num_rows for group in row_groups(file)] == [2, 1]


READING = """
import sys
from pathlib import Path
from asr_model.records import read_columns, row_groups

def threads():
    return sorted(task.name for task in Path("/proc/self/task").iterdir())

before = threads()
for read in (lambda file: list(row_groups(file))[0], lambda file: read_columns(file, ["text", "num_frames"])):
    with open(sys.argv[1], "rb") as file:
        assert read(file)["text"].to_pylist() == ["Hé"] * 3
assert threads() == before, "Arrow's threads hold a file that nobody waits for"
"""


@pytest.mark.skipif(not Path("/proc/self/task").is_dir(), reason="a process's threads are seen in Linux's /proc")
def test_files_are_read_in_the_callers_thread_alone(tmp_path):
    pq.write_table(to_table(Example, [ROWS[Example]] * 3, {}), tmp_path / "rows.parquet")
    command = [sys.executable, "-c", READING, str(tmp_path / "rows.parquet")]
    done = subprocess.run(
        command, cwd=Path(__file__).parents[1], capture_output=True, text=True, timeout=100, check=False
    )
    assert done.returncode == 0, done.stderr


@pytest.mark.parametrize("record", ROWS)
def test_a_table_without_rows_has_all_columns(record):
    table = to_table(record, [], {})
    assert table.schema.names == list(record.__annotations__)
    assert list(from_table(record, table)) == []


def test_what_must_be_there_cannot_be_missing():
    assert not schema(Transcript).field("pred_text").nullable
    assert schema(Transcript).field("confidence").nullable
    with pytest.raises((pa.ArrowException, ValueError, TypeError)):
        through_parquet(to_table(Failure, [Failure("a", None, None, "x")], {})).validate(full=True)


def test_the_stamp_comes_back_and_foreign_files_are_refused():
    table = through_parquet(to_table(Failure, [], {"settings": {"rate": 1e-4}}))
    assert read_stamp(table.schema.metadata, "file")["settings"] == {"rate": 1e-4}
    with pytest.raises(ValueError, match=r"file: not written by beamscribe"):
        read_stamp({b"other": b"x"}, "file")
    with pytest.raises(ValueError, match="file format 99"):
        read_stamp({STAMP_KEY: b'{"format": 99}'}, "file")


def test_nested_segments_and_extra_come_back_in_order_row_by_row():
    segments = [Segment(0.0, 1.0, "x", 0.5), Segment(2.5, 3.125, "ÿ z", 1.0)]
    rows = [
        Transcript(
            "a", channel, "x", 0.5, 2.0, 8000, "c", 2, segments[:channel], [], "t", "s", {"n": {"deep": [channel]}}
        )
        for channel in range(3)
    ]
    assert list(from_table(Transcript, through_parquet(to_table(Transcript, rows, {})))) == rows


def test_a_column_the_record_does_not_know_is_refused():
    table = to_table(Failure, [Failure("a", None, "empty", "x")], {}).append_column("colour", pa.array(["red"]))
    with pytest.raises(TypeError, match="colour"):
        list(from_table(Failure, table))


def test_a_transcript_of_a_file_written_before_words_were_known_has_none():
    table = to_table(Transcript, [ROWS[Transcript]], {}).drop_columns("words")
    assert list(from_table(Transcript, table)) == [dataclasses.replace(ROWS[Transcript], words=[])]


@pytest.mark.parametrize(
    ("channel", "offset", "id", "number"),
    [(1, None, "a#1", 1), ("all", 12.5, "a#1@12.5", None), ("mix", 0.0, "a#1@0.0", None), (None, None, "a#1", None)],
)
def test_an_utterance_names_what_is_made_of_it_and_its_failure(channel, offset, id, number):
    utterance = Utterance("a", "/x/a", channel, offset=offset)
    assert utterance.id_of(1) == id
    assert Failure.of(utterance, "empty", "nothing") == Failure("a", number, "empty", "nothing", offset)
