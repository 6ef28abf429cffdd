from __future__ import annotations

import itertools

import pytest
import torch

from asr_model.alignment import align
from asr_model.config import SettingsError
from asr_model.decoding import Beam, Greedy, OpenBeam, build_decoder, greedy, hypothesis_of, spellable
from asr_model.language_model import LanguageModelSettings, train_language_model
from asr_model.prefix_beam import PrefixBeam
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


WIDE = Beam(beam_size=5000, beam_threshold=1e6, lm_weight=0.7, word_score=0.4)


@pytest.fixture(scope="module")
def model():
    return train_language_model(["a b", "ab a", "b", "b a b", "ab", "ab b"], LanguageModelSettings(order=2))


def random_log_probs(steps, seed):
    return torch.randn(steps, 4, generator=torch.Generator().manual_seed(seed)).log_softmax(-1)


@pytest.mark.parametrize("seed", range(30))
def test_the_beam_finds_the_text_that_the_sum_over_all_paths_prefers(model, seed):
    log_probs = random_log_probs(7, seed)
    reference = PrefixBeam(ALPHABET, 5000, model, WIDE.lm_weight, WIDE.word_score, closed=True)
    (best, score), (_, second), *_ = reference.search(log_probs)
    found = build_decoder(WIDE, ALPHABET, model)(log_probs)
    if score - second > 1e-3:
        assert found.text == best


@pytest.mark.parametrize("seed", range(30))
def test_a_letter_after_a_letter_has_a_score_of_its_own(model, seed):
    log_probs = random_log_probs(7, seed)
    reference = PrefixBeam(ALPHABET, 5000, model, WIDE.lm_weight, WIDE.word_score, closed=True)
    scores = {}
    for text, score in reference.search(log_probs):
        pairs = itertools.pairwise(text.split())
        scores[text] = score + 2.0 * sum(pair in {("a", "b"), ("b", "a")} for pair in pairs)
    best, second = sorted(scores, key=scores.__getitem__, reverse=True)[:2]
    found = build_decoder(WIDE.model_copy(update={"letter_score": 2.0}), ALPHABET, model)(log_probs)
    if scores[best] - scores[second] > 1e-3:
        assert found.text == best


def test_a_letter_score_without_a_weight_of_the_language_model_is_refused(model):
    with pytest.raises(SettingsError, match="letter_score"):
        build_decoder(Beam(letter_score=1.0, lm_weight=0.0), ALPHABET, model)


def test_the_last_word_is_kept_without_anything_after_it(model):
    decode = build_decoder(Beam(), ALPHABET, model)
    assert decode(path_log_probs([2, 0, 1, 3])).text == "a b"
    assert decode(path_log_probs([1, 3, 1, 2, 3])).text == "b ab"


def test_the_beam_writes_only_words_of_the_language_model_and_the_open_beam_others_too(model):
    log_probs = path_log_probs([3, 3, 0, 3, 2], 0.99)
    assert greedy(log_probs, 5, ALPHABET).text == "bba"
    assert set(build_decoder(Beam(), ALPHABET, model)(log_probs).text.split()) <= set(model.words)
    assert build_decoder(OpenBeam(), ALPHABET, model)(log_probs).text == "bba"
    assert build_decoder(OpenBeam(), ALPHABET, None)(log_probs).text == "bba"


def test_hot_words_of_the_open_beam_are_written_where_the_sound_leaves_it_open():
    log_probs = torch.tensor([[0.02, 0.02, 0.9, 0.06], [0.02, 0.02, 0.5, 0.46]]).log()
    assert build_decoder(OpenBeam(), ALPHABET, None)(log_probs).text == "a"
    assert build_decoder(OpenBeam(hot_words=("ab",)), ALPHABET, None)(log_probs).text == "ab"


@pytest.mark.parametrize("kind", [Beam, OpenBeam])
@pytest.mark.parametrize("seed", range(5))
def test_a_part_of_the_priors_is_taken_off_what_is_searched_but_not_off_confidences(model, kind, seed):
    log_probs, priors = random_log_probs(20, seed), (0.7, 0.2, 0.0, 0.1)
    found = build_decoder(kind(prior_weight=0.5), ALPHABET, model, priors)(log_probs)
    lessened = log_probs - 0.5 * torch.tensor([0.7, 0.2, 1e-4, 0.1]).log()
    assert found.text == build_decoder(kind(), ALPHABET, model)(lessened).text
    assert found == hypothesis_of(align(log_probs, ALPHABET.encode(found.text)), ALPHABET)


@pytest.mark.parametrize("kind", [Beam, OpenBeam])
def test_a_weight_of_priors_that_are_not_known_is_refused(model, kind):
    with pytest.raises(SettingsError, match=r"decoder\.prior_weight: this recognizer carries no priors"):
        build_decoder(kind(prior_weight=0.5), ALPHABET, model)


@pytest.mark.parametrize("settings", [Greedy(), Beam(), OpenBeam()], ids=lambda settings: settings.kind)
@pytest.mark.parametrize("seed", range(5))
def test_every_decoder_tells_words_times_and_confidences_of_its_text(model, settings, seed):
    hypothesis = build_decoder(settings, ALPHABET, model)(random_log_probs(25, seed))
    assert " ".join(word.text for word in hypothesis.words) == hypothesis.text
    edges = [edge for word in hypothesis.words for edge in (word.start, word.end)]
    assert edges == sorted(edges)
    assert all(0 <= edge <= 25 for edge in edges)
    assert 0 <= hypothesis.confidence <= 1


@pytest.mark.parametrize("settings", [Greedy(), Beam(), OpenBeam()], ids=lambda settings: settings.kind)
def test_no_steps_and_a_step_too_few_are_no_words(model, settings):
    decode = build_decoder(settings, ALPHABET, model)
    assert decode(torch.zeros(0, 4)).text == ""
    assert decode(path_log_probs([0])).text == ""


def test_a_beam_without_a_language_model_or_without_its_letters_is_refused(model):
    with pytest.raises(SettingsError, match=r"decoder\.kind: beam needs a recognizer that carries a language model"):
        build_decoder(Beam(), ALPHABET, None)
    with pytest.raises(SettingsError, match="beam needs a space"):
        build_decoder(Beam(), Alphabet.of(["ab"]), model)
    with pytest.raises(SettingsError, match="beam needs a space"):
        build_decoder(Beam(), Alphabet.of([" xyz"]), model)


def test_words_of_foreign_letters_are_not_in_the_lexicon():
    foreign = train_language_model(["a é", "b ab"], LanguageModelSettings(order=2))
    assert sorted(spellable(foreign, ALPHABET)) == ["a", "ab", "b"]
    assert build_decoder(Beam(), ALPHABET, foreign)(path_log_probs([2, 0, 1, 3])).text == "a b"
