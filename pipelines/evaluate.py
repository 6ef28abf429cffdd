"""Transcripts and references → scores per file, totals and a report."""

from __future__ import annotations

import dataclasses
import pickle
from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from importlib.metadata import version
from itertools import chain, islice
from typing import Any

import apache_beam as beam
import pyarrow as pa
from apache_beam.metrics import Metrics

import pipelines.io as io
from asr_model.confusions import Confusions
from asr_model.edits import align
from asr_model.groups import KNOWN_GROUPS, NONE
from asr_model.marks import Marks
from asr_model.matching import match
from asr_model.normalization import STEP_VERSIONS
from asr_model.records import Failure, Transcript, Utterance, to_table
from asr_model.scoring import EvaluateSettings, Score, normalize_of, scorer_of
from asr_model.summary import figures_of
from asr_model.tally import Tally
from pipelines import scores as score_files
from pipelines.hypotheses import list_transcripts, read_transcripts, transcribed_with
from pipelines.lines import Line
from pipelines.markdown import summary_markdown
from pipelines.parts import Dealt, Piece, Slice, cut, deal, key_of, no_garbage, part_path, read_pieces, remove_parts
from pipelines.progress import NAMESPACE
from pipelines.references import list_references, read_references
from pipelines.report import render_report
from pipelines.report_rows import Row, worst

__all__ = ["EvaluateJob", "build", "job_of", "score_rows", "summarize"]

CHUNK_ROWS = 2000
"""Scores that are held as rows until they become a table: so few that a processor's cache holds them."""


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
        """Raise `InputError` for unfinished transcripts or missing references, `SettingsError` for unusable steps."""
        list_transcripts(self.transcripts)
        list_references(self.reference)
        normalize_of(self.settings)


def job_of(transcripts: str, reference: str, output: str, settings: EvaluateSettings) -> EvaluateJob:
    """Return the job that scores ``transcripts`` against ``reference``; see `pipelines.hypotheses` and `references`."""
    versions = {step: STEP_VERSIONS[step] for step in settings.normalization}
    identity = {"settings": settings.model_dump(mode="json"), "normalization_versions": versions}
    return EvaluateJob(transcripts, reference, output, settings, identity)


def build(pipeline: beam.Pipeline, job: EvaluateJob) -> Any:
    """Add the evaluation to a pipeline and return the collection of its summary."""
    return (
        pipeline
        | "Job" >> beam.Create([job])
        | "Cut" >> beam.FlatMap(lambda job: cut(list_references(job.reference), list_transcripts(job.transcripts)))
        | "SpreadSlices" >> beam.Reshuffle()
        | "Deal" >> beam.FlatMap(deal_slice, job.output)
        | "Part" >> beam.GroupByKey()
        | "SpreadParts" >> beam.Reshuffle()
        | "Score" >> beam.Map(lambda part: score_part(part[0], part[1], job))
        | "Gather" >> beam.CombineGlobally(beam.combiners.ToListCombineFn())
        | "Report" >> beam.Map(finish, job)
    )


def deal_slice(source: Slice, output: str) -> Iterator[tuple[int, Piece]]:
    """Read a slice of references or transcripts and deal its rows into parts."""
    read = read_references if source.kind == "references" else read_transcripts
    rows = chain.from_iterable(read(path, source.start, source.stop) for path in source.paths)
    with no_garbage():
        pieces = list(deal(rows, source, output))
    yield from pieces


@no_garbage()
def score_part(number: int, pieces: Iterable[Piece], job: EvaluateJob) -> int:
    """Score the rows of a part, write its scores, failures and counts to files, and return its number."""
    tables = [to_table(Score, [], {})]
    failures: list[Failure] = []
    shown: list[Row] = []
    marks = Marks()
    results = score_rows(read_pieces(pieces), job.settings, marks)
    while some := list(islice(results, CHUNK_ROWS)):
        failures += [row for row in some if isinstance(row, Failure)]
        rows = [row for row in some if not isinstance(row, Failure)]
        tables.append(to_table(Score, [score for score, _ in rows], {}))
        shown = worst(rows, shown)
    failures.sort(key=_order)
    scores = score_files.in_order(pa.concat_tables(tables))
    tally = Tally.of(scores, job.settings.groups)
    tally.count_failures(failures)
    score_files.write_part(job.output, number, scores, failures)
    io.write_file(part_path(job.output, "tally", number, ".pickle"), pickle.dumps((tally, marks, shown)))
    counts = {"recordings": tally.num_rows, "failures": len(failures), "audio_milliseconds": tally.milliseconds}
    for name, value in counts.items():
        Metrics.counter(NAMESPACE, name).inc(value)
    return number


