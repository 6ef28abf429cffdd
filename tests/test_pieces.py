from __future__ import annotations

import pytest
import torch
from num2words import num2words

from asr_model.decoding import Beam, Greedy, OpenBeam, build_decoder
from asr_model.language_model import LanguageModelSettings, train_language_model
from asr_model.pieces import train_pieces
from asr_model.text import BLANK, Alphabet, normalize_text

TEXTS = [normalize_text(num2words(number)) for number in range(300)]
ALPHABET = Alphabet.of_pieces(TEXTS, 40)


@pytest.mark.parametrize("text", [*TEXTS[::30], "", "s", "wentyfif hundre one"])
def test_tokens_are_the_text(text):
    tokens = ALPHABET.encode(text)
    assert BLANK not in tokens
    assert all(token < ALPHABET.size for token in tokens)
    assert ALPHABET.decode(tokens) == text


def test_they_are_fewer_than_the_characters():
    assert sum(len(ALPHABET.encode(text)) for text in TEXTS) < 0.5 * sum(map(len, TEXTS))


def test_there_are_as_many_as_asked_for_and_white_space_is_one_alone():
    assert ALPHABET.size == 41
    assert [piece for piece in ALPHABET.characters if " " in piece] == [" "]
    assert {c for c in ALPHABET.characters if len(c) == 1} == set("".join(TEXTS))


def test_the_order_of_the_texts_does_not_matter():
    assert Alphabet.of_pieces(reversed(TEXTS), 40) == ALPHABET


def test_they_are_stored_as_text_and_cut_as_before():
    stored = Alphabet.model_validate_json(ALPHABET.model_dump_json())
    assert stored == ALPHABET
    assert stored.encode(TEXTS[299]) == ALPHABET.encode(TEXTS[299])


@pytest.mark.parametrize("number", [3, 5000])
def test_too_few_or_too_many_are_refused(number):
    with pytest.raises(ValueError, match=rf"^{number} pieces: .*[Vv]ocab"):
        train_pieces(TEXTS, number)


def test_a_character_that_no_piece_holds_is_named():
    assert not ALPHABET.can_write("jar")
    with pytest.raises(ValueError, match=r"'j' in 'jar' is outside the alphabet"):
        ALPHABET.encode("jar")


@pytest.mark.parametrize("settings", [Greedy(), Beam(), OpenBeam()], ids=lambda s: s.kind)
def test_every_decoder_writes_words_of_pieces(settings):
    model = train_language_model(TEXTS, LanguageModelSettings(order=2))
    decode = build_decoder(settings, ALPHABET, model)
    text = "two hundred and twenty seven"
    steps = [token for piece in ALPHABET.encode(text) for token in (piece, piece, BLANK)]
    probs = torch.full((len(steps), ALPHABET.size), 0.002)
    probs[range(len(steps)), steps] = 0.9
    hypothesis = decode((probs / probs.sum(dim=1, keepdim=True)).log())
    assert hypothesis.text == text
    assert [word.text for word in hypothesis.words] == text.split()
    assert [word.start for word in hypothesis.words] == sorted(word.start for word in hypothesis.words)
