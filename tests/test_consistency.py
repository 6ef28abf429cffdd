import pytest
import torch
from toy_speech import NETWORK, RECOGNIZER

from asr_model.consistency import consistent_loss
from asr_model.network import CtcNetwork
from asr_model.networks import build_network


class Heard(CtcNetwork):
    """A network whose log-probabilities are its features."""

    def forward(self, features, num_frames):
        return features, num_frames


TOKENS, NUM_TOKENS = torch.tensor([[1, 2], [3, 0]]), torch.tensor([2, 1])
STEPS = torch.tensor([5, 3])


def views(seed, steps=5):
    return torch.randn(2, steps, 4, generator=torch.Generator().manual_seed(seed)).log_softmax(-1)


def consistent(one, other, weight, steps=STEPS):
    return consistent_loss(Heard(), torch.cat([one, other]), steps.repeat(2), TOKENS, NUM_TOKENS, weight)


def test_equal_views_have_the_loss_of_one():
    one = views(0)
    alone = Heard().loss(one, STEPS, TOKENS, NUM_TOKENS)
    both = consistent(one, one.clone(), 0.7)
    assert float(both.total) == pytest.approx(float(alone.total), rel=1e-6)
    assert (both.num_tokens, both.infeasible) == (alone.num_tokens, alone.infeasible)
    assert (both.num_tokens, both.infeasible) == (3, 0)


def test_the_distance_is_the_mean_of_both_divergences_over_valid_steps():
    one, other = views(0), views(1)
    distance = consistent(one, other, 1.0).total - consistent(one, other, 0.0).total
    wanted = 0.0
    for utterance, length in enumerate(STEPS.tolist()):
        for p, q in zip(one[utterance, :length].exp(), other[utterance, :length].exp(), strict=True):
            wanted += float(((p - q) * (p / q).log()).sum()) / 2
    assert float(distance) == pytest.approx(wanted, rel=1e-5)


def test_padding_and_infeasible_utterances_keep_no_distance():
    one, other = views(0), views(1)
    changed = other.clone()
    changed[1, 3:] = views(2)[1, 3:]
    assert float(consistent(one, changed, 1.0).total) == pytest.approx(float(consistent(one, other, 1.0).total))
    short = torch.tensor([1, 3])  # two tokens have no room in one step
    left = consistent(one, other, 1.0, short)
    assert (left.num_tokens, left.infeasible) == (1, 1)
    changed[0] = views(2)[0]
    assert float(consistent(one, changed, 1.0, short).total) == pytest.approx(float(left.total))


def test_what_it_teaches_is_the_difference_between_the_views():
    one, other = views(0).requires_grad_(), views(1).requires_grad_()
    (consistent(one, other, 1.0).total - consistent(one, other, 0.0).total).backward()
    # Each view learns the other's probabilities, held fixed.
    mask = (torch.arange(5) < STEPS[:, None])[:, :, None]
    torch.testing.assert_close(one.grad, -other.detach().exp() * mask / 2)
    torch.testing.assert_close(other.grad, -one.detach().exp() * mask / 2)


def test_a_network_learns_to_hear_two_views_alike():
    torch.manual_seed(0)
    network = build_network(NETWORK, RECOGNIZER.features.num_features, RECOGNIZER.alphabet.size)
    features = torch.randn(4, 40, RECOGNIZER.features.num_features)
    frames = torch.tensor([40, 30, 40, 30])
    optimizer = torch.optim.AdamW(network.parameters(), 1e-2)

    def distance():
        return consistent_loss(network, features, frames, TOKENS, NUM_TOKENS, 1.0).total - (
            consistent_loss(network, features, frames, TOKENS, NUM_TOKENS, 0.0).total
        )

    before = distance().item()
    for _ in range(20):
        optimizer.zero_grad()
        distance().backward()
        optimizer.step()
    assert distance().item() < 0.5 * before
