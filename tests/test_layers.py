from __future__ import annotations

import pytest
import torch

from asr_model.layers import BiLstm, Dropout, length_mask, normalization


def test_a_bilstm_layer_is_torch_s_own_on_packed_sequences():
    torch.manual_seed(0)
    layer = BiLstm(6, 5, dropout=0.0)
    whole = torch.nn.LSTM(6, 5, batch_first=True, bidirectional=True)
    weights = dict(layer.forwards.named_parameters())
    weights |= {f"{name}_reverse": weight for name, weight in layer.backwards.named_parameters()}
    whole.load_state_dict(weights)
    x, lengths = torch.randn(4, 9, 6), torch.tensor([3, 9, 1, 6])
    packed = torch.nn.utils.rnn.pack_padded_sequence(layer.norm(x), lengths, batch_first=True, enforce_sorted=False)
    expected, _ = torch.nn.utils.rnn.pad_packed_sequence(whole(packed)[0], batch_first=True)
    valid = torch.arange(9) < lengths[:, None]
    assert (layer(x, lengths) - expected)[valid].abs().max() < 1e-6


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
def test_dropout_zeroes_its_share_and_keeps_the_mean(dtype):
    torch.manual_seed(0)
    x = torch.ones(301, 333, dtype=dtype, requires_grad=True)
    y = Dropout(0.25)(x)
    assert y.dtype == dtype
    assert set(y.unique().tolist()) == {0.0, torch.tensor(4 / 3, dtype=dtype).item()}
    assert (y == 0).float().mean().item() == pytest.approx(0.25, abs=0.005)
    assert (y == 0).float().mean(dim=0).std() < 0.035  # no column more than others: 0.025 by chance
    y.sum().backward()
    assert torch.equal(x.grad, y)


def test_dropout_leaves_everything_outside_of_training_and_at_no_share():
    x = torch.randn(3, 7, generator=torch.Generator().manual_seed(0))
    assert torch.equal(Dropout(0.5).eval()(x), x)
    assert torch.equal(Dropout(0.0)(x), x)


def test_a_mask_is_one_within_the_lengths():
    assert length_mask(torch.tensor([0, 2, 3]), 3).tolist() == [[0, 0, 0], [1, 1, 0], [1, 1, 1]]


@pytest.mark.parametrize("name", ["layer", "rms", "none"])
def test_normalization_looks_at_one_step_alone(name):
    x = torch.randn(3, 5, 8, generator=torch.Generator().manual_seed(0))
    norm = normalization(name, 8)
    assert torch.allclose(norm(x)[1, 2], norm(x[1, 2]), atol=1e-6)
    if name != "none":
        assert torch.allclose(norm(x).square().mean(-1), torch.ones(3, 5), atol=1e-2)
