"""Transcripts and references → scores per file, totals and a report."""

from __future__ import annotations

import csv
import dataclasses
import functools
import io as text_io
import json
from collections.abc import Iterable, Iterator
from typing import Any

import apache_beam as beam

import pipelines.io as io
from asr_model.matching import file_name, match
from asr_model.records import Failure, Segment, Transcript, Utterance, to_table
from asr_model.scoring import ErrorCounts, EvaluateSettings, Score, score
from pipelines.corpora import read_corpus
from pipelines.reading import read_text
from pipelines.report import render_report

__all__ = ["EvaluateJob", "build", "job_of", "score_group", "summarize", "summary_markdown"]

CSV_FORMULA_SIGNS = ("=", "+", "-", "@", "\t", "\r")


@dataclasses.dataclass(frozen=True)
class EvaluateJob:
    """What is evaluated, against what, into which folder; ``identity`` is what the report depends on."""

    transcripts: str
    reference: str
    output: str
    settings: EvaluateSettings
    identity: dict[str, Any]

    @property
    def claim(self) -> dict[str, Any]:
        """What the output folder says it is an output of."""
        return {"verb": "evaluate", "input": self.transcripts, "reference": self.reference, **self.identity}

    def check(self) -> None:
        """Raise `InputError` where the transcripts are unfinished, or there is no such reference manifest."""
        for path in list_transcripts(self.transcripts):
            if not io.exists(path):
                raise io.InputError(f"{path}: no such transcripts")
        if not io.exists(self.reference):
            raise io.InputError(f"--reference {self.reference}: no such manifest")


def job_of(transcripts: str, reference: str, output: str, settings: EvaluateSettings) -> EvaluateJob:
    """Return the job that scores ``transcripts`` (a finished folder or a JSON-lines file) against ``reference``."""
    return EvaluateJob(transcripts, reference, output, settings, {"settings": settings.model_dump(mode="json")})


def build(pipeline: beam.Pipeline, job: EvaluateJob) -> Any:
    """Add the evaluation to a pipeline and return the collection of its summary."""
    references = (
        pipeline
        | "Reference" >> beam.Create([job.reference])
        | "ReadReferences" >> beam.FlatMap(read_references)
        | "KeyReferences" >> beam.Map(lambda row: (file_name(row.audio_filepath), row))
    )
    transcripts = (
        pipeline
        | "Transcripts" >> beam.Create([job.transcripts])
        | "ListTranscripts" >> beam.FlatMap(list_transcripts)
        | "Spread" >> beam.Reshuffle()
        | "ReadTranscripts" >> beam.FlatMap(read_transcripts)
        | "KeyTranscripts" >> beam.Map(lambda row: (file_name(row.audio_filepath), row))
    )
    return (
        {"references": references, "transcripts": transcripts}
        | "Match" >> beam.CoGroupByKey()
        | "Score" >> beam.FlatMap(lambda group: score_group(**group[1], settings=job.settings))
        | "Gather" >> beam.CombineGlobally(beam.combiners.ToListCombineFn())
        | "Report" >> beam.Map(functools.partial(finish, job=job))
    )


def score_group(
    references: Iterable[Utterance | Failure], transcripts: Iterable[Transcript], settings: EvaluateSettings
) -> Iterator[Score | Failure]:
    """Yield scores and failures of the references and transcripts that share a file name."""
    rows = sorted(references, key=_order)
    yield from (row for row in rows if isinstance(row, Failure))
    hypotheses = sorted(transcripts, key=_order)
    for matched in match([row for row in rows if isinstance(row, Utterance)], hypotheses):
        yield matched if isinstance(matched, Failure) else score(*matched, settings)


def summarize(scores: Iterable[Score], failures: Iterable[Failure]) -> dict[str, Any]:
    """Return the totals: rates are all errors over all words (characters), never a mean of rates."""
    words, num_characters, character_errors, num_rows, num_wrong, seconds = ErrorCounts(), 0, 0, 0, 0, 0.0
    files: set[str] = set()
    for row in scores:
        words += row.words
        num_characters += row.num_characters
        character_errors += row.character_errors
        seconds += row.duration or 0.0
        num_rows += 1
        num_wrong += row.words.num_errors > 0
        files.add(row.audio_filepath)
    reasons: dict[str, int] = {}
    for failure in failures:
        reasons[failure.reason] = reasons.get(failure.reason, 0) + 1
    preserved = words.information_preserved
    return {
        "wer": _rounded(words.rate),
        "cer": _rounded(character_errors / num_characters if num_characters else None),
        "mer": _rounded(words.match_error_rate),
        "wip": _rounded(preserved),
        "wil": _rounded(None if preserved is None else 1 - preserved),
        "ser": _rounded(num_wrong / num_rows if num_rows else None),
        "num_words": words.num_reference,
        "hits": words.hits,
        "substitutions": words.substitutions,
        "deletions": words.deletions,
        "insertions": words.insertions,
        "num_characters": num_characters,
        "character_errors": character_errors,
        "num_files": len(files),
        "num_rows": num_rows,
        "seconds": round(seconds, 3),
        "num_failures": sum(reasons.values()),
        "failures_by_reason": dict(sorted(reasons.items())),
    }


