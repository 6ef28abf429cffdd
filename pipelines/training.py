"""Shards → recognizer, on this machine: what `asr_model.train` needs, checked, and its progress shown."""

from __future__ import annotations

import hashlib
import platform
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from importlib.metadata import version
from pathlib import Path
from typing import Any

import pyarrow as pa
from rich.console import Console
from rich.progress import BarColumn, Progress, TextColumn, TimeRemainingColumn

import pipelines.io as io
from asr_model.batches import ShardError
from asr_model.conditioning import Conditioning
from asr_model.config import format_yaml, load_settings
from asr_model.features import FeatureStamp, LogMel, Mfcc
from asr_model.processes import joined_processes
from asr_model.recognizer import Recognizer, RecognizerSettings, load_recognizer, recognizer_file
from asr_model.records import read_columns
from asr_model.text import Alphabet, normalize_text
from asr_model.train import Corpus, TrainProgress, TrainSettings, train

__all__ = ["train_on_shards"]

COUNTS = ("text", "num_frames_sum", "num_frames_count")
SETTINGS_FILE = "train.yaml"
"""The run's settings, as `train --config` reads them."""
LINE_SECONDS = 60.0
"""Between two lines of progress where stderr is no terminal."""


def train_on_shards(
    shards: Sequence[str], output: str, settings: TrainSettings, overwrite: bool, initial: str | None = None
) -> dict[str, Any]:
    """Train on folders that `featurize` finished and leave the recognizer in ``output``; return the run's figures.

    Started by torchrun, every process calls it with the same arguments. ``initial`` is a recognizer to begin with.

    Raises:
        InputError: the shards are unfinished, differ in their features, hold nothing to train on, or ``output``
            holds another run.
        RecognizerError: ``initial`` does not fit the shards or the settings.
    """
    if io.is_url(output):
        raise io.InputError(f"--output {output}: wanted a local folder, checkpoints are written into it all the time")
    made = {folder: io.read_success(folder, "featurize") for folder in shards}
    train_files, dev_files = (
        [io.join(folder, file) for folder, one in made.items() for file in one["files"] if file.startswith(f"{split}/")]
        for split in ("train", "dev")
    )
    if not train_files:
        raise io.InputError(f"{', '.join(made)}: no utterances in the train split")
    features, conditioning = _front_end_of([*train_files, *dev_files])
    texts = _texts(train_files)
    alphabet = Alphabet.of([settings.alphabet] if settings.alphabet is not None else texts)
    kept = {text: count for text, count in texts.items() if alphabet.can_write(text)}
    total_frames, total_rows = (sum(count[axis] for count in kept.values()) for axis in (0, 1))
    if not any(kept):
        characters = "".join(alphabet.characters)
        raise io.InputError(f"{', '.join(made)}: no text to train on with the alphabet {characters!r}")
    outside = sum(rows for _, rows in texts.values()) - total_rows
    if settings.num_pieces:
        alphabet = _pieces(kept, settings.num_pieces)
    recognizer = RecognizerSettings(
        features=features, conditioning=conditioning, alphabet=alphabet, network=settings.network
    )
    begin_with = _recognizer(initial) if initial else None
    with joined_processes() as processes:
        identity = {
            "settings": settings.model_dump(mode="json"),
            "recognizer": recognizer.model_dump(mode="json"),
            "initial": begin_with.digest if begin_with else None,
        }
        if processes.is_first:
            digests = _digests([*train_files, *dev_files])
            io.claim_folder(output, {"verb": "train", "input": list(made), "shards": digests, **identity}, overwrite)
            io.write_file(io.join(output, SETTINGS_FILE), format_yaml(settings.model_dump(mode="json")).encode())
            if outside:
                found = "".join(sorted(set().union(*texts.keys() - kept.keys()) - set(alphabet.characters)))
                print(f"train: {outside} utterances left out, {found!r} is outside the alphabet", file=sys.stderr)
        processes.gather(None)  # the folder is this run's before any process looks into it
        corpus = Corpus(train_files, dev_files, total_frames, io.open_file)
        provenance = {
            "shards": list(made.values()),
            "train": settings.model_dump(mode="json"),
            "initial": identity["initial"],
        }
        with _display(processes.is_first) as show:
            figures = train(settings, recognizer, corpus, Path(output), show, provenance, processes, begin_with)
        figures["outside_alphabet"] = outside
        if processes.is_first:
            marker = {"verb": "train", **figures, **identity, "processes": processes.count, "versions": _versions()}
            io.write_json(io.join(output, io.SUCCESS_FILE), marker)
    return figures


