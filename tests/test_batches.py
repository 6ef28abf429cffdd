from __future__ import annotations

import itertools
import random
import time
from collections import Counter
from io import BytesIO
from pathlib import Path

import numpy as np
import pyarrow.parquet as pq
import pytest
import torch

from asr_model.batches import (
    BatchSettings,
    ShardError,
    collate,
    length_buckets,
    pad_features,
    prefetched,
    read_examples,
    share_steps,
)
from asr_model.features import to_bytes
from asr_model.records import Example, to_table
from asr_model.text import Alphabet


def example(number, num_frames, text="a b"):
    features = np.full((num_frames, 4), number, np.float32)
    return Example(str(number), "a", 0, "", text, None, 1.0, 8000, "", 1, num_frames, to_bytes(features))


def corpus(count=200):
    draw = random.Random(0)
    return [example(number, draw.randrange(5, 200)) for number in range(count)]


def open_shard(path):
    return BytesIO(Path(path).read_bytes())


def batches(examples, seed=0, **settings):
    return list(length_buckets(examples, BatchSettings(**settings), random.Random(seed)))


@pytest.mark.parametrize("buffer_frames", [1, 3000, 2_000_000])
@pytest.mark.parametrize("batch_frames", [100, 1000, 10_000])
def test_every_example_is_in_one_batch_and_no_batch_is_too_large(batch_frames, buffer_frames):
    made = batches(corpus(), batch_frames=batch_frames, buffer_frames=buffer_frames)
    assert Counter(e.id for batch in made for e in batch) == Counter(e.id for e in corpus())
    for batch in made:
        padded = len(batch) * max(e.num_frames for e in batch)
        assert padded <= batch_frames or len(batch) == 1


def test_little_is_padding():
    made = batches(corpus(2000), batch_frames=2000)
    padded = sum(len(batch) * max(e.num_frames for e in batch) for batch in made)
    assert padded < 1.07 * sum(e.num_frames for batch in made for e in batch)


def test_the_seed_decides_the_order_and_nothing_else_does():
    ids = [[e.id for batch in batches(corpus(), seed, batch_frames=1000) for e in batch] for seed in (0, 0, 1)]
    assert ids[0] == ids[1] != ids[2]


def test_five_shards_hold_what_one_holds(tmp_path):
    rows = corpus(50)
    pq.write_table(to_table(Example, rows, {}), tmp_path / "one", row_group_size=7)
    for number in range(5):
        pq.write_table(to_table(Example, rows[number * 10 : number * 10 + 10], {}), tmp_path / str(number))
    many = list(read_examples([str(tmp_path / str(number)) for number in range(5)], open_shard))
    assert many == list(read_examples([str(tmp_path / "one")], open_shard)) == rows


def test_padding_is_zero_and_lengths_are_kept():
    arrays = [np.ones((n, 4), np.float16) for n in (3, 1, 5)]
    padded, lengths = pad_features(arrays)
    assert (padded.shape, padded.dtype, lengths.tolist()) == ((3, 5, 4), torch.float32, [3, 1, 5])
    assert padded.sum(dim=(1, 2)).tolist() == [12, 4, 20]
    assert padded[1, 1:].abs().sum() == 0


def test_texts_are_normalized_before_they_become_tokens():
    batch = collate([example(0, 5, "B, a!"), example(1, 6, "a")], Alphabet.of(["ab "]))
    assert batch.num_tokens.tolist() == [3, 1]
    assert batch.tokens.tolist() == [[3, 1, 2], [2, 0, 0]]


def test_a_damaged_page_of_a_shard_is_noticed(tmp_path):
    path = tmp_path / "shard"
    pq.write_table(to_table(Example, corpus(20), {}), path, compression="none", write_page_checksum=True)
    data = bytearray(path.read_bytes())
    data[data.index(corpus(20)[7].features) + 3] ^= 1
    path.write_bytes(bytes(data))
    with pytest.raises(ShardError, match=rf"^{path}: cannot be read, featurize it again: .*CRC"):
        list(read_examples([str(path)], open_shard))


@pytest.mark.parametrize("damage", [lambda data: data[: len(data) // 2], lambda data: b"", lambda data: b"PAR1" * 9])
def test_a_shard_cut_short_is_named(tmp_path, damage):
    path = tmp_path / "shard"
    pq.write_table(to_table(Example, corpus(20), {}), path)
    path.write_bytes(damage(path.read_bytes()))
    with pytest.raises(ShardError, match=rf"^{path}: cannot be read, featurize it again"):
        list(read_examples([str(path)], open_shard))


@pytest.mark.parametrize(("per_step", "processes"), [(1, 1), (3, 1), (2, 2), (4, 2), (3, 3)])
def test_processes_share_what_one_process_has(per_step, processes):
    alphabet, made = Alphabet.of(["ab "]), batches(corpus(), batch_frames=1000)
    whole = list(share_steps(made, alphabet, per_step, 0, 1))
    shares = [list(share_steps(made, alphabet, per_step, number, processes)) for number in range(processes)]
    assert sum(step.num_frames for step in whole) == sum(e.num_frames for e in corpus())
    for step, *parts in zip(whole, *shares, strict=True):
        totals = {(part.num_batches, part.num_frames, part.num_tokens) for part in parts}
        assert totals == {(len(step.batches), step.num_frames, step.num_tokens)}
        dealt = [(number, batch.examples) for part in parts if not part.idle for number, batch in part.batches]
        assert sorted(dealt, key=lambda pair: pair[0]) == [(number, batch.examples) for number, batch in step.batches]


def test_a_process_without_a_batch_is_idle_but_takes_the_step():
    (step,) = share_steps([[example(0, 5)]], Alphabet.of(["ab "]), 4, 2, 4)
    assert (step.idle, step.num_batches, [number for number, _ in step.batches]) == (True, 1, [0])


@pytest.mark.parametrize("size", [1, 3, 100])
def test_what_is_fetched_ahead_comes_in_order(size):
    assert list(prefetched(range(20), size)) == list(range(20))


def test_an_error_comes_after_what_was_before_it():
    def items():
        yield 1
        raise ShardError("broken")

    fetched = prefetched(items(), 2)
    assert next(fetched) == 1
    with pytest.raises(ShardError, match="broken"):
        next(fetched)


def test_no_more_is_fetched_than_wanted_and_nothing_after_closing():
    made = []
    fetched = prefetched((made.append(number) for number in itertools.count()), 3)
    next(fetched)
    fetched.close()
    count = len(made)
    assert count <= 6
    time.sleep(0.3)
    assert len(made) == count


def test_a_text_outside_the_alphabet_is_refused():
    with pytest.raises(ValueError, match="'z' in 'az' is outside the alphabet"):
        collate([example(0, 5, "az")], Alphabet.of(["ab"]))
