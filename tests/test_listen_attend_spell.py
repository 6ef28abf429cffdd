from __future__ import annotations

import itertools

import pytest
import torch

from asr_model.listen_attend_spell import ListenAttendSpellSettings
from asr_model.networks import build_network
from asr_model.text import Alphabet

SMALL = {"listener_size": 12, "attention_size": 10, "embedding_size": 6, "speller_size": 14}
VARIANTS = {
    "pyramid": ListenAttendSpellSettings(**SMALL),
    "without CTC": ListenAttendSpellSettings(**SMALL, pyramid=(2, 3), ctc_weight=0.0, location_width=1),
    "no reduction": ListenAttendSpellSettings(**SMALL, pyramid=(1,), scheduled_sampling=0.0, beam_width=1),
}
ALPHABET = Alphabet.of(["ab "])


@pytest.fixture(params=VARIANTS)
def network(request):
    return made(VARIANTS[request.param])


def made(settings, vocabulary=ALPHABET.size):
    torch.manual_seed(0)
    network = build_network(settings, 5, vocabulary).eval()
    with torch.no_grad():
        for weight in network.parameters():
            weight.mul_(2)  # so that it prefers something
    return network


def batch(lengths, filler=0.0):
    draw = torch.Generator().manual_seed(1)
    arrays = [torch.randn(length, 5, generator=draw) for length in lengths]
    padded = torch.full((len(arrays), max(lengths) + 3, 5), filler)
    for row, array in zip(padded, arrays, strict=True):
        row[: len(array)] = array
    return padded, torch.tensor(lengths)


def alone(features, num_frames):
    return [(row[None, :length], torch.tensor([length])) for row, length in zip(features, num_frames, strict=True)]


@pytest.mark.parametrize("filler", [0.0, 100.0])
def test_an_utterance_is_spelled_the_same_alone_and_in_any_padded_batch(network, filler):
    features, num_frames = batch([1, 17, 40, 33, 8], filler)
    tokens = torch.randint(1, ALPHABET.size, (5, 6))
    with torch.inference_mode():
        heard, num_steps = network.listen(features, num_frames)
        together = network.spell(heard, tokens)
        for row, (array, length) in enumerate(alone(*batch([1, 17, 40, 33, 8]))):
            by_itself, steps = network.listen(array, length)
            assert steps == num_steps[row]
            assert (by_itself.steps[0] - heard.steps[row, :steps]).abs().max() < 1e-5
            assert (network.spell(by_itself, tokens[row : row + 1])[0] - together[row]).abs().max() < 1e-5


def test_it_writes_the_same_alone_and_in_any_padded_batch(network):
    features, num_frames = batch([4, 17, 40, 33, 8], filler=7.0)
    with torch.inference_mode():
        together = network.decode(features, num_frames, ALPHABET)
        for hypothesis, (array, length) in zip(together, alone(features, num_frames), strict=True):
            (by_itself,) = network.decode(array, length, ALPHABET)
            assert by_itself.text == hypothesis.text
            assert by_itself.confidence == pytest.approx(hypothesis.confidence, abs=1e-4)


def test_the_loss_of_a_batch_is_the_sum_of_its_utterances_losses(network):
    features, num_frames = batch([40, 17, 33])
    tokens = torch.tensor([[1, 2, 3, 1], [2, 0, 0, 0], [3, 1, 0, 0]])
    num_tokens = torch.tensor([4, 1, 2])
    together = network.loss(features, num_frames, tokens, num_tokens)
    parts = [
        network.loss(array, length, tokens[row : row + 1, :count], torch.tensor([count]))
        for row, ((array, length), count) in enumerate(
            zip(alone(features, num_frames), num_tokens.tolist(), strict=True)
        )
    ]
    assert together.total.item() == pytest.approx(sum(part.total.item() for part in parts), rel=1e-5)
    assert together.num_tokens == 7
    assert together.infeasible == 0


