from __future__ import annotations

import itertools

import pytest
import torch

from asr_model.decoding import greedy
from asr_model.text import Alphabet

ALPHABET = Alphabet.of(["ab "])  # tokens: blank, space, a, b


def path_log_probs(path, sure=0.9):
    probs = torch.full((len(path), 4), (1 - sure) / 3)
    probs[range(len(path)), list(path)] = sure
    return probs.log()


@pytest.mark.parametrize("length", [1, 2, 3, 4, 5])
def test_every_path_is_collapsed_as_ctc_says(length):
    for path in itertools.product(range(4), repeat=length):
        merged = [token for token, _ in itertools.groupby(path)]
        text = " ".join(ALPHABET.decode(merged).split())
        assert greedy(path_log_probs(path), length, ALPHABET).text == text


def test_steps_beyond_the_length_are_not_read():
    assert greedy(path_log_probs([2, 0, 2, 3]), 3, ALPHABET).text == "aa"
    assert greedy(path_log_probs([2, 0, 2, 3]), 0, ALPHABET).text == ""


@pytest.mark.parametrize("sure", [0.4, 0.75, 1 - 1e-6])
def test_confidence_is_the_mean_probability_of_what_was_written(sure):
    assert greedy(path_log_probs([2, 0, 3, 3], sure), 4, ALPHABET).confidence == pytest.approx(sure, abs=1e-4)


def test_nothing_written_has_no_confidence():
    assert greedy(path_log_probs([0, 0]), 2, ALPHABET).confidence == 0


@pytest.mark.parametrize("seed", range(5))
def test_the_text_is_that_of_the_likeliest_of_all_paths_and_confidence_is_a_probability(seed):
    log_probs = torch.randn(5, 4, generator=torch.Generator().manual_seed(seed)).log_softmax(-1)
    likeliest = max(itertools.product(range(4), repeat=5), key=lambda path: sum(log_probs[range(5), path].tolist()))
    hypothesis = greedy(log_probs, 5, ALPHABET)
    assert hypothesis.text == greedy(path_log_probs(likeliest), 5, ALPHABET).text
    assert 0 <= hypothesis.confidence <= 1
