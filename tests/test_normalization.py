from __future__ import annotations

import pytest

from asr_model.config import SettingsError
from asr_model.normalization import STEP_VERSIONS, make_normalize, step_labels
from asr_model.text import normalize_text

TEXTS = ["Don’t PRESS “one” – please…", "Call 0800 123 at 10:00, it's 1,234.50 in U.S. dollars", "", "नमस्ते 42", "A B C"]


def test_without_steps_only_spacing_is_touched():
    assert make_normalize(["none"])("  Don't,\tPRESS ") == make_normalize([])("  Don't,\tPRESS ") == "Don't, PRESS"


def test_basic_is_what_recognizers_are_trained_on():
    assert [make_normalize(["basic"])(text) for text in TEXTS] == [normalize_text(text) for text in TEXTS]


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("press 1", "press one"),
        ("21 and 100", "twenty one and one hundred"),
        ("1,000 times", "one thousand times"),
        ("the 3rd", "the third"),
        ("3.5 percent", "three point five percent"),
        ("0044", "zero zero four four"),
        ("5551234", "five five five one two three four"),
        ("mp3 and b2b", "mp3 and b2b"),  # digits inside a word are not a number
        ("in the 80s", "in the 80s"),
        ("no numbers", "no numbers"),
    ],
)
def test_numbers_are_read_as_people_do(text, words):
    assert make_normalize(["numbers_to_words"])(text) == words


def test_numbers_are_read_in_the_language_asked_for():
    assert make_normalize(["numbers_to_words"], language="de")("21 Euro") == "einundzwanzig Euro"
    with pytest.raises(SettingsError, match="'klingon'"):
        make_normalize(["numbers_to_words"], language="klingon")


@pytest.mark.parametrize(
    ("one", "other"), [("a b c", "abc"), ("the I.B.M. deal", "the i b m deal"), ("v-i-p room", "vip room")]
)
def test_spelled_letters_are_a_word_however_they_are_set(one, other):
    normalize = make_normalize(["spelled_letters", "basic"])
    assert normalize(one) == normalize(other)


def test_one_letter_by_itself_and_apostrophes_stay():
    assert make_normalize(["spelled_letters"])("i can't do a thing") == "i can't do a thing"


def test_replacements_are_of_whole_phrases_the_longest_first():
    normalize = make_normalize(["replacements"], {"new york city": "nyc", "new": "old", "C++": "cpp"})
    assert normalize("New York City, renewed C++ new") == "nyc, renewed cpp old"


def test_the_order_of_steps_counts():
    table = {"two": "2"}
    assert make_normalize(["numbers_to_words", "replacements"], table)("2") == "2"
    assert make_normalize(["replacements", "numbers_to_words"], table)("two 2") == "two two"


def test_whisper_english_is_whispers_own():
    pytest.importorskip("whisper_normalizer")
    assert make_normalize(["whisper_english"])("Mm hmm, it's the colour at 20%") == "it is the color at 20%"


def test_every_step_has_a_version_that_reports_print():
    assert step_labels(["numbers_to_words", "basic"]) == ["numbers_to_words 1", "basic 2"]
    for step in STEP_VERSIONS:
        if step != "whisper_english":
            normalize = make_normalize([step], {"please": "pls"})
            assert [normalize(normalize(text)) for text in TEXTS] == [normalize(text) for text in TEXTS]
