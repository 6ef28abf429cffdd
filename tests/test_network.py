from __future__ import annotations

import itertools

import pytest
import torch

from asr_model.network import CtcNetwork, ctc_loss, steps_needed
from asr_model.text import Alphabet

ALPHABET = Alphabet.of("abc")


@pytest.mark.parametrize("text", ["a", "aa", "ab", "aab", "abab", "ccc"])
def test_a_text_needs_the_steps_of_its_shortest_path(text):
    tokens = torch.tensor([[*ALPHABET.encode(text), 0, 0]])
    shortest = next(
        length
        for length in range(1, 9)
        if any(
            [token for token, _ in itertools.groupby(path) if token] == ALPHABET.encode(text)
            for path in itertools.product(range(4), repeat=length)
        )
    )
    assert steps_needed(tokens, torch.tensor([len(text)])).tolist() == [shortest]


def log_probs(batch, steps):
    return torch.randn(batch, steps, 4, generator=torch.Generator().manual_seed(0)).log_softmax(-1)


def test_the_ctc_loss_is_the_sum_over_all_paths_of_a_text():
    values, tokens = log_probs(1, 4), ALPHABET.encode("aab")
    paths = [
        path
        for path in itertools.product(range(4), repeat=4)
        if [token for token, _ in itertools.groupby(path) if token] == tokens
    ]
    total = torch.stack([values[0, torch.arange(4), list(path)].sum() for path in paths]).logsumexp(0)
    loss = ctc_loss(values, torch.tensor([4]), torch.tensor([tokens]), torch.tensor([3]))
    assert (loss.total.item(), loss.num_tokens.item()) == (pytest.approx(-total.item(), rel=1e-5), 3)


def test_a_text_that_does_not_fit_its_steps_is_left_out_and_counted():
    tokens, num_tokens = torch.tensor([[1, 1, 2], [1, 2, 0]]), torch.tensor([3, 2])
    both = ctc_loss(log_probs(2, 3), torch.tensor([3, 3]), tokens, num_tokens)
    one = ctc_loss(log_probs(2, 3)[1:], torch.tensor([3]), tokens[1:], num_tokens[1:])
    assert (both.total.item(), both.num_tokens.item()) == (pytest.approx(one.total.item()), 2)
    assert (both.infeasible.item(), one.infeasible.item()) == (1, 0)


class Parrot(CtcNetwork):
    """Takes its features for log-probabilities."""

    def forward(self, features, num_frames):
        return features, num_frames


def test_a_ctc_network_is_its_forward_pass():
    values, num_steps = log_probs(2, 5), torch.tensor([5, 3])
    tokens, num_tokens = torch.tensor([[1, 2], [3, 0]]), torch.tensor([2, 1])
    loss = Parrot().loss(values, num_steps, tokens, num_tokens)
    assert loss.total == ctc_loss(values, num_steps, tokens, num_tokens).total
    cab = torch.full((1, 6, 4), -5.0)
    cab[0, torch.arange(6), [3, 3, 0, 1, 2, 1]] = 0.0
    assert [h.text for h in Parrot().decode(cab, torch.tensor([5]), ALPHABET)] == ["cab"]
