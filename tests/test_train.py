from __future__ import annotations

import errno
import json
import os
import signal

import numpy as np
import pyarrow.parquet as pq
import pytest
import torch
from conftest import contents
from toy_speech import RECOGNIZER, SETTINGS, run, spoken, write_shards

from asr_model.batches import BatchSettings
from asr_model.recognizer import load_recognizer, read_metadata
from asr_model.records import Example, to_table
from asr_model.text import Alphabet
from asr_model.train import TrainingStoppedError


def metrics(folder):
    return [json.loads(line) for line in (folder / "metrics.jsonl").read_text().splitlines()]


def test_it_learns_to_write_what_it_hears(tmp_path):
    shards, dev = write_shards(tmp_path, 120, 0), write_shards(tmp_path, 20, 1)[0]
    figures = run(tmp_path / "run", shards, SETTINGS.model_copy(update={"epochs": 30}), dev)
    assert figures["dev_wer"] <= 0.1
    recognizer = load_recognizer((tmp_path / "run" / "recognizer.safetensors").read_bytes(), "run")
    sounds = [spoken(text, np.random.default_rng(7)) for text in ("cab", "a", "bcac")]
    assert [hypothesis.text for hypothesis in recognizer.recognize(sounds)] == ["cab", "a", "bcac"]


@pytest.mark.parametrize("stop_at", [1, 4, 8])
def test_a_run_that_was_stopped_and_resumed_ends_with_the_same_bits(tmp_path, stop_at):
    shards, dev = write_shards(tmp_path, 60, 0), write_shards(tmp_path, 10, 1)[0]
    settings = SETTINGS.model_copy(update={"checkpoint_minutes": 1e-9})
    run(tmp_path / "whole", shards, settings, dev)

    def stop(at):
        if at.step == stop_at:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        run(tmp_path / "stopped", shards, settings, dev, stop)
    torch.rand(1)  # whatever else happened in the meantime
    run(tmp_path / "stopped", shards, settings, dev)
    whole, resumed = (tmp_path / name / "recognizer.safetensors" for name in ("whole", "stopped"))
    assert whole.read_bytes() == resumed.read_bytes()


def test_texts_that_do_not_fit_their_audio_are_counted_and_do_no_harm(tmp_path):
    shards = write_shards(tmp_path, 40, 0, texts=["ab", "abcabcabcabcabcabcabcabcabcabcabcabcabcabcabcabcabcabc"])
    figures = run(tmp_path / "run", shards)
    assert figures["infeasible"] == 20 * SETTINGS.epochs
    assert figures["dev_wer"] is None


