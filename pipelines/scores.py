"""The files of scores and failures: written part by part, then joined, never held in memory as a whole."""

from __future__ import annotations

import dataclasses
import json
import shutil
from collections.abc import Iterator, Sequence
from typing import Any, BinaryIO

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.csv as pa_csv
import pyarrow.parquet as pq

import pipelines.io as io
from asr_model.records import Failure, schema, to_table
from asr_model.scoring import Score
from pipelines.parts import part_path

__all__ = ["in_order", "join_csv", "join_failures", "join_parquet", "read_failures", "write_csv", "write_part"]

FORMULA = "=+@\t\r-"
"""What begins a formula to a spreadsheet; such cells get an apostrophe before."""
COPY_BYTES = 1 << 20
REPEATED = [name for name in schema(Score).names if name not in ("audio_filepath", "text", "pred_text")]
"""Columns of few values: a dictionary of them is written in less time than they are compressed in."""


def in_order(scores: pa.Table) -> pa.Table:
    """Return scores by recording, channel and offset; those of a whole recording come before its segments."""
    channel, offset = scores["channel"].fill_null(-1), scores["offset"].fill_null(-1.0)
    keys = pa.table({"recording": scores["audio_filepath"], "channel": channel, "offset": offset})
    return scores.take(pc.sort_indices(keys, [(name, "ascending") for name in keys.column_names])).combine_chunks()


def write_part(folder: str, number: int, scores: pa.Table, failures: Sequence[Failure]) -> None:
    """Write the files of a part, whose ``scores`` are a table of `Score`."""
    with (
        io.create_file(part_path(folder, "scores", number, ".arrow")) as file,
        pa.ipc.new_stream(file, scores.schema) as writer,
    ):
        writer.write_table(scores)
    write_csv(part_path(folder, "scores", number, ".csv"), scores)
    lines = (json.dumps(dataclasses.asdict(failure), ensure_ascii=False) for failure in failures)
    io.write_lines(part_path(folder, "failures", number, ".jsonl"), lines)


def join_failures(folder: str, parts: Sequence[int]) -> None:
    """Write the failures file from those of the parts."""
    with io.create_file(io.join(folder, io.FAILURES_FILE)) as file:
        _copy([part_path(folder, "failures", number, ".jsonl") for number in parts], file)


def join_csv(folder: str, parts: Sequence[int]) -> None:
    """Write ``per_file.csv`` from the files of the parts."""
    with io.create_file(io.join(folder, "per_file.csv")) as file:
        file.write((",".join(schema(Score).names) + "\n").encode())
        _copy([part_path(folder, "scores", number, ".csv") for number in parts], file)


def join_parquet(folder: str, parts: Sequence[int], stamp: dict[str, Any]) -> None:
    """Write ``per_file.parquet`` from the files of the parts, a row group from each."""
    stamped = to_table(Score, [], stamp).schema
    with (
        io.create_file(io.join(folder, "per_file.parquet")) as file,
        pq.ParquetWriter(file, stamped, **io.PARQUET_LAYOUT | {"use_dictionary": REPEATED}) as writer,
    ):
        for number in parts:
            with io.open_file(part_path(folder, "scores", number, ".arrow")) as source:
                table = pa.ipc.open_stream(source).read_all()
            writer.write_table(table.cast(stamped))


def read_failures(folder: str) -> Iterator[Failure]:
    """Yield the failures of an evaluation."""
    with io.open_file(io.join(folder, io.FAILURES_FILE)) as file:
        for line in file:
            yield Failure(**json.loads(line))


def _copy(paths: Sequence[str], target: BinaryIO) -> None:
    for path in paths:
        with io.open_file(path) as file:
            shutil.copyfileobj(file, target, COPY_BYTES)


def write_csv(path: str, table: pa.Table, header: bool = False) -> None:
    """Write a table as CSV in which no cell is taken for a formula by a spreadsheet."""
    columns = [_harmless(column) if pa.types.is_string(column.type) else column for column in table.columns]
    options = pa_csv.WriteOptions(include_header=header, quoting_style="needed")
    with io.create_file(path) as file:
        pa_csv.write_csv(pa.table(columns, names=table.column_names), file, options)


def _harmless(cells: pa.ChunkedArray) -> pa.ChunkedArray:
    if not any(pc.any(pc.starts_with(cells, first)).as_py() for first in FORMULA):  # far quicker than by the pattern
        return cells
    return pc.replace_substring_regex(cells, f"^([{FORMULA}])", r"'\1")
