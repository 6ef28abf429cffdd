"""Shards opened by whatever reads Parquet: their features as arrays."""

from __future__ import annotations

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from asr_model.records import read_stamp

__all__ = ["feature_arrays"]


def feature_arrays(table: pa.Table) -> list[NDArray[np.floating]]:
    """Return the features of a shard's rows as (T, F) arrays: views of the table's memory, nothing is copied.

    ``table`` holds the columns ``features`` and ``num_frames``, and in its schema's metadata the footer, as
    ``pyarrow.parquet.read_table(path)`` returns it, or with ``columns=["text", "num_frames", "features"]``.

    Raises:
        ValueError: the footer is missing: not a shard, or a table that lost it on the way.
    """
    stamp = read_stamp(table.schema.metadata, "table")
    dtype = np.dtype(stamp["features"].get("dtype", "float16")).newbyteorder("<")
    arrays: list[NDArray[np.floating]] = []
    for features, num_frames in zip(table["features"].chunks, table["num_frames"].chunks, strict=True):
        _, offsets, values = features.buffers()
        bounds = np.frombuffer(offsets, "<i4")[features.offset :][: len(features) + 1]
        for start, end, frames in zip(bounds, bounds[1:], num_frames.to_pylist(), strict=False):
            row = np.frombuffer(values, dtype, (end - start) // dtype.itemsize, start)
            arrays.append(row.reshape(frames, -1))
    return arrays
