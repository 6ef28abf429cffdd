"""Open the shards that `beamscribe featurize` wrote: every function returns texts and (T, F) arrays.

Parquet is read by everything; ``features`` are bytes, ``num_frames`` rows of float16 (or float32, as the setting
``features.dtype`` in the footer says).

Example:
    python examples/open_shards.py build/shards/train
"""

from __future__ import annotations

import sys
from pathlib import Path

import numpy as np

from asr_model.features import from_bytes

Opened = tuple[list[str], list[np.ndarray]]


def shards_of(folder: str) -> list[str]:
    """Return the shards in a folder."""
    return sorted(str(path) for path in Path(folder).glob("*.parquet"))


def with_pyarrow(folder: str) -> Opened:
    """Without a copy, and with the type that the footer names."""
    import pyarrow as pa
    import pyarrow.parquet as pq

    from asr_model.shards import feature_arrays

    columns = ["text", "num_frames", "features"]
    table = pa.concat_tables(pq.read_table(path, columns=columns) for path in shards_of(folder))
    return table["text"].to_pylist(), feature_arrays(table)


def with_pandas(folder: str) -> Opened:
    """A column of bytes."""
    import pandas as pd

    rows = pd.concat(pd.read_parquet(path) for path in shards_of(folder))
    return rows["text"].tolist(), [from_bytes(row.features, row.num_frames) for row in rows.itertuples()]


def with_duckdb(folder: str) -> Opened:
    """By a query over all shards, of which only what is asked for is read."""
    import duckdb

    query = f"SELECT text, num_frames, features FROM read_parquet('{folder}/*.parquet') WHERE duration < 20 ORDER BY id"
    rows = duckdb.sql(query).fetchall()
    return [text for text, _, _ in rows], [from_bytes(data, num_frames) for _, num_frames, data in rows]


def with_polars(folder: str) -> Opened:
    """Lazily, as DuckDB does."""
    import polars as pl

    rows = pl.scan_parquet(f"{folder}/*.parquet").select("text", "num_frames", "features").collect()
    return rows["text"].to_list(), [from_bytes(data, frames) for _, frames, data in rows.iter_rows()]


def with_datasets(folder: str) -> Opened:
    """As a Hugging Face dataset, memory-mapped."""
    from datasets import Dataset

    dataset = Dataset.from_parquet(shards_of(folder))
    rows = dataset.select_columns(["text", "num_frames", "features"])
    return list(rows["text"]), [from_bytes(row["features"], row["num_frames"]) for row in rows]


if __name__ == "__main__":
    texts, arrays = with_pyarrow(sys.argv[1])
    for text, array in list(zip(texts, arrays, strict=True))[:10]:
        print(array.shape, array.dtype, text)
    print(f"{len(texts)} utterances")
