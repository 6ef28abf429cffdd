"""Shards → recognizer: the training loop.

All randomness follows from (seed, epoch) and (seed, step), so a resumed run goes on exactly where it stood.
"""

from __future__ import annotations

import json
import math
import random
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import Any, Literal

import torch
from pydantic import Field
from torch import Tensor, nn
from torch.optim.swa_utils import get_ema_multi_avg_fn

from asr_model.batches import Batch, BatchSettings, OpenShard, collate, length_buckets, pad_features, read_examples
from asr_model.checkpoints import latest_checkpoint, save_checkpoint, write_atomically
from asr_model.config import Settings
from asr_model.features import from_bytes
from asr_model.networks import CnnBiLstmSettings, Network, NetworkSettings, build_network
from asr_model.recognizer import RecognizerSettings, save_recognizer
from asr_model.records import Example
from asr_model.scoring import ErrorCounts, word_errors
from asr_model.spec_augment import SpecAugmentSettings, spec_augment
from asr_model.text import normalize_text

__all__ = ["TrainProgress", "TrainSettings", "train"]


class TrainSettings(Settings):
    """The settings of `train`; feature settings come from the shards."""

    network: NetworkSettings = CnnBiLstmSettings()
    batches: BatchSettings = BatchSettings()
    spec_augment: SpecAugmentSettings = SpecAugmentSettings()
    epochs: int = Field(default=30, ge=1)
    learning_rate: float = Field(default=2e-3, gt=0)
    warmup: float = Field(default=0.1, ge=0, lt=1)
    """Part of the run in which the learning rate rises; after it the rate falls along a cosine to zero."""
    weight_decay: float = Field(default=0.01, ge=0)
    gradient_clip: float = Field(default=5.0, gt=0)
    average_decay: float = Field(default=0.999, ge=0, lt=1)
    """Decay of the exponential moving average of the weights, which is what is evaluated and kept."""
    precision: Literal["float32", "bfloat16"] = "float32"
    """bfloat16 is mixed precision: twice as fast on processors and GPUs that have it."""
    threads: int = Field(default=0, ge=0)
    """Processor threads, 0 for one per core."""
    checkpoint_minutes: float = Field(default=5.0, gt=0)
    keep_checkpoints: int = Field(default=2, ge=1)
    seed: int = Field(default=0, ge=0)


@dataclass(frozen=True)
class TrainProgress:
    """Where a run stands: ``done`` is the finished part (0 to 1), ``dev_wer`` that of the last evaluation."""

    epoch: int
    step: int
    done: float
    loss: float
    hours: float
    dev_wer: float | None


@dataclass
class _Run:
    """What changes while a run goes on; all of it is in a checkpoint."""

    network: Network
    average: list[Tensor]
    optimizer: torch.optim.AdamW
    step: int = 0
    epoch: int = 0
    epoch_batches: int = 0
    epoch_frames: int = 0
    frames: int = 0
    infeasible: int = 0
    best_wer: float | None = None
    dev_wer: float | None = None

    COUNTERS = ("step", "epoch", "epoch_batches", "epoch_frames", "frames", "infeasible", "best_wer", "dev_wer")

    def tensors(self) -> dict[str, Tensor]:
        """Return weights, averaged weights and optimizer moments under names of their own."""
        named = dict(self.network.named_parameters())
        tensors = {f"weights/{name}": parameter.detach() for name, parameter in named.items()}
        tensors |= {f"average/{name}": mean for name, mean in zip(named, self.average, strict=True)}
        for name, parameter in named.items():
            for key, value in self.optimizer.state.get(parameter, {}).items():
                tensors[f"optimizer/{key}/{name}"] = value
        return {name: tensor.cpu().contiguous() for name, tensor in tensors.items()}

    def restore(self, tensors: dict[str, Tensor], state: dict[str, Any]) -> None:
        """Take over what `tensors` and the counters of a checkpoint hold."""
        named = dict(self.network.named_parameters())
        with torch.no_grad():
            for (name, parameter), mean in zip(named.items(), self.average, strict=True):
                parameter.copy_(tensors[f"weights/{name}"])
                mean.copy_(tensors[f"average/{name}"])
                self.optimizer.state[parameter] = {
                    key: tensors[f"optimizer/{key}/{name}"].to(parameter.device if key != "step" else "cpu")
                    for key in ("step", "exp_avg", "exp_avg_sq")
                }
        for name in self.COUNTERS:
            setattr(self, name, state[name])


