from __future__ import annotations

import pytest
import torch

from asr_model.checkpoints import latest_checkpoint, save_checkpoint, write_atomically


def save(folder, step, keep=3):
    return save_checkpoint(folder, step, {"w": torch.full((3,), float(step))}, {"step": step, "best": None}, keep)


def test_the_newest_comes_back_bit_for_bit(tmp_path):
    for step in (1, 2, 30):
        save(tmp_path, step)
    tensors, state, damaged = latest_checkpoint(tmp_path)
    assert (tensors["w"].tolist(), state, damaged) == ([30.0] * 3, {"step": 30, "best": None}, [])


@pytest.mark.parametrize(
    "damage", [lambda data: data[:-1], lambda data: data[:40] + b"?" + data[41:], lambda data: b""]
)
def test_a_damaged_one_is_noticed_and_the_one_before_is_used(tmp_path, damage):
    save(tmp_path, 1)
    newest = save(tmp_path, 2)
    newest.write_bytes(damage(newest.read_bytes()))
    _, state, damaged = latest_checkpoint(tmp_path)
    assert (state["step"], damaged) == (1, [newest])


def test_only_the_last_are_kept(tmp_path):
    for step in range(6):
        save(tmp_path, step, keep=2)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["step-00000004.checkpoint", "step-00000005.checkpoint"]


def test_without_any_there_is_none(tmp_path):
    assert latest_checkpoint(tmp_path / "none") is None


def test_a_file_is_replaced_whole(tmp_path):
    write_atomically(tmp_path / "deep" / "file", b"old")
    write_atomically(tmp_path / "deep" / "file", b"new")
    assert {path.name: path.read_bytes() for path in (tmp_path / "deep").iterdir()} == {"file": b"new"}


@pytest.mark.parametrize("keep", [1, 2])
def test_damaged_newer_ones_never_push_out_a_sound_one(tmp_path, keep):
    for step in (10, 20, 30):
        path = save(tmp_path, step, keep=3)
        if step > 10:
            path.write_bytes(b"damaged")
    save(tmp_path, 11, keep)
    _, state, damaged = latest_checkpoint(tmp_path)
    assert (state["step"], damaged) == (11, [])
    assert len(list(tmp_path.iterdir())) == keep


def test_where_all_are_damaged_there_is_none(tmp_path):
    for step in (1, 2):
        save(tmp_path, step).write_bytes(b"damaged")
    assert latest_checkpoint(tmp_path) is None


def test_a_write_that_fails_leaves_what_was_there(tmp_path, monkeypatch):
    def full(descriptor):
        raise OSError("no space left on device")

    save(tmp_path, 1)
    write_atomically(tmp_path / "file", b"old")
    monkeypatch.setattr("os.fsync", full)
    with pytest.raises(OSError, match="no space"):
        write_atomically(tmp_path / "file", b"new")
    with pytest.raises(OSError, match="no space"):
        save(tmp_path, 2)
    assert (tmp_path / "file").read_bytes() == b"old"
    assert latest_checkpoint(tmp_path)[1]["step"] == 1
