from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
from conftest import contents
from safetensors.torch import load_file

from asr_model.recognizer import load_recognizer, read_metadata
from pipelines.__main__ import main

ROOT = Path(__file__).parents[1]

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


def arguments(shards, output, *more):
    return ["train", "--input", str(shards), "--output", str(output), *SMALL, "--set", "epochs=2", *more]


def train(shards, output, *more):
    return main(arguments(shards, output, *more))


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


MANY_STEPS = ["--set", "batches.batch_frames=100"]
ENVIRONMENT = os.environ | {"PYTHONPATH": str(ROOT), "OMP_NUM_THREADS": "1"}


@pytest.mark.timeout(600)
def test_a_run_that_was_killed_and_given_again_ends_with_the_same_bits(shards, tmp_path):
    more = [*MANY_STEPS, "--set", "checkpoint_minutes=1e-9"]
    assert train(shards, tmp_path / "whole", *more) == 0
    command = [sys.executable, "-m", "pipelines", *arguments(shards, tmp_path / "killed", *more)]
    process = subprocess.Popen(command, env=ENVIRONMENT, stderr=subprocess.DEVNULL)
    checkpoints, started = tmp_path / "killed" / "checkpoints", time.monotonic()
    while not any(checkpoints.glob("step-*.checkpoint")) and time.monotonic() - started < 300:
        time.sleep(0.02)
    process.send_signal(signal.SIGKILL)
    assert process.wait() == -signal.SIGKILL
    assert not (tmp_path / "killed" / "_SUCCESS").exists()
    assert train(shards, tmp_path / "killed", *more) == 0
    for file in ("recognizer.safetensors", "metrics.jsonl"):
        assert (tmp_path / "killed" / file).read_bytes() == (tmp_path / "whole" / file).read_bytes()


@pytest.mark.timeout(600)
def test_two_processes_learn_what_one_learns(shards, tmp_path):
    more = [*MANY_STEPS, "--set", "batches_per_step=2", "--set", "network.dropout=0.2", "--set", "epochs=9"]
    assert train(shards, tmp_path / "one", *more) == 0
    torchrun = [sys.executable, "-m", "torch.distributed.run", "--standalone", "--nproc_per_node=2", "-m", "pipelines"]
    command = [*torchrun, *arguments(shards, tmp_path / "two", *more)]
    done = subprocess.run(command, env=ENVIRONMENT, capture_output=True, text=True, timeout=500, check=False)
    assert done.returncode == 0, done.stderr
    one, two = (
        [json.loads(line) for line in (tmp_path / name / "metrics.jsonl").read_text().splitlines()]
        for name in ("one", "two")
    )
    assert [row.keys() for row in one] == [row.keys() for row in two]
    losses = [[row["loss"] for row in rows if "loss" in row] for rows in (one, two)]
    assert losses[0] == pytest.approx(losses[1], rel=1e-4)
    assert len(losses[0]) >= 2
    weights, others = (load_file(tmp_path / name / "recognizer.safetensors") for name in ("one", "two"))
    assert all((weights[name] - others[name]).abs().max() < 1e-4 for name in weights)
    assert json.loads((tmp_path / "two" / "_SUCCESS").read_text())["processes"] == 2


def test_a_run_is_made_again_from_what_lies_in_its_folder(shards, tmp_path):
    assert train(shards, tmp_path / "first", "--set", "seed=7") == 0
    made_of = json.loads((tmp_path / "first" / "_RUN.json").read_text())
    settings = str(tmp_path / "first" / "train.yaml")
    again = ["train", "--config", settings, "--input", *made_of["input"], "--output", str(tmp_path / "again")]
    assert main(again) == 0
    assert json.loads((tmp_path / "again" / "_RUN.json").read_text()) == made_of
    first, second = (
        contents(tmp_path / name, "recognizer.safetensors", "metrics.jsonl") for name in ("first", "again")
    )
    assert first == second
    assert (tmp_path / "first" / "training.png").exists()


def test_several_folders_of_shards_train_one_recognizer(shards, tmp_path, capsys):
    other = tmp_path / "other"
    shutil.copytree(shards, other)
    assert train(shards, tmp_path / "one") == 0
    several = arguments(shards, tmp_path / "both")
    several.insert(several.index(str(shards)), str(other))
    assert main(several) == 0
    one, both = (json.loads((tmp_path / name / "_SUCCESS").read_text()) for name in ("one", "both"))
    assert both["steps"] > one["steps"]
    assert json.loads((tmp_path / "both" / "_RUN.json").read_text())["input"] == [str(other), str(shards)]
    shutil.rmtree(other)
    assert main(several) == 2
    assert f"{other}: no finished output of featurize" in capsys.readouterr().err


