from __future__ import annotations

import pytest
import torch
from toy_speech import RECOGNIZER

from asr_model.fine_tuning import take_over
from asr_model.networks import CnnBiLstmSettings, ListenAttendSpellSettings, build_network
from asr_model.recognizer import Recognizer, RecognizerError, load_recognizer, save_recognizer
from asr_model.text import Alphabet

SMALL = {"listener_size": 4, "attention_size": 4, "embedding_size": 4, "speller_size": 4}
NETWORKS = [RECOGNIZER.network, ListenAttendSpellSettings(**SMALL)]
DEEPER = RECOGNIZER.network.model_copy(update={"lstm_layers": RECOGNIZER.network.lstm_layers + 1})


def fresh(settings, seed=1):
    torch.manual_seed(seed)
    return build_network(settings.network, settings.features.num_features, settings.alphabet.size)


def known(settings) -> Recognizer:
    return load_recognizer(save_recognizer(settings, dict(fresh(settings, 0).named_parameters()), {}), "known")


@pytest.mark.parametrize("network", NETWORKS)
def test_for_the_same_alphabet_all_weights_are_copied(network):
    settings = RECOGNIZER.model_copy(update={"network": network})
    made, initial = fresh(settings), known(settings)
    assert take_over(made, settings, initial) == []
    theirs = dict(initial.network.named_parameters())
    assert all(torch.equal(weight, theirs[name]) for name, weight in made.named_parameters())


@pytest.mark.parametrize("network", NETWORKS)
def test_another_alphabet_keeps_the_rows_of_shared_characters_and_makes_new_ones(network):
    initial = known(RECOGNIZER.model_copy(update={"network": network}))
    settings = RECOGNIZER.model_copy(update={"network": network, "alphabet": Alphabet.of("bcde")})
    made, untouched = fresh(settings), dict(fresh(settings).named_parameters())
    assert take_over(made, settings, initial) == ["d", "e"]
    ours, theirs = dict(made.named_parameters()), dict(initial.network.named_parameters())
    assert set(made.TOKEN_WEIGHTS) <= ours.keys()
    for name, weight in ours.items():
        if name in made.TOKEN_WEIGHTS:
            assert torch.equal(weight[:3], theirs[name][[0, 2, 3]])  # blank, b, c
            assert torch.equal(weight[3:], untouched[name][3:])
        else:
            assert torch.equal(weight, theirs[name])


def test_settings_without_weights_may_differ():
    settings = RECOGNIZER.model_copy(update={"network": RECOGNIZER.network.model_copy(update={"dropout": 0.5})})
    assert take_over(fresh(settings), settings, known(RECOGNIZER)) == []


def test_frames_may_follow_one_another_faster():
    faster = RECOGNIZER.features.model_copy(update={"hop_length": RECOGNIZER.features.hop_length // 2})
    settings = RECOGNIZER.model_copy(update={"features": faster})
    made, initial = fresh(settings), known(RECOGNIZER)
    assert take_over(made, settings, initial) == []
    theirs = dict(initial.network.named_parameters())
    assert all(torch.equal(weight, theirs[name]) for name, weight in made.named_parameters())


def test_a_deeper_network_begins_with_the_layers_that_there_are():
    initial = known(RECOGNIZER)
    settings = RECOGNIZER.model_copy(update={"network": DEEPER})
    made, untouched = fresh(settings), dict(fresh(settings).named_parameters())
    assert take_over(made, settings, initial) == []
    ours, theirs = dict(made.named_parameters()), dict(initial.network.named_parameters())
    assert len(ours) > len(theirs)
    for name, weight in ours.items():
        assert torch.equal(weight, theirs[name] if name in theirs else untouched[name])


def test_a_shallower_network_is_refused():
    initial = known(RECOGNIZER.model_copy(update={"network": DEEPER}))
    with pytest.raises(RecognizerError, match=r"network\.lstm_layers: 2, wanted 1"):
        take_over(fresh(RECOGNIZER), RECOGNIZER, initial)


@pytest.mark.parametrize(
    ("wanted", "message"),
    [
        ({"network": CnnBiLstmSettings(lstm_size=8)}, r"network\.lstm_size: 24, wanted 8"),
        ({"network": NETWORKS[1]}, r"network\.kind: cnn_bilstm, wanted listen_attend_spell"),
        ({"features": RECOGNIZER.features.model_copy(update={"n_mels": 21})}, r"features\.n_mels: 20, wanted 21"),
    ],
)
def test_a_recognizer_of_other_features_or_sizes_is_refused(wanted, message):
    settings = RECOGNIZER.model_copy(update=wanted)
    with pytest.raises(RecognizerError, match=message):
        take_over(fresh(settings), settings, known(RECOGNIZER))
