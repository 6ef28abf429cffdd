from __future__ import annotations

import itertools
import random

import pytest
from rapidfuzz.distance import Levenshtein

from asr_model import alternatives as module
from asr_model.alternatives import has_choice, parse_alternatives, plain_text, said_text
from asr_model.records import Transcript, Utterance
from asr_model.scoring import EvaluateSettings, score


@pytest.mark.parametrize(
    ("text", "parts"),
    [
        ("and/or (a b) @ {x}", [("and/or (a b) @",), ("x",)]),  # a slash, a space and an @ outside braces are a word's
        ("{a/b} c", [("a", "b"), ("c",)]),
        ("{ a / { b / @ } c } (%hesitation)", [("a", "b c", "c"), ("%hesitation", "")]),
        ("{ a (uh) / a }", [("a uh", "a")]),
        ("", []),
    ],
)
def test_a_text_is_read_as_nist_s_tools_read_it(text, parts):
    assert parse_alternatives(text) == parts


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("{ a / b", "do not match"),
        ("a }", "do not match"),
        ("{ a / }", "empty alternative"),
        ("{ (a) (b) (c) (d) (e) (f) (g) }", "more than 100"),
    ],
)
def test_what_is_no_such_text_is_said(text, message):
    with pytest.raises(ValueError, match=message):
        parse_alternatives(text)


@pytest.mark.parametrize("seed", range(40))
def test_no_other_choice_has_fewer_errors(seed):
    draw = random.Random(seed)

    def words(most):
        return " ".join(draw.choices("abc", k=draw.randrange(most)))

    parts = [[words(4) for _ in range(draw.choice([1, 1, 2, 3]))] for _ in range(draw.randrange(1, 7))]
    heard = words(12)
    found = said_text(parts, heard, str.lower)
    chosen = [plain_text([text] for text in texts) for texts in itertools.product(*parts)]
    errors = [Levenshtein.distance(text.split(), heard.split()) for text in chosen]
    assert found in chosen
    assert Levenshtein.distance(found.split(), heard.split()) == min(errors)


def test_texts_are_compared_as_they_are_normalized_and_given_as_they_are_written():
    parts = parse_alternatives("{ I am / I'm } OK (UH)")
    assert has_choice(parts)
    reference = Utterance("a", "a", None, plain_text(parts), extra={"text_alternatives": parts})
    transcript = Transcript("a", 0, "i'm, ok.", None, 1.0, 0, "", 1, [])
    found = score(reference, transcript, EvaluateSettings())
    assert (found.text, found.num_errors, found.num_words) == ("i'm ok", 0, 2)
    assert found.raw_errors == 2  # I'm against i'm, OK against ok
    assert score(reference, None, EvaluateSettings()).text == "i'm ok"  # nothing was heard: the fewest words


def test_hours_need_no_table_of_all_words_by_all_words(monkeypatch):
    draw = random.Random(0)
    parts = [(f"w{number}", "") if number % 5 == 0 else (f"w{number}",) for number in range(2000)]
    heard = [part[0] for part in parts if len(part) == 1 or draw.random() < 0.5]
    rows = []
    errors = module._errors
    monkeypatch.setattr(module, "_errors", lambda *given: rows.append(errors(*given)) or rows[-1])
    assert said_text(parts, " ".join(heard), str.lower).split() == heard
    assert max(row.size for row in rows) == len(heard) + 1