def test_a_loss_that_is_no_number_ends_the_run(tmp_path):
    shards = write_shards(tmp_path, 10, 0)
    table = pq.read_table(shards[0][0]).to_pylist()
    for row in table:
        row["features"] = np.full(len(row["features"]) // 2, np.nan, "<f2").tobytes()
        row["extra"] = {}
    pq.write_table(to_table(Example, [Example(**row) for row in table], {}), shards[0][0])
    with pytest.raises(FloatingPointError, match=r"step \d+: the loss is"):
        run(tmp_path / "run", shards)


def test_the_learning_rate_rises_and_falls_to_nothing(tmp_path):
    settings = SETTINGS.model_copy(update={"batches": BatchSettings(batch_frames=100), "warmup": 0.3})
    run(tmp_path / "run", write_shards(tmp_path, 60, 0), settings)
    rates = [row["learning_rate"] for row in metrics(tmp_path / "run") if "learning_rate" in row]
    top = rates.index(max(rates))
    assert rates[: top + 1] == sorted(rates[: top + 1])
    assert rates[top:] == sorted(rates[top:], reverse=True)
    assert rates[-1] < 0.1 * max(rates) <= 0.1 * settings.learning_rate * 1.001 < max(rates)


@pytest.mark.parametrize("stop_at", [25, 50])
@pytest.mark.parametrize("damage", [False, True])
def test_a_resumed_run_logs_what_an_uninterrupted_one_logs(tmp_path, stop_at, damage):
    settings = SETTINGS.model_copy(update={"batches": BatchSettings(batch_frames=100), "epochs": 2})
    settings = settings.model_copy(update={"checkpoint_minutes": 1e-9 if damage else 5.0})
    shards, dev = write_shards(tmp_path, 40, 0), write_shards(tmp_path, 5, 1)[0]
    run(tmp_path / "whole", shards, settings, dev)

    def stop(at):
        if at.step == stop_at:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        run(tmp_path / "stopped", shards, settings, dev, stop)
    with open(tmp_path / "stopped" / "metrics.jsonl", "a") as file:
        file.write('{"step": 2')  # a line cut short
    if damage:
        max((tmp_path / "stopped" / "checkpoints").iterdir()).write_bytes(b"damaged")
    run(tmp_path / "stopped", shards, settings, dev)
    assert metrics(tmp_path / "stopped") == metrics(tmp_path / "whole")
    assert any("loss" in row for row in metrics(tmp_path / "whole"))
    whole, resumed = (tmp_path / name / "recognizer.safetensors" for name in ("whole", "stopped"))
    assert whole.read_bytes() == resumed.read_bytes()


def test_a_finished_run_is_left_as_it_is(tmp_path):
    shards, dev = write_shards(tmp_path, 20, 0), write_shards(tmp_path, 5, 1)[0]
    first = run(tmp_path / "run", shards, dev=dev)
    before = contents(tmp_path / "run")
    assert run(tmp_path / "run", shards, dev=dev, on_step=pytest.fail) == first
    assert contents(tmp_path / "run") == before


def test_the_recognizer_kept_is_the_one_of_the_lowest_dev_wer(tmp_path):
    shards, dev = write_shards(tmp_path, 40, 0), write_shards(tmp_path, 10, 1)[0]
    figures = run(tmp_path / "run", shards, SETTINGS.model_copy(update={"epochs": 8, "learning_rate": 0.05}), dev)
    rates = [row["dev_wer"] for row in metrics(tmp_path / "run") if "dev_wer" in row]
    made = read_metadata((tmp_path / "run" / "recognizer.safetensors").read_bytes(), "run")["provenance"]
    assert made["dev_wer"] == figures["dev_wer"] == min(rates)
    assert made["epoch"] == 1 + rates.index(min(rates))
    assert made["by"] == "test"


def same_bits(*folders):
    first, *others = ((folder / "recognizer.safetensors").read_bytes() for folder in folders)
    return all(other == first for other in others)


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_signal_ends_a_run_with_a_checkpoint_of_the_step_it_came_at(tmp_path, number):
    shards, dev = write_shards(tmp_path, 30, 0), write_shards(tmp_path, 5, 1)[0]
    run(tmp_path / "whole", shards, dev=dev)

    def send(at):
        if at.step == 3:
            os.kill(os.getpid(), number)

    before = signal.getsignal(number)
    with pytest.raises(TrainingStoppedError, match=r"stopped at step 3; .* the same command goes on"):
        run(tmp_path / "stopped", shards, dev=dev, on_step=send)
    assert signal.getsignal(number) is before
    assert max(path.name for path in (tmp_path / "stopped" / "checkpoints").iterdir()) == "step-00000003.checkpoint"
    run(tmp_path / "stopped", shards, dev=dev)
    assert same_bits(tmp_path / "whole", tmp_path / "stopped")
    assert metrics(tmp_path / "whole") == metrics(tmp_path / "stopped")


def test_a_full_disk_ends_a_run_and_no_checkpoint_is_lost(tmp_path, monkeypatch):
    shards = write_shards(tmp_path, 30, 0)
    settings = SETTINGS.model_copy(update={"checkpoint_minutes": 1e-9})
    run(tmp_path / "whole", shards, settings)
    sync, written = os.fsync, []

    def full(descriptor):
        written.append(descriptor)
        if len(written) > 4:
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        sync(descriptor)

    monkeypatch.setattr("os.fsync", full)
    with pytest.raises(OSError, match=r"cannot write [\d,]+ bytes \(No space left on device\); what was there is kept"):
        run(tmp_path / "run", shards, settings)
    monkeypatch.undo()
    left = sorted(path.name for path in (tmp_path / "run" / "checkpoints").iterdir())
    assert left == ["step-00000001.checkpoint", "step-00000002.checkpoint"]
    run(tmp_path / "run", shards, settings)
    assert same_bits(tmp_path / "whole", tmp_path / "run")


def test_texts_outside_a_given_alphabet_are_left_out_and_those_within_are_learned(tmp_path):
    settings = SETTINGS.model_copy(update={"alphabet": "ab"})
    recognizer = RECOGNIZER.model_copy(update={"alphabet": Alphabet.of("ab")})
    only, _ = write_shards(tmp_path, 20, 0, texts=["ab"])
    mixed = write_shards(tmp_path, 20, 1, texts=["cc"])
    figures = run(tmp_path / "run", (only + mixed[0], mixed[1]), settings, recognizer=recognizer)
    assert figures["steps"] == run(tmp_path / "only", (only, mixed[1]), settings, recognizer=recognizer)["steps"]
    assert load_recognizer((tmp_path / "run" / "recognizer.safetensors").read_bytes(), "run").settings == recognizer


def test_a_step_may_learn_from_several_batches(tmp_path):
    shards = write_shards(tmp_path, 40, 0)
    one = run(tmp_path / "one", shards)
    three = run(tmp_path / "three", shards, SETTINGS.model_copy(update={"batches_per_step": 3, "epochs": 1}))
    assert three["steps"] == -(-one["steps"] // SETTINGS.epochs // 3)


def test_a_run_that_begins_with_a_recognizer_goes_on_where_that_stood(tmp_path):
    shards = write_shards(tmp_path, 60, 0)
    losses = {}

    def learn(name, initial=None):
        run(tmp_path / name, shards, on_step=lambda at: losses.setdefault(name, []).append(at.loss), initial=initial)
        return load_recognizer((tmp_path / name / "recognizer.safetensors").read_bytes(), name)

    learn("second", learn("first"))
    assert losses["second"][0] < 0.8 * losses["first"][0]


def test_batches_are_read_in_time_and_again_after_a_stop(tmp_path):
    shards = write_shards(tmp_path, 40, 0)
    settings = SETTINGS.model_copy(update={"batches": BatchSettings(batch_frames=200), "batches_per_step": 2})
    run(tmp_path / "whole", shards, settings)

    def stop(at):
        if at.step == 7:
            os.kill(os.getpid(), signal.SIGTERM)

    with pytest.raises(TrainingStoppedError):
        run(tmp_path / "stopped", shards, settings, on_step=stop)
    run(tmp_path / "stopped", shards, settings)
    assert same_bits(tmp_path / "whole", tmp_path / "stopped")
