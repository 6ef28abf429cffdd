from __future__ import annotations

import csv

import pyarrow.parquet as pq

from asr_model.records import Failure, Transcript, Utterance, from_table, read_stamp, to_table
from asr_model.scoring import EvaluateSettings, Score, score
from pipelines.scores import join_csv, join_failures, join_parquet, read_failures, write_part


def scored(name, text, said):
    return score(
        Utterance(name, name, 0, text), Transcript(name, 0, said, 0.5, 2.0, 8000, "", 1, []), EvaluateSettings()
    )


def test_joined_parts_are_the_rows_of_all_and_cells_no_formulas(tmp_path):
    folder = str(tmp_path)
    first = [scored("=cmd.wav", "one, two", "one"), scored('a "b",\nc.wav', "", "x")]
    second = [scored("@b.wav", "x", "-x y")]
    failures = [Failure("=z.wav", None, "no-reference", "é")]
    write_part(folder, 0, to_table(Score, first, {}), [])
    write_part(folder, 3, to_table(Score, second, {}), failures)
    join_failures(folder, [0, 3])
    join_csv(folder, [0, 3])
    join_parquet(folder, [0, 3], {"settings": {"seed": 1}})
    assert list(read_failures(folder)) == failures
    table = pq.read_table(tmp_path / "per_file.parquet")
    assert list(from_table(Score, table)) == [*first, *second]
    assert read_stamp(table.schema.metadata, "")["settings"] == {"seed": 1}
    with open(tmp_path / "per_file.csv", newline="", encoding="utf-8") as file:
        rows = list(csv.DictReader(file))
    assert [row["audio_filepath"] for row in rows] == ["'=cmd.wav", 'a "b",\nc.wav', "'@b.wav"]
    assert [(row["wer"], row["hits"], row["text"]) for row in rows] == [
        ("0.5", "1", "one two"),
        ("", "0", ""),
        ("1", "1", "x"),
    ]


def test_no_parts_are_empty_files_with_their_columns(tmp_path):
    join_failures(str(tmp_path), [])
    join_csv(str(tmp_path), [])
    join_parquet(str(tmp_path), [], {})
    assert pq.read_table(tmp_path / "per_file.parquet").num_rows == 0
    assert (tmp_path / "per_file.csv").read_text().startswith("audio_filepath,channel,status,wer")
