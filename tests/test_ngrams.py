from __future__ import annotations

import gzip
import itertools
import os
import subprocess
import sys

import pytest

from asr_model.language_model import LanguageModel
from asr_model.ngrams import UNKNOWN, train_ngrams

TEXTS = ["enter six two", "rub out six", "enter five", "é à", "six six six", "enter six", "two two one", "six two"]
SINGLETONS = ["a é", "b ab"]


def by_kenlm(lines):
    return LanguageModel(gzip.compress("".join(f"{line}\n" for line in lines).encode()))


@pytest.mark.parametrize("texts", [TEXTS, SINGLETONS, TEXTS * 3], ids=["texts", "singletons", "repeated"])
@pytest.mark.parametrize(("order", "min_count"), [(2, 1), (3, 1), (3, 2), (5, 1)])
def test_after_any_history_the_probabilities_of_all_words_and_the_end_add_up_to_one(texts, order, min_count):
    lines = list(train_ngrams(texts, order, min_count))
    model = by_kenlm(lines)
    unknown = 10 ** next(float(line.split("\t")[0]) for line in lines if f"\t{UNKNOWN}" in line)
    histories = {tuple(text.split()[:end]) for text in texts for end in range(4)} | {("six", "rub"), ("ab", "é")}
    for history in histories:
        state = model.start()
        for word in history:
            state, _ = model.score(state, word)
        scores = [model.score(state, word)[1] for word in model.words] + [model.finish(state)]
        left = 1 - sum(10**score for score in scores)
        assert 0 < left <= unknown + 1e-5  # the unknown word's, at most what it has without any history


@pytest.mark.parametrize("texts", [TEXTS, SINGLETONS], ids=["texts", "singletons"])
def test_what_was_seen_is_likelier_than_what_was_not(texts):
    model = by_kenlm(train_ngrams(texts, 2))
    seen = {pair for text in texts for pair in itertools.pairwise(text.split())}
    for first, second in seen:
        state, _ = model.score(model.start(), first)
        unseen = [w for w in model.words if (first, w) not in seen and w in {b for _, b in seen}]
        score = model.score(state, second)[1]
        assert all(score > model.score(state, word)[1] for word in unseen if word != second)


def test_a_bigram_is_what_the_formula_says():
    lines = list(train_ngrams(["a b", "a b", "a c"], 2))
    table = {line.split("\t")[1]: 10 ** float(line.split("\t")[0]) for line in lines if "\t" in line}
    # Of the contexts (<s> a), (a b), (a c), (b </s>), (c </s>): a has 1, b 1, c 1, the end 2; discounts 0.5 and 1.
    spared = (3 * 0.5 + 1.0) / 5
    assert table["b"] == pytest.approx((1 - 0.5) / 5 + spared / 5, abs=1e-5)
    assert table["</s>"] == pytest.approx((2 - 1) / 5 + spared / 5, abs=1e-5)
    assert table["a b"] == pytest.approx((2 - 1) / 3 + (1 + 0.5) / 3 * table["b"], abs=1e-5)


def test_the_file_is_the_same_whatever_the_order_of_texts_and_the_hash_seed():
    lines = list(train_ngrams(TEXTS, 3))
    assert list(train_ngrams(TEXTS[::-1], 3)) == lines
    code = (
        "import sys\nfrom asr_model.ngrams import train_ngrams\n"
        "sys.stdout.buffer.write('\\n'.join(train_ngrams(sys.argv[1:], 3)).encode())"
    )
    for seed in ("1", "2"):
        environment = {**os.environ, "PYTHONHASHSEED": seed}
        made = subprocess.run([sys.executable, "-c", code, *TEXTS], env=environment, capture_output=True, check=True)
        assert made.stdout.decode().split("\n") == lines


def test_words_seen_less_often_stay_and_their_n_grams_go():
    lines = list(train_ngrams(TEXTS, 3, min_count=2))
    assert {"rub", "é"} <= {line.split("\t")[1] for line in lines if "\t" in line}
    assert not any("rub out" in line for line in lines)
    assert any("six two" in line for line in lines)
