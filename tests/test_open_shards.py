from __future__ import annotations

import numpy as np
import open_shards
import pytest

from pipelines.__main__ import main


@pytest.fixture(scope="module")
def shards(archive, tmp_path_factory):
    folder = tmp_path_factory.mktemp("shards")
    features = "features={n_mels: 20, sample_rate: 8000, n_fft: 256, win_length: 200, hop_length: 80, f_max: 4000.0}"
    source = archive / "references.jsonl"
    command = ["featurize", "--input", str(source), "--output", str(folder / "out"), "--set", features]
    assert main([*command, "--set", "split.dev=0", "--set", "unit_minutes=0.2", "--direct_running_mode=in_memory"]) == 0
    return str(folder / "out" / "train")


def test_pyarrow_opens_them(shards):
    texts, arrays = open_shards.with_pyarrow(shards)
    assert texts == ["a b"] * 12
    assert {(array.shape[1], array.dtype) for array in arrays} == {(20, np.dtype("<f2"))}


@pytest.mark.parametrize("name", ["pandas", "duckdb", "polars", "datasets"])
@pytest.mark.filterwarnings("default")  # of libraries, about their own future
def test_others_find_the_same(shards, name, tmp_path, monkeypatch):
    monkeypatch.setenv("HF_HOME", str(tmp_path))
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")
    texts, arrays = getattr(open_shards, f"with_{name}")(shards)
    expected_texts, expected = open_shards.with_pyarrow(shards)
    assert texts == expected_texts
    assert all(np.array_equal(one, other) for one, other in zip(arrays, expected, strict=True))
