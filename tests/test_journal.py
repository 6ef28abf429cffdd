from __future__ import annotations

import json
from io import BytesIO

from PIL import Image
from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

from asr_model.journal import Journal, draw_curves
from asr_model.validation import Sample

TRAIN = [{"step": step, "epoch": 0, "loss": 3.0 / step, "gradient_norm": 1.0, "learning_rate": 1e-3} for step in (1, 2)]
DEV = {"step": 2, "epoch": 1, "dev_wer": 0.5, "dev_cer": 0.25, "dev_wer_by_corpus": {"a": 0.5}}


def test_everything_is_in_metrics_and_in_tensorboard(tmp_path):
    journal = Journal(tmp_path, 0, 0)
    for entry in TRAIN:
        journal.log(entry, audio_seconds_per_second=70.0)
    journal.log(DEV)
    journal.show([Sample("an-id", "a text", "a tezt")], 2)
    journal.close()
    lines = (tmp_path / "metrics.jsonl").read_text().splitlines()
    assert [json.loads(line) for line in lines] == [*TRAIN, DEV]  # nothing that depends on the clock
    board = EventAccumulator(str(tmp_path / "tensorboard")).Reload()
    assert [event.step for event in board.Scalars("train/loss")] == [1, 2]
    assert board.Scalars("train/audio_seconds_per_second")[0].value == 70.0
    assert board.Scalars("dev/wer")[0].value == 0.5
    assert set(board.Tags()["scalars"]) >= {"train/gradient_norm", "train/learning_rate", "dev/cer"}
    (text,) = board.Tensors("dev/samples/text_summary")
    assert b"| an-id | a text | a tezt |" in text.tensor_proto.string_val[0]


def test_what_comes_again_is_dropped_and_a_line_cut_short_too(tmp_path):
    journal = Journal(tmp_path, 0, 0)
    for entry in [*TRAIN, DEV]:
        journal.log(entry)
    with open(tmp_path / "metrics.jsonl", "a") as file:
        file.write('{"step": 3')
    Journal(tmp_path, 2, 0)
    assert [json.loads(line) for line in (tmp_path / "metrics.jsonl").read_text().splitlines()] == TRAIN


def test_a_journal_without_entries_leaves_no_events(tmp_path):
    Journal(tmp_path, 0, 0).close()
    assert not (tmp_path / "tensorboard").exists()
    assert (tmp_path / "training.png").exists()


def test_what_is_flushed_is_there_for_tensorboard_while_the_run_goes_on(tmp_path):
    journal = Journal(tmp_path, 0, 0)
    journal.flush()
    journal.log(TRAIN[0])
    journal.flush()
    board = EventAccumulator(str(tmp_path / "tensorboard")).Reload()
    assert [event.step for event in board.Scalars("train/loss")] == [1]


def test_the_curves_are_a_picture_and_the_same_for_the_same_entries():
    first, again, other = draw_curves([*TRAIN, DEV]), draw_curves([*TRAIN, DEV]), draw_curves(TRAIN)
    assert first == again != other
    assert Image.open(BytesIO(first)).size == (1100, 700)
