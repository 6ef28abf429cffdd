from __future__ import annotations

import json

import pytest

from asr_model.decoding import Beam
from asr_model.language_model import LanguageModel
from asr_model.recognizer import load_recognizer, read_metadata
from pipelines.__main__ import main


@pytest.fixture
def texts(tmp_path):
    (tmp_path / "train.txt").write_text("a b c\nab c\nb\nc a b\nd a\n")
    (tmp_path / "dev.txt").write_text("a b\nb x\n")
    return tmp_path


def lm(folder, output, *more):
    return main(["lm", "--input", str(folder / "train.txt"), "--output", str(folder / output), *more])


def test_it_says_perplexity_and_unknown_words_of_held_out_texts(texts, capsys):
    assert lm(texts, "out", "--dev", str(texts / "dev.txt")) == 0
    said = capsys.readouterr().out
    assert "5 texts, 11 words, 5 of them different, perplexity " in said
    assert "25.00% of 4 words unknown" in said
    success = json.loads((texts / "out" / "_SUCCESS").read_text())
    assert success["vocabulary"] == 5
    assert 1 < success["perplexity"] < 10
    assert set(LanguageModel((texts / "out" / "language_model.arpa.gz").read_bytes()).words) == {*"abcd", "ab"}


def test_the_same_texts_give_the_same_bytes(texts, recognizer_folder):
    for output in ("one", "two"):
        assert lm(texts, output, "--attach", str(recognizer_folder)) == 0
    for name in ("language_model.arpa.gz", "recognizer.safetensors"):
        assert (texts / "one" / name).read_bytes() == (texts / "two" / name).read_bytes()


def test_a_recognizer_that_it_is_attached_to_carries_it_and_says_whence(texts, recognizer_folder, capsys):
    before = load_recognizer((recognizer_folder / "recognizer.safetensors").read_bytes(), "before")
    assert lm(texts, "out", "--attach", str(recognizer_folder), "--set", "order=2") == 0
    assert "1 words have letters the recognizer cannot write" in capsys.readouterr().out
    data = (texts / "out" / "recognizer.safetensors").read_bytes()
    after = load_recognizer(data, "after")
    assert after.language_model.data == (texts / "out" / "language_model.arpa.gz").read_bytes()
    assert after.settings.decoder == Beam()
    assert after.digest != before.digest
    made = read_metadata(data, "after")["provenance"]["language_model"]
    assert (made["settings"]["order"], made["recognizer"], made["num_texts"]) == (2, before.digest, 5)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--set", "order=9"], "order: found 9"),
        (["--dev", "{}/empty.txt"], "empty.txt: no texts to measure perplexity on"),
        (["--attach", "{}/none"], "none/recognizer.safetensors"),
        (["--input", "{}/empty.txt"], "empty.txt: no texts to train"),
    ],
)
def test_what_is_wrong_is_said_and_nothing_is_written(texts, capsys, arguments, message):
    (texts / "empty.txt").write_text("\n")
    assert lm(texts, "out", *(argument.format(texts) for argument in arguments)) != 0
    assert message in capsys.readouterr().err
    assert not (texts / "out").exists()


def test_a_folder_of_other_texts_is_not_overwritten_unasked(texts, capsys):
    assert lm(texts, "out") == 0
    assert lm(texts, "out", "--set", "order=2") == 2
    assert "another run" in capsys.readouterr().err
    assert lm(texts, "out", "--set", "order=2", "--overwrite") == 0
