from __future__ import annotations

import itertools
import math

import pytest
import torch

from asr_model.alignment import Path, SpokenWord, align, best_path, spoken_words
from asr_model.text import Alphabet

ALPHABET = Alphabet.of(["ab "])  # tokens: blank, space, a, b


def random_log_probs(steps, seed):
    return torch.randn(steps, 4, generator=torch.Generator().manual_seed(seed)).log_softmax(-1)


def collapse(path):
    return [token for token, _ in itertools.groupby(path) if token]


def path_of(tokens):
    return Path(list(tokens), [math.log(0.5)] * len(tokens))


@pytest.mark.parametrize("seed", range(4))
@pytest.mark.parametrize("tokens", [[], [2], [2, 2], [2, 3], [2, 1, 3], [3, 3, 2]])
def test_the_alignment_is_the_likeliest_of_all_paths_that_write_the_tokens(tokens, seed):
    log_probs = random_log_probs(6, seed)
    candidates = [path for path in itertools.product(range(4), repeat=6) if collapse(path) == tokens]
    best = max(candidates, key=lambda path: sum(log_probs[range(6), path].tolist()))
    path = align(log_probs, tokens)
    assert tuple(path.tokens) == best
    assert path.log_probs == pytest.approx(log_probs[range(6), best].tolist(), abs=1e-6)


@pytest.mark.parametrize("seed", range(10))
def test_the_best_path_is_the_alignment_of_what_it_writes(seed):
    log_probs = random_log_probs(12, seed)
    path = best_path(log_probs)
    aligned = align(log_probs, collapse(path.tokens))
    assert aligned.tokens == path.tokens
    assert aligned.log_probs == pytest.approx(path.log_probs)


@pytest.mark.parametrize(("steps", "tokens"), [(0, [2]), (1, [2, 3]), (2, [2, 2])])
def test_tokens_that_need_more_steps_than_there_are_cannot_be_aligned(steps, tokens):
    with pytest.raises(ValueError, match="steps"):
        align(random_log_probs(steps, 0), tokens)


@pytest.mark.parametrize(
    ("tokens", "words"),
    [
        ([], []),
        ([0, 0], []),
        ([1, 1, 0, 1], []),
        ([2], [("a", 0, 1)]),
        ([0, 2, 2, 0], [("a", 1, 3)]),
        ([0, 2, 0, 2, 3, 3], [("aab", 1, 6)]),
        ([2, 2, 1, 0, 3, 0], [("a", 0, 2), ("b", 4, 5)]),
        ([1, 2, 0, 0, 1, 1, 0, 1, 3, 3], [("a", 1, 2), ("b", 8, 10)]),
    ],
)
def test_words_last_from_their_first_letter_to_their_last(tokens, words):
    assert [(w.text, w.start, w.end) for w in spoken_words(path_of(tokens), ALPHABET)] == words


@pytest.mark.parametrize("seed", range(20))
def test_words_of_any_path_are_its_text_in_order_and_do_not_overlap(seed):
    path = best_path(random_log_probs(30, seed))
    words = spoken_words(path, ALPHABET)
    assert [w.text for w in words] == ALPHABET.decode(collapse(path.tokens)).split()
    edges = [edge for word in words for edge in (word.start, word.end)]
    assert edges == sorted(edges)
    assert all(w.start < w.end and 0 < w.confidence <= 1 for w in words)


def test_a_letter_is_as_sure_as_where_it_is_surest_and_a_word_the_geometric_mean_of_its_letters():
    path = Path([2, 2, 3], [math.log(0.1), math.log(0.8), math.log(0.2)])
    assert spoken_words(path, ALPHABET) == [SpokenWord("ab", 0, 3, pytest.approx(0.4))]
