from __future__ import annotations

import unicodedata

import numpy as np
import pytest

from asr_model.text import BLANK, Alphabet, normalize_text

TEXTS = [
    "Don’t PRESS “one” – please…",
    "  a\tb\n",
    "café ÉCOLE",
    "ＡＢＣ",
    "'tis rock 'n' roll'",
    "x_y",
    "привет, Мир!",
    "",
    "42",
]


@pytest.mark.parametrize("text", TEXTS)
def test_normalizing_twice_changes_nothing(text):
    once = normalize_text(text)
    assert normalize_text(once) == once


@pytest.mark.parametrize(
    ("text", "normalized"),
    [
        ("Don’t PRESS “one” – please…", "don't press one please"),
        ("café ÉCOLE", "café école"),
        ("ＡＢＣ", "abc"),
        ("rock 'n' roll'", "rock n roll"),
        ("x_y-z", "x y z"),
        ("Привет, Мир!", "привет мир"),
        (" ... ", ""),
        ("नमस्ते, दुनिया!", "नमस्ते दुनिया"),  # vowel signs and the virama stay with their letters
        ("வணக்கம்.", "வணக்கம்"),
        ("می‌خواهم", "میخواهم"),
        ("a .\u0301 b", "a b"),  # a mark of nothing
    ],
)
def test_only_what_is_spoken_is_left(text, normalized):
    assert normalize_text(text) == normalized


@pytest.mark.parametrize("text", TEXTS)
def test_tokens_are_the_text(text):
    alphabet = Alphabet.of(TEXTS)
    tokens = alphabet.encode(text)
    assert BLANK not in tokens
    assert all(token < alphabet.size for token in tokens)
    assert alphabet.decode(tokens) == text


def test_blanks_are_not_written():
    assert Alphabet.of(["ab"]).decode([0, 1, 0, 0, 2, 2]) == "abb"


def test_a_character_outside_the_alphabet_is_named():
    with pytest.raises(ValueError, match=r"'xz' in 'axz' is outside"):
        Alphabet.of(["ab"]).encode("axz")


def test_the_alphabet_does_not_depend_on_the_order_of_the_texts():
    assert Alphabet.of(["cab", "d"]) == Alphabet.of(["d", "bac"])


def test_normalized_text_of_any_characters_is_a_fixed_point():
    draw = np.random.default_rng(0)
    tricky = list("aB'’ʼ`_- \t\u00a0éßŉİΣ\u0307\u0323\u094d\u200dकﬁ①Ａ")
    texts = ["".join(draw.choice(tricky, draw.integers(1, 8))) for _ in range(2000)]
    texts += ["".join(map(chr, draw.integers(0x20, 0xD800, 8))) for _ in range(2000)]
    for text in texts:
        once = normalize_text(text)
        assert normalize_text(once) == once
        assert once == unicodedata.normalize("NFKC", once).lower() == " ".join(once.split())


def test_text_in_ascii_takes_a_short_way_to_the_same_end():
    draw = np.random.default_rng(1)
    for _ in range(3000):
        text = "".join(map(chr, draw.integers(0, 128, 12)))
        assert normalize_text(text) == normalize_text(text + " é").removesuffix("é").rstrip()


@pytest.mark.parametrize(("text", "can"), [("", True), ("abba", True), ("a b", False), ("c", False)])
def test_an_alphabet_can_write_what_it_can_encode(text, can):
    alphabet = Alphabet.of("ab")
    assert alphabet.can_write(text) == can
    if not can:
        with pytest.raises(ValueError, match="outside the alphabet"):
            alphabet.encode(text)
