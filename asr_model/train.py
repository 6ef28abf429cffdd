"""Shards → recognizer: the training loop.

All randomness follows from (seed, epoch) and (seed, step), so a resumed run goes on exactly where it stood.
"""

from __future__ import annotations

import random
import signal
import threading
import time
from collections.abc import Callable, Generator, Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass, field
from itertools import islice
from pathlib import Path
from types import FrameType
from typing import Any

import torch
from pydantic import Field
from torch import nn

from asr_model.batches import (
    BatchSettings,
    OpenShard,
    Step,
    length_buckets,
    prefetched,
    read_examples,
    share_steps,
)
from asr_model.checkpoints import write_atomically
from asr_model.fine_tuning import take_over
from asr_model.journal import Journal
from asr_model.networks import CnnBiLstmSettings, Network, NetworkSettings, build_network
from asr_model.optimization import Losses, OptimizationSettings, take_step
from asr_model.processes import Processes
from asr_model.recognizer import Recognizer, RecognizerSettings, save_recognizer
from asr_model.run_state import RunState
from asr_model.text import normalize_text
from asr_model.validation import validate

__all__ = ["Corpus", "TrainProgress", "TrainSettings", "TrainingStoppedError", "train"]

LOG_STEPS = 20
"""Steps between two entries of the journal."""
STEPS_AHEAD = 4
"""Steps that are read and padded while one is computed."""


class TrainSettings(OptimizationSettings):
    """The settings of `train`; feature settings come from the shards."""

    network: NetworkSettings = CnnBiLstmSettings()
    alphabet: str | None = Field(default=None, min_length=1)
    """Characters that the recognizer can write; None: those of the training texts."""
    num_pieces: int | None = Field(default=None, ge=2)
    """SentencePiece's pieces of words as tokens, this many, single characters among them; None: characters alone."""
    batches: BatchSettings = BatchSettings()
    batches_per_step: int = Field(default=1, ge=1)
    """Batches that one step learns from, one after another or dealt out to processes."""
    epochs: int = Field(default=30, ge=1)
    threads: int = Field(default=0, ge=0)
    """Processor threads, 0 for one per core."""
    checkpoint_minutes: float = Field(default=5.0, gt=0)
    keep_checkpoints: int = Field(default=2, ge=1)


@dataclass(frozen=True)
class Corpus:
    """The shards to learn from and those to be measured on; ``total_frames`` are those of training utterances."""

    train_shards: list[str]
    dev_shards: list[str]
    total_frames: int
    open_shard: OpenShard


@dataclass(frozen=True)
class TrainProgress:
    """Where a run stands: ``done`` is the finished part (0 to 1), ``dev_wer`` that of the last evaluation."""

    epoch: int
    step: int
    done: float
    loss: float
    hours: float
    dev_wer: float | None


class TrainingStoppedError(RuntimeError):
    """The run was asked to stop, and has written a checkpoint."""


def train(
    settings: TrainSettings,
    recognizer: RecognizerSettings,
    corpus: Corpus,
    folder: Path,
    on_step: Callable[[TrainProgress], None],
    provenance: dict[str, Any],
    processes: Processes,
    initial: Recognizer | None = None,
) -> dict[str, Any]:
    """Train on shards and leave ``recognizer.safetensors``, the journal and checkpoints in ``folder``.

    A folder with checkpoints is resumed; a new run begins with the weights of ``initial``, if given. The kept
    recognizer is the averaged network with the lowest dev WER, or the last one without dev shards.

    Raises:
        FloatingPointError: the loss became NaN or infinite.
        TrainingStoppedError: SIGTERM or SIGINT came; what was learned is in a checkpoint.
    """
    if settings.threads:
        torch.set_num_threads(settings.threads)
    torch.manual_seed(settings.seed)
    network = _network(settings, recognizer)
    if initial:
        take_over(network, recognizer, initial)
    run = RunState.begin(network.to(processes.device), settings.weight_decay)
    run.resume(folder / "checkpoints")
    journal = Journal(folder, run.step, run.epoch) if processes.is_first else None
    with _stopping(processes) as is_asked_to_stop:
        training = _Training(
            settings, recognizer, corpus, folder, provenance, processes, run, journal, is_asked_to_stop
        )
        losses = processes.share_gradients(Losses(network, settings.consistency))
        while run.epoch < settings.epochs:
            training.learn(losses, on_step)
            training.measure()
            run.epoch, run.epoch_batches, run.epoch_frames = run.epoch + 1, 0, 0
            training.checkpoint(is_best=training.keep_if_best())
    if journal:
        journal.close()
    return {"steps": run.step, "dev_wer": run.best_wer, "infeasible": run.infeasible}


