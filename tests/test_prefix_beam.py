from __future__ import annotations

import itertools
import math

import pytest
import torch

from asr_model.language_model import LanguageModelSettings, train_language_model
from asr_model.prefix_beam import PrefixBeam
from asr_model.text import Alphabet

ALPHABET = Alphabet.of(["ab "])  # tokens: blank, space, a, b
WIDE = 10_000


@pytest.fixture(scope="module")
def model():
    return train_language_model(["a b", "ab a", "b", "b a b", "ab"], LanguageModelSettings(order=2))


def random_log_probs(steps, seed):
    return torch.randn(steps, 4, generator=torch.Generator().manual_seed(seed)).log_softmax(-1)


def text_of(path):
    return " ".join(ALPHABET.decode([token for token, _ in itertools.groupby(path)]).split())


def sums_over_all_paths(log_probs):
    """Return the log-probability of every text there is: summed over every path that writes it."""
    sums = {}
    probs = log_probs.exp().tolist()
    for path in itertools.product(range(4), repeat=len(probs)):
        p = math.prod(step[token] for step, token in zip(probs, path, strict=True))
        sums[text_of(path)] = sums.get(text_of(path), 0.0) + p
    return {text: math.log(p) for text, p in sums.items()}


@pytest.mark.parametrize("seed", range(6))
@pytest.mark.parametrize("steps", [1, 2, 5, 6])
def test_the_score_of_every_text_is_the_sum_over_all_its_paths(steps, seed):
    log_probs = random_log_probs(steps, seed)
    found = PrefixBeam(ALPHABET, WIDE).search(log_probs)
    assert dict(found) == pytest.approx(sums_over_all_paths(log_probs), abs=1e-4)
    assert [score for _, score in found] == sorted((score for _, score in found), reverse=True)


def of_words(model, text, weight, word_score, unknown=None):
    """Return what the words of a text add to its score; None where one of them is not allowed."""
    state, score = model.start(), 0.0
    for word in text.split():
        state, of_word = model.score(state, word)
        if of_word is None and unknown is None:
            return None
        score += weight * (unknown if of_word is None else of_word) + word_score
    return score + weight * model.finish(state)


@pytest.mark.parametrize("seed", range(4))
@pytest.mark.parametrize("unknown", [None, -2.0])
def test_with_a_language_model_every_text_scores_its_paths_its_words_and_its_end(model, seed, unknown):
    log_probs = random_log_probs(6, seed)
    beam = PrefixBeam(ALPHABET, WIDE, model, 0.7, 0.3, closed=unknown is None, unknown_score=unknown or 0.0)
    found = dict(beam.search(log_probs))
    wanted = {
        text: path + words
        for text, path in sums_over_all_paths(log_probs).items()
        if (words := of_words(model, text, 0.7, 0.3, unknown)) is not None
    }
    assert len(wanted) > 3
    assert found == pytest.approx(wanted, abs=1e-4)


def test_hot_words_are_found_where_they_were_not():
    log_probs = torch.tensor([[0.02, 0.02, 0.9, 0.06], [0.02, 0.02, 0.5, 0.46]]).log()
    assert PrefixBeam(ALPHABET, 8).search(log_probs)[0][0] == "a"
    plain = dict(PrefixBeam(ALPHABET, 8).search(log_probs))
    hot = dict(PrefixBeam(ALPHABET, 8, hot_words={"ab"}, hot_word_score=2.0).search(log_probs))
    assert hot["ab"] == pytest.approx(plain["ab"] + 2)
    assert max(hot, key=hot.get) == "ab"


@pytest.mark.parametrize("seed", range(8))
def test_a_narrow_beam_finds_texts_no_better_than_all(seed):
    log_probs = random_log_probs(20, seed)
    scores = [PrefixBeam(ALPHABET, size).search(log_probs)[0][1] for size in (1, 4, 64)]
    assert scores == sorted(scores)


def test_no_steps_are_the_empty_text():
    assert PrefixBeam(ALPHABET, 8).search(torch.zeros(0, 4)) == [("", 0.0)]


@pytest.mark.parametrize("seed", range(8))
def test_what_would_not_stay_in_a_full_beam_hardly_counts(model, seed):
    log_probs = (4 * random_log_probs(30, seed)).log_softmax(-1)
    beam = PrefixBeam(ALPHABET, 6, model, 0.7, 0.3, unknown_score=-2.0)
    tried = PrefixBeam(ALPHABET, 6, model, 0.7, 0.3, unknown_score=-2.0)
    object.__setattr__(tried, "_least", lambda *_: -math.inf)
    assert beam.search(log_probs)[0][1] == pytest.approx(tried.search(log_probs)[0][1], abs=0.2)