def _pieces(texts: dict[str, tuple[int, int]], num_pieces: int) -> Alphabet:
    """Return the alphabet of pieces that ``texts`` are made of, each as often as there are rows of it."""
    try:
        return Alphabet.of_pieces((text for text, (_, rows) in texts.items() for _ in range(rows)), num_pieces)
    except ValueError as error:
        raise io.InputError(f"num_pieces: {error}") from error


def _recognizer(path: str) -> Recognizer:
    file = recognizer_file(path)
    with io.open_file(file) as opened:
        return load_recognizer(opened.read(), file)


def _digests(files: list[str]) -> dict[str, str]:
    """Return the BLAKE2b digest of each file: what a run was trained on, to the bit."""

    def digest(path: str) -> str:
        with io.open_file(path) as file:
            made = hashlib.blake2b(digest_size=16)
            while block := file.read(1 << 20):
                made.update(block)
            return made.hexdigest()

    with ThreadPoolExecutor(8) as pool:
        return dict(zip(files, pool.map(digest, files), strict=True))


def _versions() -> dict[str, str]:
    return {"python": platform.python_version(), **{name: version(name) for name in ("beamscribe", "numpy", "torch")}}


def _front_end_of(files: list[str]) -> tuple[LogMel | Mfcc, Conditioning]:
    """Return the settings of features and conditioning that all shards were made with."""
    front_ends = {}
    for path in files:
        with _naming(path):
            front_ends[path] = {"conditioning": {}, **io.read_stamps([path])[path]}
    first = front_ends[files[0]]
    for path, front_end in front_ends.items():
        for part in ("features", "conditioning"):
            if front_end[part] != first[part]:
                names = first[part].keys() | front_end[part].keys()
                differing = sorted(name for name in names if front_end[part].get(name) != first[part].get(name))
                raise io.InputError(f"{path}: {part} differ from those of {files[0]} ({', '.join(differing)})")
    features = load_settings(FeatureStamp, {"features": first["features"]}, files[0]).features
    return features, load_settings(Conditioning, first["conditioning"], files[0])


def _texts(files: list[str]) -> dict[str, tuple[int, int]]:
    """Return the frames and the rows of every text there is, normalized."""
    texts: dict[str, tuple[int, int]] = {}
    for path in files:
        with _naming(path), io.open_file(path) as file:
            table = read_columns(file, ["text", "num_frames"])
        counts = table.group_by("text").aggregate([("num_frames", "sum"), ("num_frames", "count")])
        for text, frames, rows in zip(*(counts[name].to_pylist() for name in COUNTS), strict=True):
            before = texts.get(normalize_text(text), (0, 0))
            texts[normalize_text(text)] = before[0] + frames, before[1] + rows
    return texts


@contextmanager
def _naming(path: str) -> Iterator[None]:
    """Name the shard in which something cannot be read."""
    try:
        yield
    except (OSError, pa.ArrowException) as error:
        raise ShardError(f"{path}: cannot be read, featurize it again: {error}") from error


@contextmanager
def _display(is_first: bool) -> Iterator[Callable[[TrainProgress], None]]:
    """Yield what shows a step: a live bar on a terminal, else a line now and then on stderr; only of one process."""
    console = Console(stderr=True, quiet=not is_first)
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