def train(
    settings: TrainSettings,
    recognizer: RecognizerSettings,
    train_shards: list[str],
    dev_shards: list[str],
    total_frames: int,
    folder: Path,
    open_shard: OpenShard,
    on_step: Callable[[TrainProgress], None],
    provenance: dict[str, Any],
) -> dict[str, Any]:
    """Train on shards and leave ``recognizer.safetensors``, ``metrics.jsonl`` and checkpoints in ``folder``.

    ``total_frames`` are the frames of all training shards. A folder with checkpoints is resumed. The kept
    recognizer is the averaged network with the lowest dev WER, or the last one without dev shards.

    Raises:
        FloatingPointError: the loss became NaN or infinite.
    """
    device = torch.device("cuda" if torch.cuda.is_available() else "cpu")
    if settings.threads:
        torch.set_num_threads(settings.threads)
    torch.manual_seed(settings.seed)
    network = build_network(settings.network, recognizer.features.num_features, recognizer.alphabet.size).to(device)
    average = [parameter.detach().clone() for parameter in network.parameters()]
    run = _Run(network, average, torch.optim.AdamW(network.parameters(), weight_decay=settings.weight_decay))
    if checkpoint := latest_checkpoint(folder / "checkpoints"):
        run.restore(checkpoint[0], checkpoint[1])
    _rewind_metrics(folder / "metrics.jsonl", run)

    def checkpoint_now() -> None:
        state = {name: getattr(run, name) for name in _Run.COUNTERS}
        save_checkpoint(folder / "checkpoints", run.step, run.tensors(), state, settings.keep_checkpoints)

    def log(entry: dict[str, Any]) -> None:
        with open(folder / "metrics.jsonl", "a") as metrics:
            metrics.write(json.dumps(entry) + "\n")

    saved = time.monotonic()
    while run.epoch < settings.epochs:
        batches = _epoch(train_shards, settings, run.epoch, open_shard)
        for examples in islice(batches, run.epoch_batches, None):
            batch = collate(examples, recognizer.alphabet, recognizer.features.dtype)
            done = (run.epoch + run.epoch_frames / total_frames) / settings.epochs
            loss, norm = _step(run, batch, settings, done, device)
            run.epoch_batches += 1
            run.epoch_frames += int(batch.num_frames.sum())
            run.frames += int(batch.num_frames.sum())
            hours = run.frames / recognizer.features.frames_per_second / 3600
            if run.step % 20 == 0:
                rate = run.optimizer.param_groups[0]["lr"]
                entry = {"step": run.step, "epoch": run.epoch, "loss": loss, "gradient_norm": norm}
                log(entry | {"learning_rate": rate, "hours": round(hours, 3), "infeasible": run.infeasible})
            on_step(TrainProgress(run.epoch, run.step, done, loss, hours, run.dev_wer))
            if time.monotonic() - saved > settings.checkpoint_minutes * 60:
                checkpoint_now()
                saved = time.monotonic()
        run.epoch, run.epoch_batches, run.epoch_frames = run.epoch + 1, 0, 0
        averaged = dict(zip(dict(network.named_parameters()), run.average, strict=True))
        if dev_shards:
            groups = _evaluate(settings, recognizer, averaged, dev_shards, open_shard, device)
            run.dev_wer = sum(groups.values(), ErrorCounts()).rate
            rates = {group: counts.rate for group, counts in groups.items()}
            log({"step": run.step, "epoch": run.epoch, "dev_wer": run.dev_wer, "dev_wer_by_corpus": rates})
        is_best = run.dev_wer is None or run.best_wer is None or run.dev_wer < run.best_wer
        if is_best:
            run.best_wer = run.dev_wer
            made = {"epoch": run.epoch, "step": run.step, "dev_wer": run.dev_wer, **provenance}
            write_atomically(folder / "recognizer.safetensors", save_recognizer(recognizer, averaged, made))
        checkpoint_now()
        saved = time.monotonic()
    return {"steps": run.step, "dev_wer": run.best_wer, "infeasible": run.infeasible}


