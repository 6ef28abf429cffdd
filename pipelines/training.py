"""Shards → recognizer, on this machine: what `asr_model.train` needs, checked, and its progress shown."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pyarrow.compute as pc
import pyarrow.parquet as pq
from rich.console import Console
from rich.progress import BarColumn, Progress, TextColumn, TimeRemainingColumn

import pipelines.io as io
from asr_model.conditioning import Conditioning
from asr_model.config import load_settings
from asr_model.features import FeatureStamp, LogMel, Mfcc
from asr_model.recognizer import RecognizerSettings
from asr_model.text import Alphabet, normalize_text
from asr_model.train import TrainProgress, TrainSettings, train

__all__ = ["train_on_shards"]

LINE_SECONDS = 60.0
"""Between two lines of progress where stderr is no terminal."""


def train_on_shards(shards: str, output: str, settings: TrainSettings, overwrite: bool) -> dict[str, Any]:
    """Train on a folder that `featurize` finished and leave the recognizer in ``output``; return the run's figures.

    Raises:
        InputError: the shards are unfinished, differ in their features, hold nothing to train on, or ``output``
            holds another run.
    """
    success = io.read_success(shards, "featurize")
    files = {
        split: [io.join(shards, file) for file in success["files"] if file.startswith(f"{split}/")]
        for split in ("train", "dev")
    }
    if not files["train"]:
        raise io.InputError(f"{shards}: no utterances in the train split")
    features, conditioning = _front_end_of([*files["train"], *files["dev"]])
    texts, total_frames = _texts_and_frames(files["train"])
    recognizer = RecognizerSettings(
        features=features, conditioning=conditioning, alphabet=Alphabet.of(texts), network=settings.network
    )
    identity = {"settings": settings.model_dump(mode="json"), "recognizer": recognizer.model_dump(mode="json")}
    io.claim_folder(output, {"verb": "train", "input": shards, **identity}, overwrite)
    provenance = {"shards": success, "train": settings.model_dump(mode="json")}
    with _display() as show:
        figures = train(
            settings,
            recognizer,
            files["train"],
            files["dev"],
            total_frames,
            Path(output),
            io.open_file,
            show,
            provenance,
        )
    io.write_json(io.join(output, io.SUCCESS_FILE), {"verb": "train", **figures, **identity})
    return figures


def _front_end_of(files: list[str]) -> tuple[LogMel | Mfcc, Conditioning]:
    """Return the settings of features and conditioning that all shards were made with."""
    stamps = io.read_stamps(files)
    front_ends = {path: {"conditioning": {}, **stamp} for path, stamp in stamps.items()}
    first = front_ends[files[0]]
    for path, front_end in front_ends.items():
        for part in ("features", "conditioning"):
            if front_end[part] != first[part]:
                names = first[part].keys() | front_end[part].keys()
                differing = sorted(name for name in names if front_end[part].get(name) != first[part].get(name))
                raise io.InputError(f"{path}: {part} differ from those of {files[0]} ({', '.join(differing)})")
    features = load_settings(FeatureStamp, {"features": first["features"]}, files[0]).features
    return features, load_settings(Conditioning, first["conditioning"], files[0])


def _texts_and_frames(files: list[str]) -> tuple[set[str], int]:
    texts: set[str] = set()
    total_frames = 0
    for path in files:
        with io.open_file(path) as file:
            table = pq.read_table(file, columns=["text", "num_frames"])
        texts.update(normalize_text(text) for text in pc.unique(table["text"]).to_pylist())
        total_frames += pc.sum(table["num_frames"]).as_py()
    return texts, total_frames


@contextmanager
def _display() -> Iterator[Callable[[TrainProgress], None]]:
    """Yield what shows a step: a live bar on a terminal, else a line now and then on stderr."""
    console = Console(stderr=True)
    started = time.monotonic()
    shown = [started]
    columns = (TextColumn("train"), BarColumn(), TextColumn("{task.description}"), TimeRemainingColumn())
    with Progress(*columns, console=console, disable=not console.is_terminal) as progress:
        task = progress.add_task("starting", total=1.0)

        def show(at: TrainProgress) -> None:
            dev_wer = "" if at.dev_wer is None else f", dev WER {at.dev_wer:.1%}"
            text = f"epoch {at.epoch + 1}, step {at.step}, loss {at.loss:.3f}, {at.hours:.2f} h of audio{dev_wer}"
            progress.update(task, completed=at.done, description=text)
            now = time.monotonic()
            if not console.is_terminal and now - shown[0] >= LINE_SECONDS:
                shown[0] = now
                console.print(f"train: {at.done:.1%}, {text}, {now - started:.0f} s", highlight=False, soft_wrap=True)

        yield show
