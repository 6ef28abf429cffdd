from __future__ import annotations

import json
import random

import numpy as np
import pyarrow.parquet as pq
import pytest
import torch
from conftest import contents

from asr_model.batches import BatchSettings
from asr_model.features import LogMel, compute_features, to_bytes
from asr_model.networks import CnnBiLstmSettings
from asr_model.recognizer import RecognizerSettings, load_recognizer, read_metadata
from asr_model.records import Example, to_table
from asr_model.spec_augment import SpecAugmentSettings
from asr_model.text import Alphabet
from asr_model.train import TrainSettings, train

FEATURES = LogMel(sample_rate=8000, n_fft=256, win_length=200, hop_length=80, n_mels=20, f_max=4000.0)
NETWORK = CnnBiLstmSettings(channels=(8, 8), residual_blocks=0, lstm_size=24, lstm_layers=1, dropout=0.0)
RECOGNIZER = RecognizerSettings(features=FEATURES, alphabet=Alphabet.of("abc"), network=NETWORK)
SETTINGS = TrainSettings(
    network=NETWORK,
    batches=BatchSettings(batch_frames=1500),
    spec_augment=SpecAugmentSettings(num_time_masks=0, num_frequency_masks=0),
    epochs=3,
    learning_rate=1e-2,
    average_decay=0.9,
    threads=1,
)


def spoken(text, draw):
    """Return text as tones: a letter is 0.15 s of its own pitch, with noise."""
    tones = [np.sin(2 * np.pi * (400 + 600 * "abc".index(letter)) * np.arange(1200) / 8000) for letter in text]
    pauses = np.zeros(400)
    samples = np.concatenate([piece for tone in tones for piece in (pauses, tone)] + [pauses])
    return (0.1 * samples + draw.normal(0, 0.003, len(samples))).astype(np.float32)


def write_shards(folder, count, seed, texts=None):
    """Return the paths of two shards of spoken letters, and the number of frames in them."""
    draw, letters = np.random.default_rng(seed), random.Random(seed)
    rows = []
    for number in range(count):
        text = texts[number % len(texts)] if texts else "".join(letters.choices("abc", k=letters.randint(1, 5)))
        values = compute_features(spoken(text[:5], draw), FEATURES)
        row = Example(f"{seed}/{number}", "a", 0, "", text, None, 1.0, 8000, "", 1, len(values), to_bytes(values))
        rows.append(row)
    paths = [str(folder / f"{seed}-{part}.parquet") for part in (0, 1)]
    for part, path in enumerate(paths):
        pq.write_table(to_table(Example, rows[part::2], {}), path)
    return paths, sum(row.num_frames for row in rows)


def run(folder, shards, settings=SETTINGS, dev=(), on_step=lambda at: None):
    folder.mkdir(exist_ok=True)
    paths, frames = shards
    return train(
        settings, RECOGNIZER, paths, list(dev), frames, folder, lambda path: open(path, "rb"), on_step, {"by": "test"}
    )


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
