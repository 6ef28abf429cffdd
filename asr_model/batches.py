"""Shards → length-bucketed, padded batches, in an order that follows from seed and epoch alone.

Shapes: B batch, T frames, F features, U tokens.
"""

from __future__ import annotations

import random
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import BinaryIO, Protocol

import numpy as np
import pyarrow.parquet as pq
import torch
from numpy.typing import NDArray
from pydantic import Field
from torch import Tensor

from asr_model.config import Settings
from asr_model.features import DType, from_bytes
from asr_model.records import Example, from_table
from asr_model.text import Alphabet, normalize_text

__all__ = ["Batch", "BatchSettings", "OpenShard", "collate", "length_buckets", "pad_features", "read_examples"]


class OpenShard(Protocol):
    """Opens a shard, local or remote, for reading."""

    def __call__(self, path: str) -> BinaryIO: ...  # noqa: D102


class BatchSettings(Settings):
    """How utterances come together in a batch."""

    batch_frames: int = Field(default=12000, ge=1)
    """Frames of a batch, padding included."""
    buffer_frames: int = Field(default=2_000_000, ge=1)
    """Frames that are held in memory to be shuffled and sorted by length (160 bytes each for 80 bands)."""


@dataclass(frozen=True)
class Batch:
    """Padded ``features`` (B, T, F) float32 with ``num_frames`` (B,), ``tokens`` (B, U) with ``num_tokens`` (B,)."""

    features: Tensor
    num_frames: Tensor
    tokens: Tensor
    num_tokens: Tensor
    examples: list[Example]


def read_examples(paths: Sequence[str], open_shard: OpenShard) -> Iterator[Example]:
    """Yield the rows of shards in order, holding one row group in memory."""
    for path in paths:
        with open_shard(path) as file, pq.ParquetFile(file, page_checksum_verification=True) as shard:
            for group in range(shard.num_row_groups):
                yield from from_table(Example, shard.read_row_group(group))


def length_buckets(
    examples: Iterable[Example], settings: BatchSettings, order: random.Random
) -> Iterator[list[Example]]:
    """Yield batches of examples of like length: a buffer is filled, shuffled, sorted, cut, and its batches shuffled."""
    buffer: list[Example] = []
    num_frames = 0
    for example in examples:
        buffer.append(example)
        num_frames += example.num_frames
        if num_frames >= settings.buffer_frames:
            yield from _cut(buffer, settings.batch_frames, order)
            buffer, num_frames = [], 0
    yield from _cut(buffer, settings.batch_frames, order)


def collate(examples: list[Example], alphabet: Alphabet, dtype: DType = "float16") -> Batch:
    """Return the padded batch of ``examples``, whose features are of ``dtype``, their texts normalized and encoded."""
    features, num_frames = pad_features([from_bytes(e.features, e.num_frames, dtype) for e in examples])
    tokens = [torch.tensor(alphabet.encode(normalize_text(e.text)), dtype=torch.long) for e in examples]
    return Batch(
        features,
        num_frames,
        torch.nn.utils.rnn.pad_sequence(tokens, batch_first=True),
        torch.tensor([len(t) for t in tokens]),
        examples,
    )


def pad_features(arrays: Sequence[NDArray[np.floating]]) -> tuple[Tensor, Tensor]:
    """Return (T, F) arrays as one zero-padded float32 tensor (B, T, F) and their lengths (B,)."""
    padded = np.zeros((len(arrays), max(len(a) for a in arrays), arrays[0].shape[1]), np.float32)
    for row, array in zip(padded, arrays, strict=True):
        row[: len(array)] = array
    return torch.from_numpy(padded), torch.tensor([len(a) for a in arrays])


def _cut(buffer: list[Example], batch_frames: int, order: random.Random) -> list[list[Example]]:
    order.shuffle(buffer)  # so that utterances of one length meet different company in every epoch
    buffer.sort(key=lambda example: example.num_frames)
    batches: list[list[Example]] = []
    for example in buffer:
        # Ascending lengths: the newest is the longest, and all are padded to it.
        if batches and (len(batches[-1]) + 1) * example.num_frames <= batch_frames:
            batches[-1].append(example)
        else:
            batches.append([example])
    order.shuffle(batches)
    return batches
