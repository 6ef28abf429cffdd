from __future__ import annotations

import random
from collections import Counter
from io import BytesIO
from pathlib import Path

import numpy as np
import pyarrow.parquet as pq
import pytest
import torch

from asr_model.batches import BatchSettings, collate, length_buckets, pad_features, read_examples
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
    with pytest.raises(OSError, match="CRC"):
        list(read_examples([str(path)], open_shard))


def test_a_text_outside_the_alphabet_is_refused():
    with pytest.raises(ValueError, match="'z' in 'az' is outside the alphabet"):
        collate([example(0, 5, "az")], Alphabet.of(["ab"]))
