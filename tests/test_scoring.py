from __future__ import annotations

import random

import jiwer
import pytest
from rapidfuzz.distance import Levenshtein

from asr_model.edits import edits
from asr_model.records import Segment, Transcript, Utterance, Word
from asr_model.scoring import ErrorCounts, EvaluateSettings, character_errors, score, texts_by_group, word_errors


def texts(count, seed):
    draw = random.Random(seed)
    return [" ".join(draw.choices(["a", "bb", "c", "dd"], k=draw.randrange(0, 8))) for _ in range(count)]


def transcript(text):
    return Transcript("a.wav", 1, text, 0.5, 2.0, 8000, "", 2, [])


def distance(reference, hypothesis):
    """Return the Levenshtein distance, by the textbook."""
    row = list(range(len(hypothesis) + 1))
    for i, left in enumerate(reference, start=1):
        row, before = [i], row
        for j, right in enumerate(hypothesis, start=1):
            row.append(min(before[j] + 1, row[-1] + 1, before[j - 1] + (left != right)))
    return row[-1]


@pytest.mark.parametrize("seed", range(5))
def test_errors_are_the_edit_distance_and_parts_add_up_to_the_whole(seed):
    references, hypotheses = texts(30, seed), texts(30, seed + 100)
    parts = [word_errors([r], [h]) for r, h in zip(references, hypotheses, strict=True)]
    for counts, r, h in zip(parts, references, hypotheses, strict=True):
        assert counts.num_errors == distance(r.split(), h.split())
        assert counts.num_reference == len(r.split())
        assert counts.hits + counts.substitutions + counts.insertions == len(h.split())
    assert sum(parts, ErrorCounts()) == word_errors(references, hypotheses)


@pytest.mark.parametrize("length", [3, 30, 3000])
def test_counts_are_jiwer_s_on_every_case(length):
    draw = random.Random(length)
    for _ in range(max(3, 600 // length)):
        reference = " ".join(draw.choices("abcdefgh", k=draw.randrange(length)))
        said = [
            draw.choice("abcdefgh") if draw.random() < 0.2 else word
            for word in reference.split()
            if draw.random() > 0.1
        ]
        hypothesis = " ".join(said)
        expected = jiwer.process_words([reference], [hypothesis])
        kinds = [kind for kind, _, _ in edits(reference.split(), hypothesis.split())]
        found = [kinds.count(kind) for kind in ("replace", "delete", "insert")]
        assert found == [expected.substitutions, expected.deletions, expected.insertions]
        assert word_errors([reference], [hypothesis]).hits == expected.hits
        characters = character_errors([reference], [hypothesis])
        assert characters.num_errors == Levenshtein.distance(reference, hypothesis)


def test_rates_are_jiwer_s():
    references, hypotheses = texts(50, 0), texts(50, 1)
    assert word_errors(references, hypotheses).rate == pytest.approx(jiwer.wer(references, hypotheses))
    assert character_errors(references, hypotheses).rate == pytest.approx(jiwer.cer(references, hypotheses))


def test_mer_and_wip_are_jiwer_s_and_undefined_where_there_is_nothing():
    references, hypotheses = texts(50, 2), texts(50, 3)
    counts = word_errors(references, hypotheses)
    assert counts.match_error_rate == pytest.approx(jiwer.mer(references, hypotheses))
    assert counts.information_preserved == pytest.approx(jiwer.wip(references, hypotheses))
    assert ErrorCounts().match_error_rate is None
    assert ErrorCounts(deletions=1).information_preserved is None


@pytest.mark.parametrize(
    ("reference", "hypothesis", "counts", "wer"),
    [
        ("", "", ErrorCounts(), None),
        ("", "a b", ErrorCounts(insertions=2), None),
        ("a b", "", ErrorCounts(deletions=2), 1.0),
        ("a", "a b c", ErrorCounts(hits=1, insertions=2), 2.0),
    ],
)
def test_empty_texts_are_counted_and_have_no_rate_where_there_is_none(reference, hypothesis, counts, wer):
    row = score(Utterance("a.wav", "a.wav", 1, reference), transcript(hypothesis), EvaluateSettings())
    assert (row.words, row.wer) == (counts, wer)


def test_case_and_punctuation_count_only_when_asked():
    row = Utterance("a.wav", "a.wav", 1, "Hello, World!")
    assert score(row, transcript("hello world"), EvaluateSettings()).wer == 0
    assert score(row, transcript("hello world"), EvaluateSettings(normalization=("none",))).wer == 1


def test_a_lost_transcript_deletes_every_word():
    row = score(Utterance("a.wav", "a.wav", 1, "one two"), None, EvaluateSettings())
    assert (row.status, row.words, row.cer) == ("missing", ErrorCounts(deletions=2), 1.0)


def test_what_a_row_is_grouped_by_and_its_raw_errors_stand_in_it():
    row = Utterance("a.wav", "a.wav", 1, "Hello, World!", extra={"agent": "Kim"})
    found = score(row, transcript("hello world"), EvaluateSettings(groups=("agent", "channel")))
    assert found.groups == {"agent": "Kim", "channel": "1"}
    assert (found.num_errors, found.raw_words, found.raw_errors) == (0, 2, 2)


def test_words_in_times_to_be_ignored_do_not_count():
    words = [Word("a", 0.0, 1.0, 0.5), Word("x", 2.0, 2.5, 0.5), Word("b", 3.0, 4.0, 0.5)]
    segments = [Segment(0.0, 1.0, "a", 0.5), Segment(2.0, 2.5, "x", 0.5), Segment(3.0, 4.0, "b", 0.5)]
    row = Utterance("a.wav", "a.wav", 1, "a b", extra={"ignored_times": [(1.5, 3.0)]})
    for timed in ({"words": words}, {"segments": segments}):
        said = Transcript("a.wav", 1, "a x b", 0.5, 4.0, 8000, "", 2, **({"segments": []} | timed))
        assert score(row, said, EvaluateSettings()).num_errors == 0
    assert score(row, transcript("a x b"), EvaluateSettings()).num_errors == 1  # no times are known


def test_texts_of_groups_are_all_texts_in_order():
    assert texts_by_group(["b", "a", "b"], ["x", "y", "z"], ["1", "2", "3"]) == {
        "a": (["y"], ["2"]),
        "b": (["x", "z"], ["1", "3"]),
    }
