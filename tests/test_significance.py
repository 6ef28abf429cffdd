from __future__ import annotations

import random

import numpy as np
import pytest

from asr_model.scoring import word_errors
from asr_model.significance import matched_pairs, paired_bootstrap, segment_differences


def noisy(words, rate, draw):
    said = []
    for word in words:
        chance = draw.random()
        if chance < 0.6 * rate:
            said.append(draw.choice("abcdefgh"))
        elif chance > 0.8 * rate:
            said.append(word)
        if draw.random() < 0.2 * rate:
            said.append(draw.choice("abcdefgh"))
    return said


@pytest.mark.parametrize("seed", range(5))
def test_the_differences_of_segments_add_up_to_that_of_all(seed):
    draw = random.Random(seed)
    for _ in range(50):
        reference = draw.choices("abcdefgh", k=draw.randrange(30))
        first, second = noisy(reference, 0.2, draw), noisy(reference, 0.4, draw)
        found = list(segment_differences(reference, first, second))
        errors = [word_errors([" ".join(reference)], [" ".join(said)]).num_errors for said in (first, second)]
        assert sum(found) == errors[1] - errors[0]
        assert list(segment_differences(reference, second, first)) == [-difference for difference in found]


@pytest.mark.parametrize(
    ("first", "second", "differences"),
    [
        ("a b c d e f", "a b c d e f", []),
        ("x b c d e f", "a b c d e f", [-1]),
        ("x b c d e y", "a b c d e f", [-1, -1]),
        ("x b c d e f", "a b y d e f", [0]),  # one word right between them is not enough
        ("x b c d e f", "a b c y e f", [-1, 1]),
        ("a b z c d e f", "a b c d e f z z", [-1, 2]),
    ],
)
def test_segments_are_parted_by_two_words_that_both_have_right(first, second, differences):
    assert list(segment_differences(["a", "b", "c", "d", "e", "f"], first.split(), second.split())) == differences


def test_the_test_is_that_of_paired_differences():
    found = matched_pairs([1, 0, 2, -1, 1, 1])
    assert (found.num_segments, found.mean) == (6, pytest.approx(2 / 3))
    assert found.z == pytest.approx((2 / 3) / (np.std([1, 0, 2, -1, 1, 1], ddof=1) / 6**0.5))
    assert found.p == pytest.approx(0.113, abs=0.001)
    assert matched_pairs([1]) is None
    assert matched_pairs([0, 0, 0]) is None


def drawn(better, seed, number=150):
    draw = np.random.default_rng(seed)
    words = draw.integers(5, 40, number)
    return np.column_stack([draw.binomial(words, 0.2), draw.binomial(words, 0.2 - better)]), words


def test_a_real_difference_is_found_and_its_interval_holds_it():
    found = paired_bootstrap(*drawn(0.05, 0), 2000, 0)
    low, high = found.interval
    assert low < -0.05 < high < 0
    assert found.p < 0.01
    assert found.difference == pytest.approx(-0.05, abs=0.02)


def test_where_there_is_no_difference_one_is_rarely_found():
    false = sum(paired_bootstrap(*drawn(0.0, seed), 500, seed).p < 0.05 for seed in range(200))
    assert false / 200 < 0.11


def test_swapping_the_systems_turns_the_sign():
    errors, words = drawn(0.02, 5)
    one, other = paired_bootstrap(errors, words, 1000, 0), paired_bootstrap(errors[:, ::-1], words, 1000, 0)
    assert one.difference == -other.difference
    assert one.p == pytest.approx(other.p, abs=0.05)


def test_of_one_call_nothing_can_be_said():
    assert paired_bootstrap(np.array([[1, 2]]), np.array([5]), 100, 0) is None
