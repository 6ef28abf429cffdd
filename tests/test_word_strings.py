from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
import soundfile
import word_strings
from word_strings import Piece

RATE = 8000


@pytest.fixture(scope="module")
def rows(tmp_path_factory):
    folder = tmp_path_factory.mktemp("corpus")
    draw = np.random.default_rng(0)
    made = []
    for number in range(12):
        corpus, text = ("an4", "a b c") if number % 2 else ("fsdd", "five")
        samples = 0.1 * draw.normal(size=RATE * (3 if number % 2 else 1))
        soundfile.write(folder / f"{number}.wav", samples, RATE)
        row = {"audio_filepath": f"{number}.wav", "text": text, "speaker": f"s{number % 4}"}
        made.append(row | {"corpus": corpus, "split": "dev" if number > 9 else "train"})
    (folder / "corpus.jsonl").write_text("".join(json.dumps(row) + "\n" for row in made), "utf-8")
    return folder / "corpus.jsonl"


@pytest.fixture(scope="module")
def output(rows, recognizer_folder, tmp_path_factory):
    folder = tmp_path_factory.mktemp("strings")
    arguments = ["--corpus", str(rows), "--recognizer", str(recognizer_folder), "--output", str(folder)]
    assert word_strings.main(arguments) == 0
    return folder


def manifest(folder):
    return [json.loads(line) for line in (folder / "manifest.jsonl").read_text("utf-8").splitlines()]


def test_the_corpus_stays_as_it_is_and_strings_of_training_speakers_follow(rows, output):
    written = manifest(output)
    corpus = [json.loads(line) for line in rows.read_text("utf-8").splitlines()]
    assert [row["text"] for row in written[: len(corpus)]] == [row["text"] for row in corpus]
    strings = written[len(corpus) :]
    assert strings
    trained = {row["speaker"] for row in corpus if row["split"] == "train"}
    for row in strings:
        assert row["split"] == "train"
        assert row["speaker"] in trained
        assert soundfile.info(row["audio_filepath"]).duration == pytest.approx(row["duration"])
        assert set(row["text"].split()) <= {"a", "b", "c", "five"}


def test_they_are_the_same_every_time(rows, output, recognizer_folder, tmp_path):
    word_strings.main(["--corpus", str(rows), "--recognizer", str(recognizer_folder), "--output", str(tmp_path)])
    for path in (output / "audio").iterdir():
        assert (tmp_path / "audio" / path.name).read_bytes() == path.read_bytes()


def test_another_draw_makes_other_strings(rows, output, recognizer_folder, tmp_path):
    arguments = ["--corpus", str(rows), "--recognizer", str(recognizer_folder), "--output", str(tmp_path)]
    word_strings.main([*arguments, "--draw", "1"])
    first, second = manifest(output)[12:], manifest(tmp_path)[12:]
    assert [row["text"] for row in second] != [row["text"] for row in first]
    names = [{Path(row["audio_filepath"]).name for row in listed} for listed in (first, second)]
    assert not names[0] & names[1]  # a name is part of the seed of its copies


def test_a_recording_is_cut_at_the_pause_between_its_words():
    draw = np.random.default_rng(1)
    quiet, loud = 0.001 * draw.normal(size=RATE // 2), 0.2 * draw.normal(size=RATE // 2)
    samples = np.concatenate([quiet, loud, quiet, loud, quiet]).astype(np.float32)
    end, start = word_strings._quietest(samples, RATE, round(0.7 * RATE), round(1.8 * RATE))
    assert 1.0 < end / RATE < 1.2
    assert 1.3 < start / RATE < 1.5


def test_close_strings_are_listed_alone_and_shorter(rows, output, recognizer_folder, tmp_path):
    arguments = ["--corpus", str(rows), "--recognizer", str(recognizer_folder), "--output", str(tmp_path)]
    assert word_strings.main([*arguments, "--close"]) == 0
    apart, close = manifest(output)[12:], manifest(tmp_path)
    assert [row["text"] for row in close] == [row["text"] for row in apart]
    assert sum(row["duration"] for row in close) < sum(row["duration"] for row in apart)


@pytest.mark.parametrize("close", [False, True])
def test_words_keep_their_order_and_silence_lies_between_them_or_none(tmp_path, close):
    tone = np.sin(2 * np.pi * 440 * np.arange(RATE // 2) / RATE).astype(np.float32)
    (tmp_path / "audio").mkdir()
    row = word_strings.write(tmp_path, "x", "s", [Piece("a", tone), Piece("b", tone / 9)], RATE, close)
    samples, _ = soundfile.read(row["audio_filepath"])
    assert row["text"] == "a b"
    loud = np.convolve(np.abs(samples) > 0.02, np.ones(80), mode="same") > 0
    edges = np.flatnonzero(np.diff(loud.astype(int)))
    assert len(edges) == 4  # two words of like level, apart
    assert ((edges[2] - edges[1]) / RATE > 0.05) is not close