def test_a_run_on_shards_that_changed_since_is_not_resumed(shards, tmp_path, capsys):
    changed = tmp_path / "shards"
    shutil.copytree(shards, changed)
    assert train(changed, tmp_path / "run") == 0
    shard = next(changed.glob("dev/*.parquet"))
    shard.write_bytes(next(changed.glob("train/*.parquet")).read_bytes())
    assert train(changed, tmp_path / "run") == 2
    assert "differing: shards" in capsys.readouterr().err


@pytest.mark.parametrize("damage", ["cut", "flipped"])
def test_a_damaged_shard_ends_the_run_by_name(shards, tmp_path, capsys, damage):
    broken = tmp_path / "shards"
    shutil.copytree(shards, broken)
    shard = max(broken.glob("train/*.parquet"), key=lambda path: path.stat().st_size)
    data = bytearray(shard.read_bytes())
    if damage == "cut":
        shard.write_bytes(data[: len(data) // 2])
    else:
        data[len(data) // 2] ^= 1  # among the features
        shard.write_bytes(data)
    assert train(broken, tmp_path / "run") != 0
    assert str(shard) in capsys.readouterr().err
    assert not (tmp_path / "run" / "_SUCCESS").exists()


def test_texts_outside_a_given_alphabet_are_counted(shards, tmp_path, capsys):
    assert train(shards, tmp_path / "none", "--set", "alphabet=xyz") == 2
    assert "no text to train on with the alphabet 'xyz'" in capsys.readouterr().err
    assert train(shards, tmp_path / "all", "--set", "alphabet='ab c'") == 0
    assert json.loads((tmp_path / "all" / "_SUCCESS").read_text())["outside_alphabet"] == 0
    loaded = load_recognizer((tmp_path / "all" / "recognizer.safetensors").read_bytes(), "run")
    assert loaded.settings.alphabet.characters == (" ", "a", "b", "c")


def test_pieces_of_words_are_tokens_if_wanted(shards, tmp_path, capsys):
    assert train(shards, tmp_path / "none", "--set", "num_pieces=2000") == 2
    assert "num_pieces: 2000 pieces: " in capsys.readouterr().err
    assert train(shards, tmp_path / "run", "--set", "num_pieces=3") == 0
    loaded = load_recognizer((tmp_path / "run" / "recognizer.safetensors").read_bytes(), "run")
    alphabet = loaded.settings.alphabet
    assert alphabet.size == 4 == loaded.network.output.out_features
    assert alphabet.decode(alphabet.encode("ab a")) == "ab a"


def test_a_recognizer_is_trained_further(shards, tmp_path, capsys):
    assert train(shards, tmp_path / "first") == 0
    begin = ["--init", str(tmp_path / "first")]
    assert train(shards, tmp_path / "second", *begin, "--set", "alphabet='ab c'") == 0
    data = (tmp_path / "second" / "recognizer.safetensors").read_bytes()
    first = load_recognizer((tmp_path / "first" / "recognizer.safetensors").read_bytes(), "first")
    assert read_metadata(data, "second")["provenance"]["initial"] == first.digest
    assert train(shards, tmp_path / "third", *begin, "--set", "network.lstm_size=9") == 1
    assert "network.lstm_size: 8, wanted 9" in capsys.readouterr().err


def test_a_run_is_written_to_a_folder_of_this_machine(shards, capsys):
    assert train(shards, "gs://bucket/run") == 2
    assert "wanted a local folder" in capsys.readouterr().err


@pytest.mark.parametrize("name", ["train-librispeech", "train-digits-las", "train-conformer"])
def test_other_configs_take_a_few_steps(shards, tmp_path, name):
    config = ["--config", str(ROOT / "configs" / f"{name}.yaml")]
    small = ["epochs=1", "batches.batch_frames=800", "batches_per_step=2", "threads=1", "precision=float32"]
    small += ["network.lstm_size=32"] if name == "train-librispeech" else []
    few = [word for setting in small for word in ("--set", setting)]
    assert main(["train", "--input", str(shards), "--output", str(tmp_path / "run"), *config, *few]) == 0