def finish(results: list[Score | Failure], job: EvaluateJob) -> dict[str, Any]:
    """Write the scores, the summary and the report of an evaluation, the finished marker last.

    Raises:
        TooManyFailuresError: the part of references that failed is above ``max_failure_rate``.
    """
    scores = sorted((row for row in results if isinstance(row, Score)), key=_order)
    failures = sorted((row for row in results if isinstance(row, Failure)), key=_order)
    summary = summarize(scores, failures) | job.identity
    io.write_failures(job.output, failures)
    lost = [failure for failure in failures if failure.reason != "no-reference"]
    num_references = len(lost) + sum(row.status == "scored" for row in scores)
    io.check_failure_rate(num_references, lost, job.settings.max_failure_rate, job.output)
    stamp = {"settings": job.settings.model_dump(mode="json")}
    io.write_parquet(io.join(job.output, "per_file.parquet"), to_table(Score, scores, stamp))
    io.write_file(io.join(job.output, "per_file.csv"), _csv(scores).encode())
    io.write_json(io.join(job.output, "summary.json"), summary)
    io.write_file(io.join(job.output, "summary.md"), summary_markdown(summary).encode())
    io.write_file(
        io.join(job.output, "index.html"),
        render_report(summary, ((row, None) for row in scores), failures, job).encode(),
    )
    io.write_json(io.join(job.output, io.SUCCESS_FILE), {"verb": "evaluate", **summary})
    return summary


def read_references(manifest: str) -> Iterator[Utterance | Failure]:
    """Yield the references: a manifest or a table, or a corpus whose layout carries texts."""
    return (row if isinstance(row, Failure) else read_text(row) for row, _ in read_corpus(manifest))


def list_transcripts(source: str) -> list[str]:
    """Return the files of a finished transcripts folder, or the one JSON-lines file named."""
    if source.endswith(".jsonl"):
        return [source]
    return [io.join(source, file) for file in io.read_success(source, "transcribe")["files"]]


def read_transcripts(path: str) -> Iterator[Transcript]:
    """Yield the transcripts of a file of ours, or of any system's JSON lines in the NeMo manner (``pred_text``).

    Raises:
        InputError: a JSON line without ``audio_filepath`` or ``pred_text``.
    """
    if not path.endswith(".jsonl"):
        yield from io.read_rows(path, Transcript)
        return
    with io.open_file(path) as file:
        for number, line in enumerate(file, start=1):
            try:
                row = json.loads(line)
                yield Transcript(
                    audio_filepath=row["audio_filepath"],
                    channel=row.get("channel") or 0,
                    pred_text=row["pred_text"],
                    confidence=row.get("confidence"),
                    duration=row.get("duration") or 0.0,
                    sample_rate=row.get("sample_rate") or 0,
                    codec=row.get("codec") or "",
                    num_channels=row.get("num_channels") or 1,
                    segments=[Segment(**segment) for segment in row.get("segments") or []],
                    offset=row.get("offset"),
                )
            except (ValueError, KeyError, TypeError) as error:
                raise io.InputError(f"{path}: line {number} is no transcript: {error!r}") from error


def summary_markdown(summary: dict[str, Any]) -> str:
    """Return the totals as a Markdown table, for a pull request or a chat."""
    names = {"wer": "WER", "cer": "CER", "mer": "MER", "wil": "WIL", "ser": "sentence error rate"}
    rates = {label: "undefined" if summary[name] is None else f"{summary[name]:.2%}" for name, label in names.items()}
    counts = ("num_words", "substitutions", "deletions", "insertions", "num_files", "num_failures")
    cells = {**rates, **{name.removeprefix("num_"): str(summary[name]) for name in counts}}
    rows = (" | ".join(cells), " | ".join("---:" for _ in cells), " | ".join(cells.values()))
    return "".join(f"| {row} |\n" for row in rows)


def _order(row: Utterance | Transcript | Score | Failure) -> tuple[str, int, float]:
    """Return what rows are sorted by: recording, channel, offset."""
    channel = row.channel if isinstance(row.channel, int) else -1
    return (row.audio_filepath, channel, -1.0 if row.offset is None else row.offset)


def _rounded(rate: float | None) -> float | None:
    return None if rate is None else round(rate, 6)


def _csv(scores: list[Score]) -> str:
    """Return the scores as CSV in which no cell is taken for a formula by a spreadsheet."""
    text = text_io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(field.name for field in dataclasses.fields(Score))
    for row in scores:
        writer.writerow(_cell(value) for value in dataclasses.astuple(row))
    return text.getvalue()


def _cell(value: Any) -> Any:
    return f"'{value}" if isinstance(value, str) and value.startswith(CSV_FORMULA_SIGNS) else value
