from __future__ import annotations

import pytest
import torch

from asr_model.config import SettingsError
from asr_model.decoding import Beam, Greedy, OpenBeam
from asr_model.language_model import LanguageModelSettings, train_language_model
from asr_model.recognizer import change_recognizer, load_recognizer
from asr_model.scoring import ErrorCounts, word_errors
from asr_model.tuning import Tried, TuneSettings, best_of, calibrate, measure_token_priors, try_decoders

TEXTS = ["ab c", "c ab", "ab", "ab c ab"]
ALL_ONE = [""] * len(TEXTS)
SETTINGS = TuneSettings(lm_weights=(1.0, 0.5), word_scores=(0.0,), prior_weights=(0.0,))


@pytest.fixture(scope="module")
def recognizer(recognizer_folder):
    data = (recognizer_folder / "recognizer.safetensors").read_bytes()
    model = train_language_model(TEXTS, LanguageModelSettings(order=2))
    return load_recognizer(change_recognizer(data, "file", Greedy(), model, {}), "file")


def doubtful(text, alphabet):
    """Return log-probabilities that write ``text`` with its b heard as an a, by a little."""
    tokens = [token for letter in alphabet.encode(text) for token in (letter, 0)]
    probs = torch.full((len(tokens), alphabet.size), 0.01)
    probs[range(len(tokens)), tokens] = 0.9
    a, b = alphabet.encode("ab")
    for step, token in enumerate(tokens):
        if token == b:
            probs[step, a], probs[step, b] = 0.5, 0.4
    return (probs / probs.sum(dim=1, keepdim=True)).log()


def test_every_decoder_is_tried_and_the_one_of_fewest_errors_is_best(recognizer):
    log_probs = [doubtful(text, recognizer.settings.alphabet) for text in TEXTS]
    tried = try_decoders(recognizer, log_probs, TEXTS, ALL_ONE, SETTINGS)
    assert [one.decoder for one in tried] == [Greedy(), *(Beam(lm_weight=w, word_score=0.0) for w in (0.5, 1.0))]
    assert tried[0].errors == {"": word_errors(TEXTS, [text.replace("b", "a") for text in TEXTS])}
    best = best_of(tried)
    assert best.decoder == Beam(lm_weight=0.5, word_score=0.0)
    assert best.wer == 0


def test_letter_scores_are_tried_each(recognizer):
    settings = SETTINGS.model_copy(update={"letter_scores": (2.0, 0.0)})
    tried = try_decoders(recognizer, [doubtful("ab c", recognizer.settings.alphabet)], ["ab c"], [""], settings)
    assert [(one.decoder.lm_weight, one.decoder.letter_score) for one in tried[1:]] == [
        *((0.5, 0.0), (0.5, 2.0), (1.0, 0.0), (1.0, 2.0)),
    ]


def test_groups_count_alike_however_many_words_they_have(recognizer):
    log_probs = [doubtful(text, recognizer.settings.alphabet) for text in TEXTS]
    greedy = try_decoders(recognizer, log_probs, TEXTS, ["one", "one", "one", "two"], SETTINGS)[0]
    assert {group: counts.rate for group, counts in greedy.errors.items()} == {"one": 3 / 5, "two": 2 / 3}
    assert greedy.wer == pytest.approx((3 / 5 + 2 / 3) / 2)
    many, few = ErrorCounts(hits=90, substitutions=10), ErrorCounts(hits=1, substitutions=1)
    better = Tried(Beam(), [], {"many": ErrorCounts(hits=80, substitutions=20), "few": ErrorCounts(hits=2)})
    assert best_of([Tried(Greedy(), [], {"many": many, "few": few}), better]) is better


def test_the_open_beam_is_tuned_alike(recognizer):
    settings = SETTINGS.model_copy(update={"kind": "open_beam", "unknown_score": -2.0})
    tried = try_decoders(recognizer, [doubtful("ab c", recognizer.settings.alphabet)], ["ab c"], [""], settings)
    assert tried[1].decoder == OpenBeam(beam_size=32, lm_weight=0.5, word_score=0.0, unknown_score=-2.0)
    assert len(tried) == 3


def test_calibrated_words_are_as_sure_as_they_are_right(recognizer):
    alphabet = recognizer.settings.alphabet
    texts = TEXTS * 50
    tried = try_decoders(recognizer, [doubtful(text, alphabet) for text in texts], texts, [""] * 200, SETTINGS)[0]
    calibration = calibrate(tried.hypotheses, texts)
    words = [word for hypothesis in tried.hypotheses for word in hypothesis.words]
    # Every "ab" is heard as "aa", with less confidence than the "c" that is right.
    assert {word.text for word in words} == {"aa", "c"}
    for word in words:
        assert calibration(word.confidence) == pytest.approx(float(word.text == "c"), abs=0.1)


def test_priors_are_the_mean_probabilities_of_all_steps():
    probs = torch.tensor([[0.5, 0.25, 0.25], [0.8, 0.1, 0.1], [0.2, 0.7, 0.1]])
    assert measure_token_priors([probs[:1].log(), probs[1:].log()]) == pytest.approx((0.5, 0.35, 0.15))


def test_of_equals_the_simplest_is_best():
    tried = [Tried(decoder, [], {"": ErrorCounts(hits=1, insertions=1)}) for decoder in (Greedy(), Beam())]
    assert best_of(tried).decoder == Greedy()


def test_without_a_language_model_there_is_nothing_to_tune(recognizer_folder):
    plain = load_recognizer((recognizer_folder / "recognizer.safetensors").read_bytes(), "file")
    with pytest.raises(SettingsError, match="carries a language model"):
        try_decoders(plain, [], [], [], SETTINGS)
