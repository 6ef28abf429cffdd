from __future__ import annotations

import json
import shutil

import pytest
from conftest import contents

from asr_model.recognizer import load_recognizer
from pipelines.__main__ import main

SMALL = ["--set", "network={channels: [4], residual_blocks: 0, lstm_size: 8, lstm_layers: 1}", "--set", "threads=1"]
COARSE = [
    "--set",
    "features={n_mels: 20, sample_rate: 8000, n_fft: 256, win_length: 200, hop_length: 80, f_max: 4000.0}",
]


@pytest.fixture(scope="module")
def shards(archive, tmp_path_factory):
    output = tmp_path_factory.mktemp("shards") / "out"
    command = ["featurize", "--input", str(archive / "references.jsonl"), "--output", str(output), *COARSE]
    assert main([*command, "--set", "split.dev=0.4", "--set", "unit_minutes=0.1"]) == 0
    return output


def train(shards, output, *more):
    return main(["train", "--input", str(shards), "--output", str(output), *SMALL, "--set", "epochs=2", *more])


def test_a_recognizer_comes_out_that_says_how_it_was_made(shards, tmp_path):
    assert train(shards, tmp_path / "run") == 0
    data = (tmp_path / "run" / "recognizer.safetensors").read_bytes()
    loaded = load_recognizer(data, "run")
    assert loaded.settings.features.n_mels == 20
    assert "".join(loaded.settings.alphabet.characters) == " ab"
    success = json.loads((tmp_path / "run" / "_SUCCESS").read_text())
    assert success["verb"] == "train"
    assert success["dev_wer"] >= 0
    metrics = [json.loads(line) for line in (tmp_path / "run" / "metrics.jsonl").read_text().splitlines()]
    assert [row["epoch"] for row in metrics if "dev_wer" in row] == [1, 2]


def test_two_runs_give_the_same_recognizer(shards, tmp_path):
    for name in ("first", "second"):
        assert train(shards, tmp_path / name) == 0
    first, second = (contents(tmp_path / name, "recognizer.safetensors") for name in ("first", "second"))
    assert first == second


def test_a_run_of_other_settings_is_refused(shards, tmp_path, capsys):
    assert train(shards, tmp_path / "run") == 0
    assert train(shards, tmp_path / "run", "--set", "seed=1") == 2
    assert "differing: settings" in capsys.readouterr().err


def test_how_samples_were_conditioned_travels_into_the_recognizer(archive, tmp_path):
    level = ["--set", "conditioning.level=rms", "--set", "split.dev=0"]
    source = str(archive / "references.jsonl")
    assert main(["featurize", "--input", source, "--output", str(tmp_path / "loud"), *COARSE, *level]) == 0
    assert train(tmp_path / "loud", tmp_path / "run", "--set", "epochs=1") == 0
    loaded = load_recognizer((tmp_path / "run" / "recognizer.safetensors").read_bytes(), "run")
    assert loaded.settings.conditioning.level == "rms"


@pytest.mark.parametrize("wrong", ["unfinished", "no training rows", "other features", "other conditioning"])
def test_shards_that_cannot_be_trained_on_are_wrong_usage(shards, archive, tmp_path, capsys, wrong):
    broken = tmp_path / "shards"
    shutil.copytree(shards, broken)
    marker = broken / "_SUCCESS"
    if wrong == "unfinished":
        marker.unlink()
        message = "did that job finish"
    elif wrong == "no training rows":
        success = json.loads(marker.read_text())
        success["files"] = [file for file in success["files"] if file.startswith("dev/")]
        marker.write_text(json.dumps(success))
        message = "no utterances in the train split"
    else:
        command = ["featurize", "--input", str(archive / "references.jsonl"), "--output", str(tmp_path / "other")]
        other = [] if wrong == "other features" else [*COARSE, "--set", "conditioning.remove_dc=true"]
        assert main([*command, "--set", "split.dev=0", *other]) == 0
        (other,) = (tmp_path / "other").glob("train/*.parquet")
        shutil.copy(other, next(broken.glob("train/*.parquet")))
        message = "features differ" if wrong == "other features" else "conditioning differ"
    assert train(broken, tmp_path / "run") == 2
    assert message in capsys.readouterr().err
