from __future__ import annotations

from pathlib import Path

import pytest

from asr_model.recognizer import load_recognizer, recognizer_file
from pipelines.__main__ import VERBS
from pipelines.resources import config_file, shipped_recognizer


@pytest.mark.parametrize("verb", VERBS)
def test_every_verb_has_default_settings(verb):
    assert config_file(verb).is_file()


def test_the_shipped_recognizer_is_there_writes_english_and_is_small():
    path = Path(recognizer_file(shipped_recognizer()))
    data = path.read_bytes()
    assert len(data) < 20e6
    letters = set(load_recognizer(data, str(path)).settings.alphabet.characters)
    assert set("abcdefghijklmnopqrstuvwxyz ") <= letters


def test_the_model_card_lies_beside_it():
    card = Path(shipped_recognizer(), "README.md").read_text(encoding="utf-8")
    assert "make recognizer" in card