def score_rows(
    rows: Iterable[Dealt], settings: EvaluateSettings, marks: Marks | None = None
) -> Iterator[Row | Failure]:
    """Yield the score of every reference, with its transcript, and what failed; all in memory.

    All rows of a recording must be there: this is the evaluation of a part, and of a corpus that is one. ``marks``,
    where given, count what is known of single words.
    """
    score = scorer_of(settings)
    recordings: dict[str, list[Any]] = defaultdict(list)
    for row in rows:
        if isinstance(row, Failure):
            yield row
        else:
            recordings[key_of(row)].append(row)
    for of_recording in recordings.values():
        references, transcripts = [], []
        for row in of_recording:
            read = row.read() if isinstance(row, Line) else row
            if isinstance(read, Transcript):
                transcripts.append(read)
            elif isinstance(read, Utterance):
                references.append(read)
            else:
                yield read
        if len(of_recording) > 2:
            references.sort(key=_order)
            transcripts.sort(key=_order)
        for matched in match(references, transcripts):
            if isinstance(matched, Failure):
                yield matched
            else:
                reference, transcript = matched
                scored, alignment = score(reference, transcript)
                if marks is not None:
                    marks.count(reference, transcript, alignment, settings)
                yield scored, transcript


def summarize(
    scores: Sequence[Score], failures: Sequence[Failure], settings: EvaluateSettings | None = None
) -> dict[str, Any]:
    """Return the figures of scores and failures that are in memory."""
    settings = settings or EvaluateSettings()
    tally = Tally.of(to_table(Score, scores, {}), settings.groups)
    tally.count_failures(failures)
    confusions = Confusions()
    for row in scores:
        confusions.count(align(row.text, row.pred_text))
    return figures_of(tally, settings) | confusions.figures()


def finish(parts: list[int], job: EvaluateJob) -> dict[str, Any]:
    """Write the scores, the summary and the report of an evaluation from its parts, the finished marker last.

    Raises:
        TooManyFailuresError: the part of references that failed is above ``max_failure_rate``.
        InputError: a group is no column of any row.
    """
    parts = sorted(parts)
    score_files.join_failures(job.output, parts)
    with ThreadPoolExecutor(1) as beside:  # what Arrow does while Python sums
        joining = beside.submit(score_files.join_parquet, job.output, parts, job.identity)
        score_files.join_csv(job.output, parts)
        summary = _report(parts, job)
        joining.result()
    remove_parts(job.output)
    io.write_json(io.join(job.output, io.SUCCESS_FILE), {"verb": "evaluate", **summary})
    return summary


def _report(parts: Sequence[int], job: EvaluateJob) -> dict[str, Any]:
    """Write the summary and the report, and return the summary."""
    tally, marks, shown = _sum_of_parts(parts, job.output)
    _check_groups(tally, job.settings.groups)
    _check_failure_rate(tally, job)
    provenance = {
        "transcripts": job.transcripts,
        "reference": job.reference,
        "transcribed_with": transcribed_with(job.transcripts),
        "versions": _versions(),
    }
    summary = figures_of(tally, job.settings) | marks.figures() | job.identity | provenance
    io.write_json(io.join(job.output, "summary.json"), summary)
    io.write_file(io.join(job.output, "summary.md"), summary_markdown(summary, [score for score, _ in shown]).encode())
    failures = score_files.read_failures(job.output)
    io.write_file(io.join(job.output, "index.html"), render_report(summary, shown, failures, job).encode())
    return summary


@no_garbage()
def _sum_of_parts(parts: Sequence[int], folder: str) -> tuple[Tally, Marks, list[Row]]:
    tally, marks = Tally(), Marks()
    shown: list[Row] = []
    for number in parts:
        with io.open_file(part_path(folder, "tally", number, ".pickle")) as file:
            counts, marks_of_part, rows = pickle.loads(file.read())
        tally.add(counts)
        marks.add(marks_of_part)
        shown = worst(rows, shown)
    return tally, marks, shown


def _check_groups(tally: Tally, names: Sequence[str]) -> None:
    """Refuse a group that is no column of any row: it is misspelled."""
    for name in set(names) - KNOWN_GROUPS:
        if tally.num_rows and {value for group, value in tally.groups if group == name} == {NONE}:
            known = ", ".join(sorted(KNOWN_GROUPS))
            raise io.InputError(f"groups: no row has a column {name!r}; wanted {known}, or a column of the references")


def _check_failure_rate(tally: Tally, job: EvaluateJob) -> None:
    lost = Counter({reason: number for reason, number in tally.failures.items() if reason != "no-reference"})
    num_scored = tally.num_rows - lost["no-transcript"]
    io.check_failure_rate(lost.total() + num_scored, lost, job.settings.max_failure_rate, job.output)


def _versions() -> dict[str, str]:
    return {name: version(name) for name in ("beamscribe", "rapidfuzz", "num2words")}


def _order(row: Utterance | Transcript | Score | Failure) -> tuple[str, int, float]:
    """Return what rows are sorted by: recording, channel, offset."""
    channel = row.channel if isinstance(row.channel, int) else -1
    return (row.audio_filepath, channel, -1.0 if row.offset is None else row.offset)
