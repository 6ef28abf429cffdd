"""Corpus → Parquet shards of examples, one shard for each work unit."""

from __future__ import annotations

import functools
from typing import Any

import apache_beam as beam

from asr_model.examples import FeaturizeSettings, make_examples, split_of
from asr_model.records import Example, Failure, to_table
from pipelines.reading import read_audio
from pipelines.units import Job, RunUnits, Unit, UnitResult, identifying

__all__ = ["build", "job_of"]


def job_of(source: str, output: str, settings: FeaturizeSettings) -> Job:
    """Return the job that featurizes ``source`` into ``output``."""
    identity = {"settings": identifying(settings), "features": settings.features.model_dump(mode="json")}
    return Job(
        "featurize", source, output, settings.unit_minutes * 60, settings.max_failure_rate, identity, settings.corpus
    )


def build(pipeline: beam.Pipeline, job: Job, settings: FeaturizeSettings) -> Any:
    """Add the featurization to a pipeline and return the collection of its finished marker."""
    work = functools.partial(featurize_unit, output=job.output, settings=settings)
    return pipeline | "Featurize" >> RunUnits(job, work, lambda utterance: split_of(utterance, settings.split))


def featurize_unit(unit: Unit, output: str, settings: FeaturizeSettings) -> UnitResult:
    """Return the shard of a unit: examples in the order of its utterances."""
    examples: list[Example] = []
    failures: list[Failure] = []
    for utterance in unit.utterances:
        made = read_audio(utterance, lambda file, row=utterance: make_examples(file, row, settings))  # type: ignore[misc]
        if isinstance(made, Failure):
            failures.append(made)
        else:
            examples.extend(made)
    table = to_table(Example, examples, {"features": settings.features.model_dump(mode="json")})
    seconds = sum(example.duration for example in examples if not example.copy)
    return UnitResult(table if examples else None, seconds, failures)
