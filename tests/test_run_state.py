from __future__ import annotations

import pytest
import torch

from asr_model.checkpoints import CheckpointError
from asr_model.networks import CnnBiLstmSettings, build_network
from asr_model.run_state import RunState


def begun(seed=0):
    torch.manual_seed(seed)
    return RunState.begin(build_network(CnnBiLstmSettings(channels=(2,), lstm_size=3, lstm_layers=1), 8, 4), 0.01)


def learned(steps=2):
    run = begun()
    for step in range(steps):
        for weight in run.network.parameters():
            weight.grad = torch.full_like(weight, 0.1 * step + 1)
        run.optimizer.step()
        run.step += 1
    run.average[0].add_(1)
    run.epoch, run.frames, run.best_wer = 3, 12345, 0.25
    return run


def test_what_was_saved_comes_back_bit_for_bit(tmp_path):
    run, other = learned(), begun(seed=1)
    run.save(tmp_path, keep=2)
    other.resume(tmp_path)
    assert {name: getattr(other, name) for name in RunState.COUNTERS} == {
        name: getattr(run, name) for name in RunState.COUNTERS
    }
    tensors, restored = run.tensors(), other.tensors()
    assert tensors.keys() == restored.keys()
    assert all(torch.equal(tensors[name], restored[name]) for name in tensors)
    assert torch.equal(other.averaged()[next(iter(other.averaged()))], run.average[0])


def test_without_a_checkpoint_a_run_begins(tmp_path):
    run = begun()
    run.resume(tmp_path / "none")
    assert run.step == 0


def test_a_damaged_checkpoint_is_passed_over_and_named(tmp_path, caplog):
    learned(1).save(tmp_path, keep=3)
    learned(2).save(tmp_path, keep=3)
    newest = tmp_path / "step-00000002.checkpoint"
    newest.write_bytes(newest.read_bytes()[:-5])
    run = begun()
    run.resume(tmp_path)
    assert run.step == 1
    assert f"{newest}: damaged, the run goes on from step 1" in caplog.text


def test_where_every_checkpoint_is_damaged_the_run_does_not_begin_anew_in_silence(tmp_path):
    learned(1).save(tmp_path, keep=3)
    (tmp_path / "step-00000001.checkpoint").write_bytes(b"")
    with pytest.raises(CheckpointError, match="every checkpoint is damaged; pass --overwrite"):
        begun().resume(tmp_path)


def test_the_best_stays_when_the_last_ones_are_kept_and_serves_when_they_are_damaged(tmp_path):
    for steps in (1, 2, 3):
        learned(steps).save(tmp_path, keep=1, is_best=steps == 2)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["best.checkpoint", "step-00000003.checkpoint"]
    (tmp_path / "step-00000003.checkpoint").write_bytes(b"damaged")
    run = begun()
    run.resume(tmp_path)
    assert run.step == 2
