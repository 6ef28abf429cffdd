from __future__ import annotations

import pytest
from toy_speech import ALONE, RECOGNIZER, open_shard, write_shards

from asr_model.batches import BatchSettings
from asr_model.decoding import Hypothesis
from asr_model.network import Network
from asr_model.scoring import ErrorCounts
from asr_model.validation import validate


class AlwaysA(Network):
    """Hears an a in everything."""

    def decode(self, features, num_frames, alphabet):
        return [Hypothesis("a", 1.0)] * len(features)


def made(shards, before_batch=lambda: None, **batches):
    return validate(AlwaysA(), RECOGNIZER.alphabet, shards, open_shard, BatchSettings(**batches), ALONE, before_batch)


def test_errors_are_counted_over_all_utterances_whatever_the_batches(tmp_path):
    shards, _ = write_shards(tmp_path, 12, 0, texts=["a", "b", "ab"])
    one, many = made(shards), made(shards, batch_frames=100)
    assert one == many
    assert one.words == {"": ErrorCounts(hits=4, substitutions=8)}
    assert one.wer == pytest.approx(8 / 12)
    assert one.cer == pytest.approx(8 / 16)
    assert {(sample.text, sample.pred_text) for sample in one.samples} == {("a", "a"), ("b", "a"), ("ab", "a")}


def test_it_can_be_stopped_between_batches(tmp_path):
    shards, _ = write_shards(tmp_path, 6, 0)

    def stop():
        raise RuntimeError("stopped")

    with pytest.raises(RuntimeError, match="stopped"):
        made(shards, stop)