@dataclass
class _Training:
    """A run going on: what is done in an epoch, by each process."""

    settings: TrainSettings
    recognizer: RecognizerSettings
    corpus: Corpus
    folder: Path
    provenance: dict[str, Any]
    processes: Processes
    run: RunState
    journal: Journal | None
    is_asked_to_stop: Callable[[], bool]
    saved: float = field(default_factory=time.monotonic)

    def learn(self, losses: nn.Module, on_step: Callable[[TrainProgress], None]) -> None:
        """Take the steps that are left of the epoch."""
        run, rate = self.run, self.recognizer.features.frames_per_second
        began, began_frames = time.monotonic(), run.frames
        with closing(_steps(self.settings, self.recognizer, self.corpus, run, self.processes)) as steps:
            for step in steps:
                done = (run.epoch + run.epoch_frames / self.corpus.total_frames) / self.settings.epochs
                figures = take_step(run, losses, step, self.settings, done, self.processes)
                hours = run.frames / rate / 3600
                if self.journal and run.step % LOG_STEPS == 0:
                    entry = {"step": run.step, "epoch": run.epoch, "loss": figures.loss}
                    entry |= {"gradient_norm": figures.gradient_norm, "learning_rate": figures.learning_rate}
                    entry |= {"hours": round(hours, 3), "infeasible": run.infeasible}
                    speed = (run.frames - began_frames) / rate / (time.monotonic() - began)
                    self.journal.log(entry, audio_seconds_per_second=speed)
                on_step(TrainProgress(run.epoch, run.step, done, figures.loss, hours, run.dev_wer))
                self.stop_if_asked()
                # One clock decides: the first process's checkpoint is all there is.
                if time.monotonic() - self.saved > self.settings.checkpoint_minutes * 60:
                    self.checkpoint()

    def measure(self) -> None:
        """Find the word error rate of the averaged weights on dev."""
        if not self.corpus.dev_shards:
            return
        network = _network(self.settings, self.recognizer).to(self.processes.device)
        network.load_state_dict(self.run.averaged())
        found = validate(
            network,
            self.recognizer.alphabet,
            self.corpus.dev_shards,
            self.corpus.open_shard,
            self.settings.batches,
            self.processes,
            self.stop_if_asked,
            self.recognizer.features.dtype,
        )
        self.run.dev_wer = found.wer
        if self.journal:
            rates = {name: counts.rate for name, counts in found.words.items()}
            entry = {"step": self.run.step, "epoch": self.run.epoch + 1, "dev_wer": found.wer, "dev_cer": found.cer}
            self.journal.log(entry | {"dev_wer_by_corpus": rates})
            self.journal.show(found.samples, self.run.step)

    def keep_if_best(self) -> bool:
        """Write the recognizer and return true, unless one of an epoch before did better on dev."""
        run = self.run
        if run.dev_wer is not None and run.best_wer is not None and run.dev_wer >= run.best_wer:
            return False
        run.best_wer = run.dev_wer
        made = {"epoch": run.epoch, "step": run.step, "dev_wer": run.dev_wer, **self.provenance}
        if self.processes.is_first:
            data = save_recognizer(self.recognizer, run.averaged(), made)
            write_atomically(self.folder / "recognizer.safetensors", data)
        return True

    def checkpoint(self, is_best: bool = False) -> None:
        """Write a checkpoint, and a copy that stays if it is the best one."""
        if self.journal:
            self.journal.flush()
            self.run.save(self.folder / "checkpoints", self.settings.keep_checkpoints, is_best)
        self.saved = time.monotonic()

    def stop_if_asked(self) -> None:
        """Write a checkpoint and end the run, where a signal asked for it."""
        if self.is_asked_to_stop():
            self.checkpoint()
            place = self.folder / "checkpoints"
            raise TrainingStoppedError(
                f"stopped at step {self.run.step}; {place} holds it, the same command goes on from there"
            )


def _network(settings: TrainSettings, recognizer: RecognizerSettings) -> Network:
    return build_network(settings.network, recognizer.features.num_features, recognizer.alphabet.size)


def _steps(
    settings: TrainSettings, recognizer: RecognizerSettings, corpus: Corpus, run: RunState, processes: Processes
) -> Generator[Step]:
    """Yield what is left of the epoch in which ``run`` stands."""
    order = random.Random(f"{settings.seed}/{run.epoch}")
    shuffled = order.sample(corpus.train_shards, len(corpus.train_shards))
    examples = read_examples(shuffled, corpus.open_shard)
    if settings.alphabet is not None:
        examples = (e for e in examples if recognizer.alphabet.can_write(normalize_text(e.text)))
    batches = islice(length_buckets(examples, settings.batches, order), run.epoch_batches, None)
    alphabet, dtype, each = recognizer.alphabet, recognizer.features.dtype, settings.batches_per_step
    return prefetched(share_steps(batches, alphabet, each, processes.number, processes.count, dtype), STEPS_AHEAD)


@contextmanager
def _stopping(processes: Processes) -> Iterator[Callable[[], bool]]:
    """Yield what says whether SIGTERM or SIGINT came to any process; a second one ends the process at once."""
    came = False

    def note(number: int, frame: FrameType | None) -> None:
        nonlocal came
        came = True
        signal.signal(number, before[signal.Signals(number)])

    signals = (signal.SIGTERM, signal.SIGINT) if threading.current_thread() is threading.main_thread() else ()
    before = {number: signal.signal(number, note) for number in signals}
    try:
        yield lambda: processes.any(came)
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
