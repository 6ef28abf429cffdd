from __future__ import annotations

import pytest
import torch

from asr_model.config import SettingsError, load_settings
from asr_model.conformer import rotate, rotations
from asr_model.networks import ConformerSettings, build_network


def test_products_of_rotated_numbers_depend_on_distances_alone():
    draw = torch.Generator().manual_seed(0)
    query, key = torch.randn(2, 8, generator=draw)
    turns = rotations(torch.arange(50), 8)
    queries, keys = (rotate(x.expand(50, 8), turns) for x in (query, key))
    products = queries @ keys.T
    for distance in (-7, 0, 3, 20):
        diagonal = products.diagonal(distance)
        assert torch.allclose(diagonal, diagonal[:1].expand_as(diagonal), atol=1e-4)
    assert products[0, 0].item() == pytest.approx((query @ key).item(), abs=1e-5)
    assert not torch.allclose(products[0], products[0, :1].expand(50), atol=1e-2)


def test_a_block_hears_no_further_than_its_reach():
    torch.manual_seed(0)
    settings = ConformerSettings(
        channels=(2,), time_stride=1, kernel_size=1, residual_blocks=0, size=8, layers=1, heads=2, reach=10,
        convolution_steps=3,
    )  # fmt: skip
    features = torch.randn(1, 60, 6, requires_grad=True)
    log_probs, _ = build_network(settings, 6, 4).eval()(features, torch.tensor([60]))
    (gradient,) = torch.autograd.grad(log_probs[0, 30, 1], features)
    heard = gradient[0].abs().sum(-1).nonzero().flatten().tolist()
    assert (heard[0], heard[-1]) == (30 - 11, 30 + 11)  # the convolution hears one step more to either side


def test_training_s_attention_and_that_of_evaluation_are_the_same():
    torch.manual_seed(0)
    settings = ConformerSettings(channels=(2,), time_stride=1, residual_blocks=0, size=16, layers=2, reach=7, dropout=0)
    network = build_network(settings, 6, 4)
    inputs = torch.randn(3, 50, 6), torch.tensor([50, 20, 1])
    in_training, in_evaluation = (network.train(mode)(*inputs)[0] for mode in (True, False))
    assert (in_training - in_evaluation).abs().max() < 1e-5


@pytest.mark.parametrize(
    ("wrong", "message"),
    [
        ({"size": 100, "heads": 4}, "size 100: wanted a multiple of twice the 4 heads"),
        ({"convolution_steps": 4}, "convolution_steps 4: wanted an odd number"),
        ({"time_stride": [2]}, r"time_stride \[2\]: wanted one number, or one for each of the 2 stages"),
    ],
)
def test_sizes_that_do_not_fit_are_refused(wrong, message):
    with pytest.raises(SettingsError, match=message):
        load_settings(ConformerSettings, wrong, "f")
