from __future__ import annotations

import gzip
import math

import pytest

from asr_model.language_model import LanguageModel, LanguageModelSettings, measure_perplexity, train_language_model

TEXTS = ["enter six two", "rub out six", "enter five", "é à", "six six six", "", "enter six"]


@pytest.fixture(scope="module")
def model():
    return train_language_model(TEXTS, LanguageModelSettings())


def test_it_knows_the_words_it_was_trained_on_and_no_others(model):
    assert set(model.words) == set(" ".join(TEXTS).split())
    assert model.score(model.start(), "seven")[1] is None


def test_it_comes_back_from_its_bytes_which_are_gzipped_arpa(model):
    assert gzip.decompress(model.data).startswith(b"\\data\\")
    again = LanguageModel(model.data)
    assert again.words == model.words
    assert measure_perplexity(again, TEXTS) == measure_perplexity(model, TEXTS)


def test_a_lowered_one_has_lower_scores_but_for_what_is_spared(model):
    lowered = model.lowered(0.5, lambda ngram: list(ngram[-2:]) == ["enter", "six"])
    assert lowered.words == model.words
    for text, less in (("six", 0.5), ("enter six", 0.5), ("rub out six", 1.5), ("enter six two", 1.0)):
        before, after = (measure_perplexity(one, [text]).log10 for one in (model, lowered))
        assert before - after == pytest.approx(less, abs=1e-4), text


def test_loading_says_nothing(model, capfd):
    LanguageModel(model.data)
    assert capfd.readouterr() == ("", "")


def test_perplexity_is_that_of_the_known_words_and_ends(model):
    found = measure_perplexity(model, ["enter seven", "", "six"])
    assert (found.num_texts, found.num_words, found.num_unknown) == (2, 3, 1)
    start = model.start()
    after_enter, enter = model.score(start, "enter")
    after_seven, _ = model.score(after_enter, "seven")
    after_six, six = model.score(start, "six")
    assert found.log10 == pytest.approx(enter + six + model.finish(after_seven) + model.finish(after_six))
    assert found.value == pytest.approx(math.exp(-found.log10 * math.log(10) / 4))
    assert found.unknown_rate == pytest.approx(1 / 3)


def test_nothing_has_no_perplexity(model):
    found = measure_perplexity(model, [""])
    assert (found.value, found.unknown_rate) == (None, None)


def test_what_it_was_trained_on_surprises_it_less_than_the_same_words_in_other_orders(model):
    shuffled = [" ".join(reversed(text.split())) for text in TEXTS]
    assert measure_perplexity(model, TEXTS).value < measure_perplexity(model, shuffled).value


@pytest.mark.parametrize("changed", [{"min_count": 2}, {"order": 2}])
def test_a_smaller_model_has_fewer_n_grams_and_the_same_words(model, changed):
    smaller = train_language_model(TEXTS, LanguageModelSettings(**changed))
    count = [gzip.decompress(m.data).count(b"\n") for m in (smaller, model)]
    assert count[0] < count[1]
    assert set(smaller.words) == set(model.words)


def test_distinct_texts_count_once_however_often_they_were_said(model):
    often = [*TEXTS, *["enter six two"] * 5]
    assert train_language_model(often, LanguageModelSettings(distinct=True)).data == model.data
    assert train_language_model(often, LanguageModelSettings()).data != model.data


@pytest.mark.parametrize("texts", [[], ["", ""]])
def test_no_words_are_refused(texts):
    with pytest.raises(ValueError, match="no words"):
        train_language_model(texts, LanguageModelSettings())
