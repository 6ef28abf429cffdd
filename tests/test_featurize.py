from __future__ import annotations

import json

import pyarrow.parquet as pq
import pytest
from conftest import contents

from pipelines.__main__ import main

COARSE = [
    "--set",
    "features={n_mels: 20, sample_rate: 8000, n_fft: 256, win_length: 200, hop_length: 80, f_max: 4000.0}",
]


def featurize(source, output, *more):
    return main(["featurize", "--input", str(source), "--output", str(output), *COARSE, *more])


def rows(output):
    tables = [pq.read_table(path).to_pylist() for path in sorted(output.glob("*/part-*.parquet"))]
    return sorted((row for table in tables for row in table), key=lambda row: row["id"])


def test_shards_have_the_same_bytes_whatever_the_workers(archive, tmp_path):
    source = archive / "references.jsonl"
    modes = [("in_memory", 1), ("multi_processing", 2)]
    for mode, workers in modes:
        options = [f"--direct_running_mode={mode}", f"--direct_num_workers={workers}", "--set", "unit_minutes=0.1"]
        assert featurize(source, tmp_path / mode, *options) == 0
    first, second = (contents(tmp_path / mode, "*/part-*.parquet", "_SUCCESS", "failures.jsonl") for mode, _ in modes)
    assert len([path for path in first if path.endswith(".parquet")]) > 2
    assert first == second


def test_one_shard_holds_what_five_hold(archive, tmp_path):
    source = archive / "references.jsonl"
    assert featurize(source, tmp_path / "one", "--set", "split.dev=0") == 0
    assert featurize(source, tmp_path / "many", "--set", "unit_minutes=0.1", "--set", "split.dev=0") == 0
    assert len(list((tmp_path / "one").glob("*/part-*"))) == 1
    assert len(list((tmp_path / "many").glob("*/part-*"))) > 2
    assert rows(tmp_path / "one") == rows(tmp_path / "many")


def test_recordings_in_are_examples_and_failures_out(archive, tmp_path):
    lines = (archive / "references.jsonl").read_text().splitlines()
    (archive / "silent.jsonl").write_text(
        "\n".join([*lines, json.dumps({"audio_filepath": "call-0.wav", "channel": 7, "text": "a"})])
    )
    assert featurize(archive / "silent.jsonl", tmp_path / "out", "--set", "max_failure_rate=0.5") == 0
    success = json.loads((tmp_path / "out" / "_SUCCESS").read_text())
    assert (success["num_inputs"], success["num_rows"], success["num_failures"]) == (13, 12, 1)
    failure = json.loads((tmp_path / "out" / "failures.jsonl").read_text())
    assert (failure["audio_filepath"], failure["channel"], failure["reason"]) == ("call-0.wav", 7, "no-such-channel")


def test_copies_are_made_of_training_rows_only(archive, tmp_path):
    copies = ["--set", "copies=[{name: slow, speed: 0.8}]", "--set", "split.dev=0.5"]
    assert featurize(archive / "references.jsonl", tmp_path / "out", *copies) == 0
    by_split = {split: rows_of(tmp_path / "out" / split) for split in ("train", "dev")}
    assert {row["copy"] for row in by_split["dev"]} == {""}
    originals = {row["id"]: row for row in by_split["train"] if not row["copy"]}
    slow = [row for row in by_split["train"] if row["copy"] == "slow"]
    assert len(slow) == len(originals) > 0
    for row in slow:
        assert row["duration"] == pytest.approx(originals[row["id"].removesuffix("/slow")]["duration"] / 0.8, abs=1e-3)


def rows_of(folder):
    return [row for path in folder.glob("part-*.parquet") for row in pq.read_table(path).to_pylist()]
