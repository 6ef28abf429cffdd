"""Work units are done once, whole or not at all.

A unit's file and then its receipt are written by the worker that did it. A unit whose receipt bears the fingerprint
of the same audio, settings and recognizer is done and is not repeated.
"""

from __future__ import annotations

import dataclasses
from collections import Counter
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from typing import Any

import apache_beam as beam
import pyarrow as pa
from apache_beam.metrics import Metrics

import pipelines.io as io
from asr_model.census import Counts, add_counts
from asr_model.config import Settings, digest
from asr_model.records import FORMAT, Failure, Layout, Utterance
from pipelines.corpora import find_corpus, read_corpus
from pipelines.planning import Unit, plan_units, read_texts

__all__ = [
    "Account",
    "Gather",
    "Job",
    "Part",
    "Receipt",
    "RunUnits",
    "Survey",
    "fingerprint",
    "finish",
    "identifying",
    "run_unit",
]

UNITS_FOLDER = "_units"


@dataclass(frozen=True)
class Job:
    """What every unit of a run has in common. ``identity`` is all that its results depend on beside the audio."""

    verb: str
    source: str
    output: str
    unit_seconds: float
    max_failure_rate: float
    identity: dict[str, Any]
    layout: Layout = "auto"

    @property
    def claim(self) -> dict[str, Any]:
        """What the output folder says it is an output of."""
        return {"verb": self.verb, "input": self.source, **self.identity}

    def check(self) -> None:
        """Raise `InputError` where there is no such input."""
        find_corpus(self.source, self.layout)


@dataclass(frozen=True)
class Part:
    """Part of what a unit's work yields: rows for its file (None: no rows), their seconds of audio, failures, counts.

    Parts follow one another, so that a unit is never held in memory whole.
    """

    table: pa.Table | None
    seconds: float
    failures: list[Failure]
    counts: Counts = field(default_factory=dict)


@dataclass(frozen=True)
class Receipt:
    """What became of a unit; small enough to cross a shuffle."""

    number: int
    file: str | None
    fingerprint: str
    num_inputs: int
    num_rows: int
    seconds: float
    failures: list[Failure]
    counts: Counts = field(default_factory=dict)


@dataclass(frozen=True)
class Account:
    """The receipts of all units, in their order, and their counts together."""

    receipts: list[Receipt]
    counts: Counts


@dataclass(frozen=True)
class Survey:
    """A look at all units before the first is done: ``look`` at each, the ``total`` of what was seen, in any order and
    grouping, and the settings that ``settle`` makes of it, with which the units are then done.
    """

    look: Callable[[Unit], Any]
    total: Callable[[Iterable[Any]], Any]
    settle: Callable[[Any], Settings]


class RunUnits(beam.PTransform):
    """Plan the units of a job, run each where Beam likes, and write the finished marker from their receipts.

    ``work`` gets a unit and, after a ``survey``, the settings it led to, and yields its parts.
    """

    def __init__(
        self,
        job: Job,
        work: Callable[..., Iterable[Part]],
        folder_of: Callable[[Utterance], str],
        conclude: Callable[[Job, Account], None] = lambda job, account: None,
        survey: Survey | None = None,
    ):
        super().__init__()
        self.job, self.work, self.folder_of, self.conclude = job, work, folder_of, conclude
        self.survey = survey

    def expand(self, root: Any) -> Any:
        """Return the collection of the one marker written."""
        job, work, folder_of, conclude = self.job, self.work, self.folder_of, self.conclude
        layout, seconds = job.layout, job.unit_seconds
        units = (
            root
            | "Source" >> beam.Create([job.source])
            | "PlanUnits" >> beam.FlatMap(lambda source: plan_units(read_corpus(source, layout), seconds, folder_of))
            | "Spread" >> beam.Reshuffle()
            | "ReadTexts" >> beam.Map(read_texts)
        )
        found = []
        if survey := self.survey:
            looks = units | "Look" >> beam.Map(survey.look) | "Total" >> beam.CombineGlobally(survey.total)
            found = [beam.pvalue.AsSingleton(looks | "Settle" >> beam.Map(survey.settle))]
        return (
            units
            | "RunUnit" >> beam.Map(run_unit, job, work, *found)
            | "Gather" >> beam.CombineGlobally(Gather())
            | "Finish" >> beam.Map(finish, job, conclude)
        )


def run_unit(unit: Unit, job: Job, work: Callable[..., Iterable[Part]], found: Settings | None = None) -> Receipt:
    """Do a unit, or nothing where its receipt says that it is done, and return the receipt.

    Raises:
        AssertionError: the account does not close: some input is neither in the file nor a failure.
    """
    path = _receipt_path(job, unit.number)
    wanted = fingerprint(unit, job, found)
    receipt = _read_receipt(path)
    if receipt is None or receipt.fingerprint != wanted:
        # Removed first: should this worker die between file and receipt, the old one must not vouch for the new file.
        io.delete([path])
        receipt = _do(unit, job, work(unit, found) if found else work(unit), wanted)
        io.write_json(path, dataclasses.asdict(receipt))
    for name, value in (
        ("recordings", receipt.num_inputs - len(receipt.failures)),
        ("failures", len(receipt.failures)),
        ("audio_milliseconds", round(receipt.seconds * 1000)),
    ):
        Metrics.counter("beamscribe", name).inc(value)
    return receipt


