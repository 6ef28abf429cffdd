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


def dev_speakers(data):
    return {row["speaker"] for row in compose(data) if row["corpus"] == "an4" and row["split"] == "dev"}


def rewrite(data, change):
    manifest = data / "an4" / "manifest.jsonl"
    manifest.write_text("".join(line + "\n" for line in change(manifest.read_text().splitlines())))


def test_development_speakers_do_not_depend_on_the_order_of_the_manifest(data):
    before = dev_speakers(data)
    rewrite(data, lambda lines: lines[::-1])
    assert dev_speakers(data) == before


@pytest.mark.parametrize("name", [f"new{number}" for number in range(8)])
def test_a_speaker_more_takes_the_place_of_one_at_most(data, name):
    before = dev_speakers(data)
    row = {"audio_filepath": "new.wav", "text": "x", "duration": 1.0, "speaker": name}
    rewrite(data, lambda lines: [json.dumps(row), *lines])
    assert len(before & dev_speakers(data)) >= len(before) - 1


def test_speechocean_comes_split_and_prompts_are_for_training(data):
    prompts = data / "prompts"
    prompts.mkdir()
    row = {"audio_filepath": "p.wav", "text": "x", "duration": 1.0, "speaker": "allison"}
    (prompts / "manifest.jsonl").write_text(json.dumps(row) + "\n")
    rows = compose(data, "--prompts", str(prompts))
    splits = {row["speaker"]: (row["corpus"], row["split"]) for row in rows if row["corpus"] not in ("an4", "fsdd")}
    assert splits == {
        "child": ("speechocean762", "train"),
        "adult": ("speechocean762", "dev"),
        "allison": ("prompts", "train"),
    }