def test_probabilities_sum_to_one_in_training_and_after(network):
    for mode in (True, False):
        network.train(mode)
        heard, _ = network.listen(*batch([20, 9]))
        log_probs = network.spell(heard, torch.ones(2, 3, dtype=torch.long))
        assert torch.allclose(log_probs.exp().sum(-1), torch.ones(2, 4), atol=1e-5)


def test_every_weight_learns(network):
    loss = network.train().loss(*batch([30, 20]), torch.tensor([[1, 2], [3, 1]]), torch.tensor([2, 2]))
    loss.total.backward()
    assert [name for name, weight in network.named_parameters() if weight.grad is None or not weight.grad.any()] == []


def test_the_attention_is_held_within_the_utterance():
    network = made(VARIANTS["pyramid"])
    heard, num_steps = network.listen(*batch([8, 40]))
    _, state = network._step(torch.tensor([0, 0]), network._start(heard), heard)
    assert num_steps.tolist() == [1, 5]
    assert state.looked[0].tolist() == [1, 0, 0, 0, 0, 0]
    assert state.looked.sum(dim=1).tolist() == pytest.approx([1, 1])


@pytest.mark.parametrize("seed", range(5))
@pytest.mark.parametrize("exponent", [0.0, 1.0])
def test_a_wide_beam_finds_the_best_of_all_texts(seed, exponent):
    settings = ListenAttendSpellSettings(
        **SMALL, pyramid=(4,), ctc_weight=0.0, beam_width=400, length_exponent=exponent
    )
    network = made(settings, vocabulary=3)
    torch.manual_seed(seed)
    with torch.inference_mode():
        heard, _ = network.listen(torch.randn(1, 12, 5), torch.tensor([12]))
        texts = [list(text) for length in range(5) for text in itertools.product((1, 2), repeat=length)]
        scores = {}
        for text in texts:
            log_probs = network.spell(heard, torch.tensor([text], dtype=torch.long))[0]
            scores[tuple(text)] = log_probs[torch.arange(len(text) + 1), [*text, 0]].sum().item()
        found, score = network._search(heard, max_tokens=5)
    best = max(scores, key=lambda text: scores[text] / (len(text) + 1) ** exponent)
    assert (tuple(found), score) == (best, pytest.approx(scores[best], abs=1e-4))


def test_a_text_too_long_for_its_steps_is_left_to_the_speller_and_counted():
    network = made(VARIANTS["pyramid"])
    tokens = torch.tensor([[1, 2, 3, 1]])
    loss = network.loss(*batch([8]), tokens, torch.tensor([4]))
    assert loss.infeasible == 1
    assert torch.isfinite(loss.total)
    without = made(VARIANTS["pyramid"].model_copy(update={"ctc_weight": 0.0}))
    assert without.loss(*batch([8]), tokens, torch.tensor([4])).infeasible == 0


def test_scheduled_sampling_is_of_training_alone():
    settings = VARIANTS["pyramid"].model_copy(update={"scheduled_sampling": 0.9, "dropout": 0.0})
    network = made(settings)
    features, tokens = batch([40]), torch.tensor([[1, 2, 3, 1, 2]])

    def spelled(seed):
        torch.manual_seed(seed)
        return network.spell(network.listen(*features)[0], tokens)

    assert torch.equal(spelled(0), spelled(1))
    network.train()
    assert not torch.equal(spelled(0), spelled(1))
    assert torch.equal(spelled(2), spelled(2))


def test_in_bfloat16_the_loss_is_much_the_same():
    network = made(VARIANTS["pyramid"])
    inputs = (*batch([40, 17]), torch.tensor([[1, 2], [3, 1]]), torch.tensor([2, 2]))
    with torch.autocast("cpu", torch.bfloat16):
        half = network.loss(*inputs)
    assert half.total.item() == pytest.approx(network.loss(*inputs).total.item(), rel=0.05)
    half.total.backward()