def _do(unit: Unit, job: Job, parts: Iterable[Part], fingerprint: str) -> Receipt:
    """Write the parts of a unit to its file as they come and return the receipt."""
    file = f"{unit.folder}/part-{unit.number:06d}.parquet"
    num_rows, seconds, failures, counts = 0, 0.0, list(unit.failures), Counts()
    with io.create_parquet(io.join(job.output, file)) as write:
        for part in parts:
            if part.table is not None:
                write(part.table)
                num_rows += part.table.num_rows
            seconds += part.seconds
            failures += part.failures
            counts = add_counts(counts, part.counts)
    num_inputs = len(unit.utterances) + len(unit.failures)
    return Receipt(
        unit.number, file if num_rows else None, fingerprint, num_inputs, num_rows, seconds, failures, counts
    )


class Gather(beam.CombineFn):
    """Receipts → their account; counts are added on the way, so that not all of them are held."""

    def create_accumulator(self) -> Account:
        """Return the account of no units."""
        return Account([], {})

    def add_input(self, account: Account, receipt: Receipt) -> Account:
        """Return the account with one more receipt."""
        account.receipts.append(dataclasses.replace(receipt, counts={}))
        return Account(account.receipts, add_counts(account.counts, receipt.counts))

    def merge_accumulators(self, accounts: Iterable[Account]) -> Account:
        """Return the account of all."""
        receipts: list[Receipt] = []
        counts: Counts = {}
        for account in accounts:
            receipts += account.receipts
            counts = add_counts(counts, account.counts)
        return Account(receipts, counts)

    def extract_output(self, account: Account) -> Account:
        """Return the account in the order of the units."""
        return dataclasses.replace(account, receipts=sorted(account.receipts, key=lambda receipt: receipt.number))


def finish(account: Account, job: Job, conclude: Callable[[Job, Account], None]) -> dict[str, Any]:
    """Write the failures file and the finished marker of a job whose units are all done, and return the marker.

    Raises:
        TooManyFailuresError: the part of inputs that failed is above the job's ``max_failure_rate``.
    """
    receipts = account.receipts
    _remove_leftovers(job, receipts)
    failures = [failure for receipt in receipts for failure in receipt.failures]
    num_inputs = sum(receipt.num_inputs for receipt in receipts)
    io.write_failures(job.output, failures)
    conclude(job, account)  # also where too many failed: what it shows says why
    io.check_failure_rate(num_inputs, Counter(failure.reason for failure in failures), job.max_failure_rate, job.output)
    success = {
        "verb": job.verb,
        "num_inputs": num_inputs,
        "num_failures": len(failures),
        "num_rows": sum(receipt.num_rows for receipt in receipts),
        "seconds": round(sum(receipt.seconds for receipt in receipts), 3),
        "files": [receipt.file for receipt in receipts if receipt.file],
        **job.identity,
    }
    io.write_json(io.join(job.output, io.SUCCESS_FILE), success)
    return success


def identifying(settings: Settings) -> dict[str, Any]:
    """Return the settings that results depend on: a job that failed too often is resumed with a higher limit."""
    return settings.model_dump(mode="json", exclude={"max_failure_rate"})


def fingerprint(unit: Unit, job: Job, found: Settings | None = None) -> str:
    """Return a digest of all that a unit's result depends on; a file counts by size and time of its last change."""
    states: dict[str, tuple[int, float] | None] = {}
    for path in dict.fromkeys(utterance.path for utterance in unit.utterances):  # a thousand segments may share one
        try:
            states[path] = io.size_and_time(path)
        except OSError:
            states[path] = None
    files = [states[utterance.path] for utterance in unit.utterances]
    surveyed = [found.model_dump(mode="json")] if found else []
    # As `dataclasses.asdict` gives it, which copies every value of every row.
    rows = {name: [vars(row) for row in getattr(unit, name)] for name in ("utterances", "failures")}
    return digest([FORMAT, job.verb, job.identity, {**vars(unit), **rows}, files, *surveyed])


def _receipt_path(job: Job, number: int) -> str:
    return io.join(job.output, f"{UNITS_FOLDER}/{number:06d}.json")


def _read_receipt(path: str) -> Receipt | None:
    if not io.exists(path):
        return None
    data = io.read_json(path)
    return Receipt(**{**data, "failures": [Failure(**failure) for failure in data["failures"]]})


def _remove_leftovers(job: Job, receipts: list[Receipt]) -> None:
    """Delete what an earlier run with more units or other failures left in this folder."""
    kept = {io.join(job.output, receipt.file) for receipt in receipts if receipt.file}
    kept |= {_receipt_path(job, receipt.number) for receipt in receipts}
    io.delete(
        path
        for pattern in ("*/part-*.parquet", f"{UNITS_FOLDER}/*.json")
        for path, _ in io.list_folder(job.output, pattern)
        if path not in kept
    )
