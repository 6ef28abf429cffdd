from __future__ import annotations

import numpy as np
import pyarrow as pa
import pytest

from asr_model.features import to_bytes
from asr_model.records import Example, to_table
from asr_model.shards import feature_arrays

DRAW = np.random.default_rng(0)
ARRAYS = [DRAW.normal(size=(length, 7)).astype(np.float32) for length in (3, 1, 20, 5)]


def shard(dtype="float16"):
    common = {"channel": 0, "copy": "", "speaker": None, "sample_rate": 16000, "codec": "FLAC", "num_channels": 1}
    rows = [
        Example(
            id=str(number),
            audio_filepath="a",
            text=f"text {number}",
            duration=1.0,
            num_frames=len(values),
            features=to_bytes(values, dtype),
            **common,
        )
        for number, values in enumerate(ARRAYS)
    ]
    return to_table(Example, rows, {"features": {"dtype": dtype}})


def same(found, dtype, arrays=ARRAYS):
    return len(found) == len(arrays) and all(
        np.array_equal(one, other.astype(dtype)) and one.dtype == dtype
        for one, other in zip(found, arrays, strict=True)
    )


@pytest.mark.parametrize("dtype", ["float16", "float32"])
def test_arrays_are_the_rows_features_of_the_type_in_the_footer(dtype):
    assert same(feature_arrays(shard(dtype)), dtype)


def test_tables_of_several_chunks_slices_and_fewer_columns_are_read_too():
    table = shard()
    assert same(feature_arrays(pa.concat_tables([table, table])), "float16", ARRAYS * 2)
    assert same(feature_arrays(table.slice(1, 2)), "float16", ARRAYS[1:3])
    assert same(feature_arrays(table.select(["num_frames", "features"])), "float16")


def test_nothing_is_copied():
    table = shard()
    memory = table["features"].chunk(0).buffers()[2]
    for array in feature_arrays(table):
        assert memory.address <= array.__array_interface__["data"][0] < memory.address + memory.size


def test_a_table_without_the_footer_is_refused():
    with pytest.raises(ValueError, match="not written by beamscribe"):
        feature_arrays(shard().replace_schema_metadata(None))
