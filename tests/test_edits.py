from __future__ import annotations

import jiwer
import pytest
from test_scoring import distance, texts

from asr_model.edits import align, align_words, edits
from asr_model.scoring import ErrorCounts, word_errors


def by_the_rule(reference, hypothesis):
    """Return the edits that the documented rule for ties gives, by the whole table of distances."""
    start = 0
    while reference[start : start + 1] == hypothesis[start : start + 1] != []:
        start += 1
    rows = [
        [distance(reference[:i], hypothesis[:j]) for j in range(len(hypothesis) + 1)] for i in range(len(reference) + 1)
    ]
    i, j, found = len(reference), len(hypothesis), []
    while i > start and j > start and reference[i - 1] == hypothesis[j - 1]:
        i, j = i - 1, j - 1
    while i > start or j > start:
        if i > start and rows[i][j] == rows[i - 1][j] + 1:
            i -= 1
            found.append(("delete", i, j))
        elif i > start and j > start and rows[i][j] == rows[i - 1][j - 1] + 1:
            i, j = i - 1, j - 1
            found.append(("replace", i, j))
        elif j > start and rows[i][j] == rows[i][j - 1] + 1:
            j -= 1
            found.append(("insert", i, j))
        else:
            i, j = i - 1, j - 1
    return found[::-1]


@pytest.mark.parametrize("seed", range(5))
def test_ties_are_broken_by_the_written_rule(seed):
    for reference, hypothesis in zip(texts(40, seed), texts(40, seed + 50), strict=True):
        assert edits(reference.split(), hypothesis.split()) == by_the_rule(reference.split(), hypothesis.split())


@pytest.mark.parametrize("seed", range(5))
def test_an_alignment_tells_both_texts_and_the_counts(seed):
    for reference, hypothesis in zip(texts(30, seed), texts(30, seed + 100), strict=True):
        words = align_words(reference, hypothesis)
        assert [word.reference for word in words if word.reference] == reference.split()
        assert [word.hypothesis for word in words if word.hypothesis] == hypothesis.split()
        kinds = [sum(w.kind == kind for w in words) for kind in ("hit", "substitution", "deletion", "insertion")]
        assert ErrorCounts(*kinds) == word_errors([reference], [hypothesis])


def test_equal_texts_are_aligned_without_an_edit_and_others_by_theirs():
    assert align("a b", "a b") == (["a", "b"], ["a", "b"], [])
    for reference, hypothesis in zip(texts(40, 1), texts(40, 51), strict=True):
        said, heard = reference.split(), hypothesis.split()
        assert align(reference, hypothesis) == (said, heard, edits(said, heard))


def test_aligned_words_are_those_of_jiwer():
    kinds = {"equal": "hit", "substitute": "substitution", "delete": "deletion", "insert": "insertion"}
    for reference, hypothesis in zip(texts(60, 7), texts(60, 57), strict=True):
        (chunks,) = jiwer.process_words([reference], [hypothesis]).alignments
        lengths = [(c.type, max(c.ref_end_idx - c.ref_start_idx, c.hyp_end_idx - c.hyp_start_idx)) for c in chunks]
        expected = [kinds[kind] for kind, length in lengths for _ in range(length)]
        assert [word.kind for word in align_words(reference, hypothesis)] == expected
