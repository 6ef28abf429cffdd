"""The four verbs on real speech: a network that knew nothing learns spoken digits from recordings it is given."""

from __future__ import annotations

import json
import os
import random
from pathlib import Path

import numpy as np
import pytest
import soundfile
from packages import default_cache
from recordings import DIGITS, spoken_words

from asr_model.audio import resample
from pipelines.__main__ import main

FSDD = Path(__file__).parents[2] / "shared" / "data" / "fsdd"
SAMPLE_RATE = 8000
TEST_TAKES = ("5", "6", "7")


@pytest.mark.timeout(600)
def test_a_network_learns_spoken_digits_it_is_then_tested_on_in_other_recordings(tmp_path):
    training, test = fsdd() if FSDD.is_dir() else composed(tmp_path)
    write_manifest(tmp_path / "training.jsonl", training)
    write_manifest(tmp_path / "test.jsonl", test)
    shards, run, transcripts, report = (str(tmp_path / name) for name in ("shards", "run", "transcripts", "report"))
    assert verb("featurize", tmp_path / "training.jsonl", shards, "--set", "split.dev=0") == 0
    learning = ["network={channels: [16, 32], lstm_size: 96, lstm_layers: 1}", "epochs=12", "learning_rate=3e-3"]
    learning += ["batches.batch_frames=800", "spec_augment.max_frequency_mask=8", "average_decay=0.99", "threads=1"]
    assert verb("train", shards, run, *(word for setting in learning for word in ("--set", setting))) == 0
    assert verb("transcribe", tmp_path / "test.jsonl", transcripts, "--recognizer", run) == 0
    assert verb("evaluate", transcripts, report, "--reference", str(tmp_path / "test.jsonl")) == 0
    summary = json.loads(Path(report, "summary.json").read_text())
    assert summary["num_words"] == sum(len(row["text"].split()) for row in test)
    assert summary["wer"] < 0.25  # always the same digit: 0.9


def verb(name, source, output, *more):
    return main([name, "--input", str(source), "--output", output, *more])


def fsdd():
    """Return the rows of recorded digits, three takes of each digit and speaker for the test."""
    rows = [json.loads(line) for line in (FSDD / "manifest.jsonl").read_text().splitlines()]
    for row in rows:
        row["audio_filepath"] = str(FSDD / row["audio_filepath"])
    is_test = [Path(row["audio_filepath"]).stem.rsplit("_", 1)[-1] in TEST_TAKES for row in rows]
    return [r for r, t in zip(rows, is_test, strict=True) if not t], [
        r for r, t in zip(rows, is_test, strict=True) if t
    ]


def composed(folder):
    """Return rows of four digits in a row from the cached packages; the test speaks them in other orders and tempi."""
    takes: dict[str, dict[str, np.ndarray]] = {}
    for path, text, speaker in spoken_words(default_cache()):
        if text in DIGITS:
            samples, rate = soundfile.read(path, dtype="float32")
            takes.setdefault(speaker, {})[text] = resample(samples, rate, SAMPLE_RATE)
    draw = random.Random(0)
    rows = []
    for number in range(660):
        speaker = draw.choice(sorted(takes))
        digits = draw.choices(DIGITS, k=4)
        tempo = draw.choice((0.95, 1.05) if number < 60 else (0.9, 1.0, 1.1))
        pieces = [resample(takes[speaker][digit], SAMPLE_RATE * tempo, SAMPLE_RATE) for digit in digits]
        path = folder / f"{number}.wav"
        soundfile.write(path, np.concatenate(pieces), SAMPLE_RATE)
        rows.append({"audio_filepath": str(path), "text": " ".join(digits), "speaker": speaker})
    return rows[60:], rows[:60]


def write_manifest(path, rows):
    path.write_text("".join(json.dumps(row) + os.linesep for row in rows), encoding="utf-8")
