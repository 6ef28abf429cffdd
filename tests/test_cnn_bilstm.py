from __future__ import annotations

import torch

from asr_model.networks import CnnBiLstmSettings, build_network


def test_the_last_step_depends_on_the_first_frame_and_the_first_on_the_last():
    torch.manual_seed(0)
    network = build_network(CnnBiLstmSettings(), 40, 30).eval()
    features = torch.randn(1, 200, 40, requires_grad=True)
    log_probs, _ = network(features, torch.tensor([200]))
    (first,) = torch.autograd.grad(log_probs[0, 0, 1], features, retain_graph=True)
    (last,) = torch.autograd.grad(log_probs[0, -1, 1], features)
    assert first[0, -1].any()
    assert last[0, 0].any()
