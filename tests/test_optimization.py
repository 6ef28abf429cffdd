from __future__ import annotations

import pytest
import torch
from toy_speech import ALONE, RECOGNIZER, SETTINGS, open_shard, write_shards

from asr_model.batches import read_examples, share_steps
from asr_model.config import SettingsError
from asr_model.networks import ListenAttendSpellSettings, build_network
from asr_model.optimization import Losses, learning_rate_at, take_step
from asr_model.run_state import RunState
from asr_model.spec_augment import SpecAugmentSettings

OFF = SpecAugmentSettings(num_time_masks=0, num_frequency_masks=0, max_tempo_change=0.0, max_vocal_tract_change=0.0)
SETTINGS = SETTINGS.model_copy(update={"spec_augment": OFF})
LONG = "abcabcabcabcabcabcabcabcabcabcabcabcabcabcabcabcabcabc"


def examples(folder, count, texts=None):
    return list(read_examples(write_shards(folder, count, 0, texts)[0], open_shard))


def after_a_step(*batches):
    torch.manual_seed(0)
    network = build_network(RECOGNIZER.network, RECOGNIZER.features.num_features, RECOGNIZER.alphabet.size)
    run = RunState.begin(network, 0.01)
    (step,) = share_steps(batches, RECOGNIZER.alphabet, len(batches), 0, 1)
    figures = take_step(run, Losses(network), step, SETTINGS, 0.5, ALONE)
    return run, figures


def test_several_batches_have_the_gradient_of_one_that_holds_them_all(tmp_path):
    rows = examples(tmp_path, 12)
    one, figures = after_a_step(rows)
    many, gathered = after_a_step(rows[:5], rows[5:6], rows[6:])
    assert gathered.loss == pytest.approx(figures.loss, rel=1e-5)
    assert gathered.gradient_norm == pytest.approx(figures.gradient_norm, rel=1e-4)
    for ours, theirs in zip(many.network.parameters(), one.network.parameters(), strict=True):
        assert torch.allclose(ours.grad, theirs.grad, atol=1e-5)
    assert (many.step, many.epoch_batches, many.frames) == (1, 3, one.frames)


def test_what_is_left_out_changes_nothing(tmp_path):
    rows = examples(tmp_path, 6, texts=["ab", LONG, "ca"])
    with_long, figures = after_a_step(rows)
    without, expected = after_a_step([row for row in rows if row.text != LONG])
    assert (with_long.infeasible, without.infeasible) == (2, 0)
    assert figures.loss == pytest.approx(expected.loss, rel=1e-5)
    assert figures.gradient_norm == pytest.approx(expected.gradient_norm, rel=1e-4)


def test_where_all_is_left_out_nothing_breaks(tmp_path):
    run, figures = after_a_step(examples(tmp_path, 3, texts=[LONG]))
    assert (run.infeasible, figures.loss, figures.gradient_norm) == (3, 0.0, 0.0)


def test_a_loss_that_is_no_number_leaves_the_weights_as_they_were(tmp_path):
    rows = examples(tmp_path, 3)
    torch.manual_seed(0)
    network = build_network(RECOGNIZER.network, RECOGNIZER.features.num_features, RECOGNIZER.alphabet.size)
    with torch.no_grad():
        network.output.bias[0] = torch.nan
    run = RunState.begin(network, 0.01)
    before = {name: weight.clone() for name, weight in run.tensors().items()}
    (step,) = share_steps([rows], RECOGNIZER.alphabet, 1, 0, 1)
    with pytest.raises(FloatingPointError, match="step 1: the loss is nan; lower learning_rate"):
        take_step(run, Losses(network), step, SETTINGS, 0.5, ALONE)
    assert run.step == 0
    assert all(torch.equal(weight.nan_to_num(), before[name].nan_to_num()) for name, weight in run.tensors().items())


def test_the_learning_rate_rises_to_its_top_and_falls_to_nothing():
    rates = [learning_rate_at(done / 100, SETTINGS) for done in range(101)]
    top = rates.index(max(rates))
    assert rates[:top] == sorted(rates[:top])
    assert rates[top:] == sorted(rates[top:], reverse=True)
    assert max(rates) == pytest.approx(SETTINGS.learning_rate, rel=1e-2)
    assert (top, rates[-1]) == (10, pytest.approx(0, abs=1e-9))


def test_bfloat16_learns_much_the_same(tmp_path):
    rows = examples(tmp_path, 6)
    _, exact = after_a_step(rows)
    torch.manual_seed(0)
    network = build_network(RECOGNIZER.network, RECOGNIZER.features.num_features, RECOGNIZER.alphabet.size)
    (step,) = share_steps([rows], RECOGNIZER.alphabet, 1, 0, 1)
    half = SETTINGS.model_copy(update={"precision": "bfloat16"})
    figures = take_step(RunState.begin(network, 0.01), Losses(network), step, half, 0.5, ALONE)
    assert figures.loss == pytest.approx(exact.loss, rel=0.02)
    assert all(weight.dtype == torch.float32 for weight in network.parameters())


def test_consistency_learns_from_two_views_of_each_utterance(tmp_path):
    rows = examples(tmp_path, 6, texts=["ab", LONG, "ca"])
    _, once = after_a_step(rows)
    torch.manual_seed(0)
    network = build_network(RECOGNIZER.network, RECOGNIZER.features.num_features, RECOGNIZER.alphabet.size)
    (step,) = share_steps([rows], RECOGNIZER.alphabet, 1, 0, 1)
    run = RunState.begin(network, 0.01)
    figures = take_step(run, Losses(network, 0.2), step, SETTINGS.model_copy(update={"consistency": 0.2}), 0.5, ALONE)
    # Without augmentation both views are the same, and so is the loss.
    assert figures.loss == pytest.approx(once.loss, rel=1e-5)
    assert figures.gradient_norm == pytest.approx(once.gradient_norm, rel=1e-4)
    assert run.infeasible == 2


def test_consistency_is_refused_where_attention_writes():
    network = build_network(ListenAttendSpellSettings(), RECOGNIZER.features.num_features, RECOGNIZER.alphabet.size)
    with pytest.raises(SettingsError, match=r"consistency: 0\.2, wanted 0 for ListenAttendSpell"):
        Losses(network, 0.2)
