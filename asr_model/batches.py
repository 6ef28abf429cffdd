"""Shards → length-bucketed, padded batches, in an order that follows from seed and epoch alone.

Shapes: B batch, T frames, F features, U tokens.
"""

from __future__ import annotations

import random
from collections.abc import Generator, Iterable, Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass
from itertools import islice
from queue import Full, Queue
from threading import Event, Thread
from typing import Any, BinaryIO, Protocol, TypeVar

import numpy as np
import pyarrow as pa
import torch
from numpy.typing import NDArray
from pydantic import Field
from torch import Tensor

from asr_model.config import Settings
from asr_model.features import DType, from_bytes
from asr_model.records import Example, from_table, row_groups
from asr_model.text import Alphabet, normalize_text

__all__ = [
    "Batch",
    "BatchSettings",
    "OpenShard",
    "ShardError",
    "Step",
    "collate",
    "length_buckets",
    "pad_features",
    "prefetched",
    "read_examples",
    "share_steps",
]

T = TypeVar("T")


class ShardError(OSError):
    """A shard cannot be read: cut short, changed, or no Parquet file."""


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


@dataclass(frozen=True)
class Step:
    """What one step of training learns from: this process's own ``batches`` by number, and totals over all processes.

    A process without a batch of its own is given the first one, and ``idle`` says that it does not count.
    """

    batches: list[tuple[int, Batch]]
    idle: bool
    num_batches: int
    num_frames: int
    num_tokens: int


def read_examples(paths: Sequence[str], open_shard: OpenShard) -> Iterator[Example]:
    """Yield the rows of shards in order, holding one row group in memory.

    Raises:
        ShardError: a shard cannot be read; the message names it.
    """
    for path in paths:
        for table in _row_groups(path, open_shard):
            yield from from_table(Example, table)


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


def share_steps(
    batches: Iterable[list[Example]],
    alphabet: Alphabet,
    batches_per_step: int,
    process: int = 0,
    num_processes: int = 1,
    dtype: DType = "float16",
) -> Iterator[Step]:
    """Yield steps of ``batches_per_step`` batches each, dealt out to processes in turn; the last one may have fewer."""
    remaining = iter(batches)
    while group := list(islice(remaining, batches_per_step)):
        own = list(range(process, len(group), num_processes))
        made = [(number, collate(group[number], alphabet, dtype)) for number in own or [0]]
        others = [e for number, examples in enumerate(group) if number not in own for e in examples]
        num_tokens = sum(int(batch.num_tokens.sum()) for _, batch in made if own)
        num_tokens += sum(len(alphabet.encode(normalize_text(e.text))) for e in others)
        yield Step(made, not own, len(group), sum(e.num_frames for examples in group for e in examples), num_tokens)


def prefetched(items: Iterable[T], size: int) -> Generator[T]:
    """Yield ``items``, the next ``size`` of which a thread makes meanwhile; what it raises is raised here."""
    waiting: Queue[tuple[bool, Any]] = Queue(size)
    wanted = Event()
    wanted.set()

    def put(item: tuple[bool, Any]) -> None:
        while wanted.is_set():
            with suppress(Full):
                waiting.put(item, timeout=0.1)
                return

    def fill() -> None:
        try:
            for item in items:
                put((True, item))
                if not wanted.is_set():
                    return
            put((False, None))
        except BaseException as error:
            put((False, error))

    thread = Thread(target=fill, daemon=True)
    thread.start()
    try:
        while True:
            more, item = waiting.get()
            if more:
                yield item
            elif item is not None:
                raise item
            else:
                return
    finally:
        wanted.clear()
        thread.join()


def pad_features(arrays: Sequence[NDArray[np.floating]]) -> tuple[Tensor, Tensor]:
    """Return (T, F) arrays as one zero-padded float32 tensor (B, T, F) and their lengths (B,)."""
    padded = np.zeros((len(arrays), max(len(a) for a in arrays), arrays[0].shape[1]), np.float32)
    for row, array in zip(padded, arrays, strict=True):
        row[: len(array)] = array
    return torch.from_numpy(padded), torch.tensor([len(a) for a in arrays])


def _row_groups(path: str, open_shard: OpenShard) -> Iterator[pa.Table]:
    try:
        with open_shard(path) as file:
            yield from row_groups(file)
    except (OSError, pa.ArrowException) as error:
        raise ShardError(f"{path}: cannot be read, featurize it again: {error}") from error


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
