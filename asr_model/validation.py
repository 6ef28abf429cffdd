"""How well a network does on utterances that it was not trained on."""

from __future__ import annotations

import random
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import torch

from asr_model.batches import BatchSettings, OpenShard, length_buckets, pad_features, read_examples
from asr_model.features import DType, from_bytes
from asr_model.network import Network
from asr_model.processes import Processes
from asr_model.scoring import ErrorCounts, character_errors, texts_by_group, word_errors
from asr_model.text import Alphabet, normalize_text

__all__ = ["Sample", "Validation", "validate"]

NUM_SAMPLES = 8


@dataclass(frozen=True)
class Sample:
    """An utterance, its text as it is compared, and what was recognized."""

    id: str
    text: str
    pred_text: str


@dataclass(frozen=True)
class Validation:
    """Errors by the rows' ``corpus`` column ("" without one), and samples, always of the same utterances."""

    words: dict[str, ErrorCounts]
    characters: dict[str, ErrorCounts]
    samples: list[Sample]

    @property
    def wer(self) -> float | None:
        """Word error rate of all utterances; None without words."""
        return sum(self.words.values(), ErrorCounts()).rate

    @property
    def cer(self) -> float | None:
        """Character error rate of all utterances."""
        return sum(self.characters.values(), ErrorCounts()).rate


@torch.inference_mode()
def validate(
    network: Network,
    alphabet: Alphabet,
    shards: Sequence[str],
    open_shard: OpenShard,
    batches: BatchSettings,
    processes: Processes,
    before_batch: Callable[[], None],
    dtype: DType = "float16",
) -> Validation:
    """Decode shards, the batches dealt out to processes, and score the texts; ``before_batch`` may raise to stop."""
    network.eval()
    found: list[tuple[str, Sample]] = []
    for number, examples in enumerate(length_buckets(read_examples(shards, open_shard), batches, random.Random(0))):
        before_batch()
        if number % processes.count != processes.number:
            continue
        features, num_frames = pad_features([from_bytes(e.features, e.num_frames, dtype) for e in examples])
        written = network.decode(features.to(processes.device), num_frames.to(processes.device), alphabet)
        for example, hypothesis in zip(examples, written, strict=True):
            sample = Sample(example.id, normalize_text(example.text), hypothesis.text)
            found.append((str(example.extra.get("corpus", "")), sample))
    everywhere = [pair for part in processes.gather(found) for pair in part]
    corpora, samples = [corpus for corpus, _ in everywhere], [sample for _, sample in everywhere]
    texts = texts_by_group(corpora, [s.text for s in samples], [s.pred_text for s in samples])
    return Validation(
        {name: word_errors(*both) for name, both in texts.items()},
        {name: character_errors(*both) for name, both in texts.items()},
        sorted(samples, key=lambda sample: sample.id)[:NUM_SAMPLES],
    )
