from __future__ import annotations

import json

import pytest
import training_corpus


@pytest.fixture
def data(tmp_path):
    for folder, names in {
        "an4": [(f"an4/{s}-{n}.wav", f"speaker{s}") for s in range(40) for n in range(2)],
        "fsdd": [(f"{digit}_jane_{take}.wav", "jane") for digit in range(3) for take in range(5, 45)],
        "speechocean762/train": [("a.wav", "child")],
        "speechocean762/dev": [("b.wav", "adult")],
    }.items():
        (tmp_path / folder).mkdir(parents=True)
        rows = [{"audio_filepath": name, "text": "x", "duration": 36.0, "speaker": speaker} for name, speaker in names]
        (tmp_path / folder / "manifest.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    return tmp_path


def compose(data, *more):
    output = data / "build" / "corpus.jsonl"
    assert training_corpus.main(["--data", str(data), "--output", str(output), *more]) == 0
    return [json.loads(line) for line in output.read_text().splitlines()]


def test_development_speakers_are_a_fixed_dozen_and_never_trained_on(data):
    rows = [row for row in compose(data) if row["corpus"] == "an4"]
    splits = {split: {row["speaker"] for row in rows if row["split"] == split} for split in ("train", "dev")}
    assert len(splits["dev"]) == training_corpus.AN4_DEV_SPEAKERS
    assert not splits["dev"] & splits["train"]
    assert rows == [row for row in compose(data) if row["corpus"] == "an4"]


def test_some_takes_of_each_digit_are_for_development(data):
    rows = [row for row in compose(data) if row["corpus"] == "fsdd"]
    takes = {split: {row["audio_filepath"][-6:] for row in rows if row["split"] == split} for split in ("train", "dev")}
    assert takes["dev"]
    assert not takes["dev"] & takes["train"]


def test_paths_are_seen_from_the_manifest(data):
    for row in compose(data):
        assert (data / "build" / row["audio_filepath"]).resolve().is_relative_to(data)
        assert not row["audio_filepath"].startswith("/")


def test_a_corpus_can_be_left_out(data):
    assert {row["corpus"] for row in compose(data, "--leave-out", "speechocean762")} == {"an4", "fsdd"}
