"""Corpus → Parquet shards of examples, one shard for each work unit."""

from __future__ import annotations

import dataclasses
import functools
from collections import Counter
from collections.abc import Iterator
from itertools import islice
from pathlib import Path
from typing import Any

import apache_beam as beam
import numpy as np
from numpy.typing import NDArray

import pipelines.io as io
from asr_model.census import describe_corpus, take_census
from asr_model.config import digest
from asr_model.examples import FeaturizeSettings, make_examples, split_of
from asr_model.features import from_bytes
from asr_model.records import Example, Failure, Utterance, to_table
from asr_model.sounds import Sounds
from asr_model.statistics import FeatureSums, sum_features, total
from pipelines.corpus_page import show_corpus
from pipelines.exhibits import choose_exhibits
from pipelines.layouts import AUDIO_SUFFIXES
from pipelines.planning import Unit
from pipelines.reading import read_audio
from pipelines.units import Account, Job, Part, RunUnits, Survey, fingerprint, identifying

__all__ = ["build", "job_of"]

CORPUS_FILE, PAGE_FILE = "corpus.json", "corpus.html"
MAX_FAILURES = 200
"""Failures shown; all are in failures.jsonl."""


def job_of(source: str, output: str, settings: FeaturizeSettings) -> Job:
    """Return the job that featurizes ``source`` into ``output``.

    Raises:
        InputError: a folder of noises or rooms holds none.
    """
    identity = {"settings": identifying(settings), **_front_end(settings)}
    for folder in sorted({folder for copy in settings.copies for folder in copy.folders}):
        found = _list_sounds(folder)
        if not found:
            raise io.InputError(f"{folder}: no audio files to draw noises or rooms from (copies)")
        identity[f"sounds in {folder}"] = digest(found)
    return Job("featurize", source, output, settings.unit_seconds, settings.max_failure_rate, identity, settings.corpus)


def build(pipeline: beam.Pipeline, job: Job, settings: FeaturizeSettings) -> Any:
    """Add the featurization to a pipeline and return the collection of its finished marker.

    Global normalization reads the training split twice: shards are written once and with their statistics in the
    footer, which are not known before all of it was read. Decoding again costs less than writing, reading and
    writing again, and leaves nothing behind.
    """
    survey = None
    if settings.features.normalization == "global" and settings.features.statistics is None:
        look = functools.partial(sum_unit, job=job, settings=settings)
        survey = Survey(look, total, functools.partial(with_statistics, settings))
    work = featurize_unit if survey else functools.partial(featurize_unit, settings=settings)
    folder_of = functools.partial(_split_of, settings=settings)
    describe = functools.partial(describe_output, settings=settings)
    return pipeline | "Featurize" >> RunUnits(job, work, folder_of, describe, survey)


def featurize_unit(unit: Unit, settings: FeaturizeSettings) -> Iterator[Part]:
    """Yield the shard of a unit, a row group at a time: examples in the order of its utterances."""
    examples: list[Example] = []
    failures: list[Failure] = []
    num_bytes = 0
    for made in _examples_of(unit, settings):
        if isinstance(made, Failure):
            failures.append(made)
            continue
        examples.extend(made)
        num_bytes += sum(len(example.features) for example in made)
        if num_bytes >= io.ROW_GROUP_BYTES:
            part = _part(unit, examples, failures, settings)
            examples, failures, num_bytes = [], [], 0
            yield part
    yield _part(unit, examples, failures, settings)


def describe_output(job: Job, account: Account, settings: FeaturizeSettings) -> None:
    """Write what the corpus holds: ``corpus.json``, and ``corpus.html`` with some examples to see and hear."""
    failures = Counter(failure.reason for receipt in account.receipts for failure in receipt.failures)
    found = describe_corpus(account.counts, failures)
    io.write_json(io.join(job.output, CORPUS_FILE), found)
    files = [io.join(job.output, receipt.file) for receipt in account.receipts if receipt.file]
    exhibits = choose_exhibits(files, job.source, settings)
    shown = list(islice((failure for receipt in account.receipts for failure in receipt.failures), MAX_FAILURES))
    page = show_corpus(found, exhibits, shown, job.source, settings.model_dump(mode="json"))
    io.write_file(io.join(job.output, PAGE_FILE), page.encode())


def sum_unit(unit: Unit, job: Job, settings: FeaturizeSettings) -> FeatureSums:
    """Return the sums of a unit's features where it is for training, copies left out; a receipt spares a rerun."""
    if unit.folder != "train":
        return FeatureSums()
    path, wanted = io.join(job.output, f"_sums/{unit.number:06d}.json"), fingerprint(unit, job)
    if io.exists(path) and (known := io.read_json(path))["fingerprint"] == wanted:
        return FeatureSums(known["num_frames"], tuple(known["sums"]), tuple(known["squares"]))
    features = settings.features.model_copy(update={"normalization": "none", "dtype": "float32"})
    plain = settings.model_copy(update={"features": features, "copies": ()})

    def arrays() -> Iterator[NDArray[np.floating]]:
        for made in _examples_of(unit, plain):
            if not isinstance(made, Failure):
                yield from (from_bytes(e.features, e.num_frames, "float32") for e in made)

    sums = sum_features(arrays())
    io.write_json(path, {"fingerprint": wanted, **dataclasses.asdict(sums)})
    return sums


def with_statistics(settings: FeaturizeSettings, sums: FeatureSums) -> FeaturizeSettings:
    """Return the settings with the statistics that global normalization goes by."""
    features = settings.features.model_copy(update={"statistics": sums.statistics()})
    return settings.model_copy(update={"features": features})


def _split_of(utterance: Utterance, settings: FeaturizeSettings) -> str:
    return split_of(utterance, settings.split)


def _part(unit: Unit, examples: list[Example], failures: list[Failure], settings: FeaturizeSettings) -> Part:
    table = to_table(Example, examples, _front_end(settings)) if examples else None
    seconds = sum(example.duration for example in examples if not example.copy)
    return Part(table, seconds, failures, take_census(examples, unit.folder))


def _examples_of(unit: Unit, settings: FeaturizeSettings) -> Iterator[list[Example] | Failure]:
    for utterance in unit.utterances:
        yield read_audio(utterance, lambda file, row=utterance: make_examples(file, row, settings, SOUNDS))  # type: ignore[misc]


def _front_end(settings: FeaturizeSettings) -> dict[str, Any]:
    """Return what a recognizer must do to samples as it was done to these."""
    return {name: getattr(settings, name).model_dump(mode="json") for name in ("features", "conditioning")}


def _list_sounds(folder: str) -> list[tuple[str, int]]:
    """Return (path, bytes) of the audio files in a folder and below, in a fixed order."""
    found = io.list_folder(folder)
    return [(path, size) for path, size in found if Path(path).suffix.lower() in AUDIO_SUFFIXES]


SOUNDS = Sounds(lambda folder: [path for path, _ in _list_sounds(folder)], io.open_file)
"""The noises and rooms of this process."""
