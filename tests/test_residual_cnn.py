from __future__ import annotations

import math

import pytest
import torch

from asr_model.config import SettingsError, load_settings
from asr_model.networks import CnnBiLstmSettings, ConformerSettings, build_network

VARIANTS = {
    "default": CnnBiLstmSettings(),
    "one stage": CnnBiLstmSettings(channels=(8,), residual_blocks=2, lstm_size=16, lstm_layers=1),
    "three stages": CnnBiLstmSettings(channels=(4, 8, 8), residual_blocks=0, lstm_size=12, lstm_layers=3),
    "strides": CnnBiLstmSettings(
        channels=(4, 6), time_stride=(3, 1), frequency_stride=(1, 4), kernel_size=5, lstm_size=8, normalization="rms"
    ),
    "conformer": ConformerSettings(),
    "conformer of short reach": ConformerSettings(
        channels=(4,), time_stride=3, size=16, layers=2, heads=2, reach=2, convolution_steps=5, feed_forward=2
    ),
    "nothing optional": CnnBiLstmSettings(
        channels=(4,), time_stride=1, kernel_size=1, residual_blocks=0, lstm_size=8, normalization="none", dropout=0.0
    ),
}


@pytest.fixture(params=VARIANTS)
def settings(request):
    return VARIANTS[request.param]


@pytest.fixture
def network(settings):
    torch.manual_seed(0)
    return build_network(settings, 40, 30).eval()


def utterances(lengths):
    draw = torch.Generator().manual_seed(1)
    return [torch.randn(length, 40, generator=draw) for length in lengths]


def run(network, arrays, filler=0.0):
    padded = torch.full((len(arrays), max(map(len, arrays)) + 3, 40), filler)
    for row, array in zip(padded, arrays, strict=True):
        row[: len(array)] = array
    with torch.inference_mode():
        return network(padded, torch.tensor([len(array) for array in arrays]))


@pytest.mark.parametrize("filler", [0.0, 100.0])
def test_an_utterance_gives_the_same_alone_and_in_any_padded_batch(network, filler):
    arrays = utterances([1, 37, 100, 64, 3])
    together, num_steps = run(network, arrays, filler)
    for array, row, steps in zip(arrays, together, num_steps.tolist(), strict=True):
        alone, (alone_steps,) = run(network, [array])
        assert steps == alone_steps
        assert (row[:steps] - alone[0, :steps]).abs().max() < 1e-5


@pytest.mark.parametrize("length", [1, 2, 3, 4, 5, 8, 9, 100])
def test_the_number_of_steps_is_that_of_the_network(network, settings, length):
    (array,) = utterances([length])
    with torch.inference_mode():
        log_probs, num_steps = network(array[None], torch.tensor([length]))
    strides = math.prod(time for time, _ in settings.strides())
    assert num_steps.item() == log_probs.shape[1] == -(-length // strides)


def test_probabilities_sum_to_one_in_training_and_after(network):
    for mode in (True, False):
        network.train(mode)
        log_probs, _ = network(torch.randn(2, 50, 40), torch.tensor([50, 30]))
        assert torch.allclose(log_probs.exp().sum(-1), torch.ones(log_probs.shape[:2]), atol=1e-5)


def test_every_weight_learns(network):
    log_probs, num_steps = network.train()(torch.randn(3, 60, 40), torch.tensor([60, 50, 41]))
    targets = torch.randint(1, 30, (3, 3))
    torch.nn.functional.ctc_loss(log_probs.transpose(0, 1), targets, num_steps, torch.full((3,), 3)).backward()
    assert [name for name, weight in network.named_parameters() if weight.grad is None or not weight.grad.any()] == []


@pytest.mark.parametrize("name", ["time_stride", "frequency_stride"])
def test_a_list_of_strides_gives_every_stage_its_own(name):
    with pytest.raises(SettingsError, match=rf"{name} \[2\]: wanted one number, or one for each of the 2 stages"):
        load_settings(CnnBiLstmSettings, {name: [2]}, "f")
    with pytest.raises(SettingsError, match=rf"^f: {name}"):
        load_settings(CnnBiLstmSettings, {name: 0}, "f")


def test_settings_of_before_strides_were_settings_mean_what_they_meant():
    before = {"channels": [4, 8], "residual_blocks": 1, "lstm_size": 8, "lstm_layers": 1, "dropout": 0.1}
    assert load_settings(CnnBiLstmSettings, before, "f").strides() == [(2, 2), (2, 2)]
