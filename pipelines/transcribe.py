"""Archive → transcripts: Parquet, one file for each work unit, and one JSON-lines manifest."""

from __future__ import annotations

import dataclasses
import functools
import json
from collections.abc import Iterator
from typing import Any

import apache_beam as beam
import torch

import pipelines.io as io
from asr_model.config import SettingsError
from asr_model.external import WHISPER, Whisper, load_whisper
from asr_model.recognizer import Recognizer, load_recognizer, recognizer_file
from asr_model.records import Failure, Transcript, to_table
from asr_model.transcription import Speech, Transcriber, TranscribeSettings
from pipelines.planning import Unit
from pipelines.reading import read_audio
from pipelines.resources import shipped_recognizer
from pipelines.units import Account, Job, Part, RunUnits, identifying

__all__ = ["build", "job_of", "settle_decoder"]

TRANSCRIPTS_FILE = "transcripts.jsonl"


def settle_decoder(settings: TranscribeSettings, recognizer: str | None) -> TranscribeSettings:
    """Return the settings with the decoder spelled out that ``recognizer`` carries, where they leave it open.

    Raises:
        SettingsError: the recognizer cannot be decoded that way.
    """
    decoder = _recognizer(recognizer, settings).decoder
    return settings.model_copy(update={"decoder": decoder})


def job_of(source: str, recognizer: str | None, output: str, settings: TranscribeSettings) -> Job:
    """Return the job that transcribes ``source`` into ``output``; ``recognizer`` None is the shipped one."""
    identity = {
        "settings": identifying(settings),
        "recognizer": _recognizer(recognizer, settings).digest,
    }
    return Job(
        "transcribe", source, output, settings.unit_minutes * 60, settings.max_failure_rate, identity, settings.corpus
    )


def build(pipeline: beam.Pipeline, job: Job, recognizer: str | None, settings: TranscribeSettings) -> Any:
    """Add the transcription to a pipeline and return the collection of its finished marker."""
    work = functools.partial(transcribe_unit, recognizer=recognizer, settings=settings)
    return pipeline | "Transcribe" >> RunUnits(job, work, lambda utterance: "transcripts", write_manifest)


def transcribe_unit(unit: Unit, recognizer: str | None, settings: TranscribeSettings) -> Iterator[Part]:
    """Yield the transcripts of a unit, in the order of its recordings and their channels."""
    # One thread, whatever the machine: the number of threads changes the last bits of a result.
    torch.set_num_threads(1)
    loaded = _recognizer(recognizer, settings)
    speeches: list[Speech] = []
    failures: list[Failure] = []
    transcriber = Transcriber(loaded, settings)
    for utterance in unit.utterances:
        found = read_audio(utterance, lambda file, row=utterance: transcriber.listen(file, row))  # type: ignore[misc]
        if isinstance(found, Failure):
            failures.append(found)
        else:
            speeches.extend(found)
    transcripts = transcriber.transcripts(speeches)
    table = to_table(
        Transcript, transcripts, {"recognizer": loaded.digest, "settings": settings.model_dump(mode="json")}
    )
    seconds = sum(transcript.duration for transcript in transcripts)
    yield Part(table if transcripts else None, seconds, failures)


def write_manifest(job: Job, account: Account) -> None:
    """Write all transcripts as one JSON-lines manifest in the NeMo manner."""
    paths = [io.join(job.output, receipt.file) for receipt in account.receipts if receipt.file]
    io.write_lines(io.join(job.output, TRANSCRIPTS_FILE), _manifest_lines(paths))


def _manifest_lines(paths: list[str]) -> Iterator[str]:
    for path in paths:
        for transcript in io.read_rows(path, Transcript):
            row = dataclasses.asdict(transcript)
            extra = row.pop("extra")
            yield json.dumps({**extra, **{k: v for k, v in row.items() if v is not None}}, ensure_ascii=False)


@functools.lru_cache(maxsize=1)
def _recognizer(path: str | None, settings: TranscribeSettings) -> Recognizer | Whisper:
    """Return the recognizer, loaded once in a worker process; None is the shipped one, wherever it lies there."""
    if path and path.startswith(WHISPER):
        for name in ("vocal_tracts", "tempo"):
            if getattr(settings, name) is not None:
                raise SettingsError(f"{name}: found {getattr(settings, name)}, wanted null for Whisper")
        return load_whisper(path.removeprefix(WHISPER), settings.decoder)
    file_path = recognizer_file(path or shipped_recognizer())
    with io.open_file(file_path) as file:
        loaded = load_recognizer(file.read(), file_path).with_decoder(settings.decoder)
    return loaded.hearing_as(settings.vocal_tracts, settings.tempo)