def _rewind_metrics(path: Path, run: _Run) -> None:
    """Drop what was logged after the checkpoint at which ``run`` stands: it comes again."""
    lines = path.read_text().splitlines(keepends=True) if path.exists() else []
    entries = [json.loads(line) for line in lines if line.endswith("\n")]  # the last may have been cut short
    kept = [entry for entry in entries if entry["step"] <= run.step and entry["epoch"] <= run.epoch]
    write_atomically(path, "".join(json.dumps(entry) + "\n" for entry in kept).encode())


def _epoch(shards: list[str], settings: TrainSettings, epoch: int, open_shard: OpenShard) -> Iterator[list[Example]]:
    order = random.Random(f"{settings.seed}/{epoch}")
    shuffled = order.sample(shards, len(shards))
    return length_buckets(read_examples(shuffled, open_shard), settings.batches, order)


def _step(run: _Run, batch: Batch, settings: TrainSettings, done: float, device: torch.device) -> tuple[float, float]:
    """Take one optimizer step and return loss per token and gradient norm."""
    run.step += 1
    torch.manual_seed(settings.seed * 1_000_003 + run.step)
    rising = done / settings.warmup if done < settings.warmup else 1.0
    falling = max(0.0, done - settings.warmup) / (1 - settings.warmup)
    rate = settings.learning_rate * min(rising + 1e-3, 0.5 * (1 + math.cos(math.pi * falling)))
    for group in run.optimizer.param_groups:
        group["lr"] = rate
    run.network.train()
    features, num_frames = spec_augment(batch.features, batch.num_frames, settings.spec_augment)
    with torch.autocast(device.type, torch.bfloat16, enabled=settings.precision == "bfloat16"):
        made = run.network.loss(*(x.to(device) for x in (features, num_frames, batch.tokens, batch.num_tokens)))
    run.infeasible += int(made.infeasible)
    loss = made.total / made.num_tokens.clamp(min=1)
    if not torch.isfinite(loss):
        raise FloatingPointError(f"step {run.step}: the loss is {loss.item()}; lower learning_rate or gradient_clip")
    run.optimizer.zero_grad()
    loss.backward()  # type: ignore[no-untyped-call]
    norm = nn.utils.clip_grad_norm_(run.network.parameters(), settings.gradient_clip)
    run.optimizer.step()
    decay = min(settings.average_decay, (1 + run.step) / (10 + run.step))
    weights = [parameter.detach() for parameter in run.network.parameters()]
    get_ema_multi_avg_fn(decay)(run.average, weights, run.step)  # type: ignore[no-untyped-call]
    return loss.item(), norm.item()


@torch.inference_mode()
def _evaluate(
    settings: TrainSettings,
    recognizer: RecognizerSettings,
    weights: dict[str, Tensor],
    shards: list[str],
    open_shard: OpenShard,
    device: torch.device,
) -> dict[str, ErrorCounts]:
    """Return word errors of greedy decoding by the rows' ``corpus`` column ("" without one)."""
    network = build_network(settings.network, recognizer.features.num_features, recognizer.alphabet.size).to(device)
    network.load_state_dict(weights)
    network.eval()
    dtype = recognizer.features.dtype
    pairs: dict[str, tuple[list[str], list[str]]] = {}
    for examples in length_buckets(read_examples(shards, open_shard), settings.batches, random.Random(0)):
        features, num_frames = pad_features([from_bytes(e.features, e.num_frames, dtype) for e in examples])
        written = network.decode(features.to(device), num_frames.to(device), recognizer.alphabet)
        for example, hypothesis in zip(examples, written, strict=True):
            references, hypotheses = pairs.setdefault(str(example.extra.get("corpus", "")), ([], []))
            references.append(normalize_text(example.text))
            hypotheses.append(hypothesis.text)
    return {corpus: word_errors(*texts) for corpus, texts in sorted(pairs.items())}
