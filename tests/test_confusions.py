from __future__ import annotations

import random
from collections import Counter

from asr_model import confusions as module
from asr_model.confusions import Confusions
from asr_model.edits import align, align_words


def counted(*pairs):
    found = Confusions()
    for text, said in pairs:
        found.count(align(text, said))
    return found


def random_pairs(number, seed):
    draw = random.Random(seed)
    return [tuple(" ".join(draw.choices("abcd", k=draw.randrange(7))) for _ in range(2)) for _ in range(number)]


def test_words_are_counted_as_they_are_aligned():
    pairs = random_pairs(50, 4)
    found = counted(*pairs)
    aligned = [word for pair in pairs for word in align_words(*pair)]
    assert found.pairs == Counter((w.reference, w.hypothesis) for w in aligned if w.kind == "substitution")
    assert found.deleted == Counter(w.reference for w in aligned if w.kind == "deletion")
    assert found.inserted == Counter(w.hypothesis for w in aligned if w.kind == "insertion")


def test_parts_in_any_order_are_the_whole():
    parts = [random_pairs(9, seed) for seed in range(4)]
    for order in (parts, parts[::-1]):
        total = Confusions()
        for part in order:
            total.add(counted(*part))
        assert total == counted(*(pair for part in parts for pair in part))


def test_the_most_frequent_come_first_and_by_name_where_they_are_as_frequent():
    found = counted(("four five", "for five six"), ("", "uh uh"), ("seven", ""), ("eight", ""))
    assert found.figures() == {
        "confusions": [["four", "for", 1]],
        "deleted_words": [["eight", 1], ["seven", 1]],
        "inserted_words": [["uh", 2], ["six", 1]],
    }


def test_of_a_great_many_words_the_most_frequent_are_kept(monkeypatch):
    monkeypatch.setattr(module, "MAX_WORDS", 3)
    one, total = Confusions(), Confusions()
    one.deleted.update({"a": 5, "b": 4, "c": 3, **{f"{number}": 1 + number % 2 for number in range(28)}})
    total.add(one)
    assert total.deleted == {"a": 5, "b": 4, "c": 3}
