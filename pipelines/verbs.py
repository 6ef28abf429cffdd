"""The verbs of the command line: what each needs, does and says. A further verb is one function and one entry here."""

from __future__ import annotations

import argparse
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, TypeVar

from asr_model.config import Settings, SettingsError, apply_overrides, load_settings, parse_yaml
from pipelines.resources import config_file

if TYPE_CHECKING:
    from apache_beam.options.pipeline_options import PipelineOptions

    from pipelines.evaluate import EvaluateJob
    from pipelines.units import Job

__all__ = ["VERBS", "Argument", "Verb"]

S = TypeVar("S", bound=Settings)


@dataclass(frozen=True)
class Argument:
    """An argument of one verb: its flag, its help, and what argparse calls the rest."""

    flag: str
    help: str
    more: dict[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class Verb:
    """A verb of the command line: its help, what it does, and arguments beside those that all verbs have.

    ``run`` gets the parsed arguments and Beam options and returns one line that says what was done.
    """

    summary: str
    input_help: str
    output_help: str
    example: str
    run: Callable[[argparse.Namespace, PipelineOptions], str]
    arguments: tuple[Argument, ...] = ()
    takes_several: bool = False
    """Whether there may be several inputs, one after the other."""
    bare_input: bool = False
    """Whether inputs are given without a flag."""


def run_featurize(parsed: argparse.Namespace, options: PipelineOptions) -> str:
    """Corpus → shards."""
    from asr_model.examples import FeaturizeSettings
    from pipelines.featurize import build, job_of

    settings = _settings(FeaturizeSettings, parsed)
    job = job_of(parsed.input, parsed.output, settings)
    success = _run_job(job, lambda pipeline: build(pipeline, job, settings), parsed, options)
    return _account(success, "examples", f"{parsed.output.rstrip('/')}/corpus.html")


def run_train(parsed: argparse.Namespace, options: PipelineOptions) -> str:
    """Shards → recognizer."""
    from apache_beam.io.filesystems import FileSystems

    from asr_model.train import TrainSettings
    from pipelines.training import train_on_shards

    settings = _settings(TrainSettings, parsed)
    FileSystems.set_options(options)
    figures = train_on_shards(parsed.input, parsed.output, settings, parsed.overwrite, parsed.init)
    wer = "no dev split" if figures["dev_wer"] is None else f"dev WER {figures['dev_wer']:.1%}"
    skipped = f", {figures['infeasible']} utterances too short for their text" if figures["infeasible"] else ""
    if figures["outside_alphabet"]:
        skipped += f", {figures['outside_alphabet']} utterances outside the alphabet"
    return f"{figures['steps']} steps, {wer}{skipped}, {parsed.output}/recognizer.safetensors"


def run_transcribe(parsed: argparse.Namespace, options: PipelineOptions) -> str:
    """Archive → transcripts."""
    from asr_model.transcription import TranscribeSettings
    from pipelines.transcribe import build, job_of, settle_decoder

    settings = settle_decoder(_settings(TranscribeSettings, parsed), parsed.recognizer)
    job = job_of(parsed.input, parsed.recognizer, parsed.output, settings)
    success = _run_job(job, lambda pipeline: build(pipeline, job, parsed.recognizer, settings), parsed, options)
    return _account(success, "transcripts", parsed.output)


def run_evaluate(parsed: argparse.Namespace, options: PipelineOptions) -> str:
    """Transcripts → report."""
    from asr_model.scoring import EvaluateSettings
    from pipelines.evaluate import build, job_of

    settings = _settings(EvaluateSettings, parsed)
    job = job_of(parsed.input, parsed.reference, parsed.output, settings)
    summary = _run_job(job, lambda pipeline: build(pipeline, job), parsed, options)
    if summary is None:
        return _account(None, "", parsed.output)
    rates = ", ".join(
        f"{name.upper()} {'undefined' if summary[name] is None else format(summary[name], '.2%')}"
        for name in ("wer", "cer")
    )
    limit = parsed.fail_above
    if limit is not None and (summary["wer"] is None or summary["wer"] > limit):
        raise RuntimeError(f"--fail-above {limit}: {rates}, {parsed.output}/index.html")
    counts = f"{summary['num_words']} words in {summary['num_files']} files, {summary['num_failures']} failures"
    return f"{rates}, {counts}, {parsed.output}/index.html"


def run_lm(parsed: argparse.Namespace, options: PipelineOptions) -> str:
    """Texts → language model."""
    from apache_beam.io.filesystems import FileSystems

    from asr_model.language_model import LanguageModelSettings
    from pipelines.lm import make_language_model

    settings = _settings(LanguageModelSettings, parsed)
    FileSystems.set_options(options)
    made = make_language_model(parsed.input, parsed.dev, parsed.attach, parsed.output, settings, parsed.overwrite)
    said = [f"{made['num_texts']} texts, {made['num_words']} words, {made['vocabulary']} of them different"]
    if parsed.dev:
        said.append(
            f"perplexity {made['perplexity']:.1f}, {made['unknown_rate']:.2%} of {made['num_dev_words']} words unknown"
        )
    if made.get("num_unspellable"):
        said.append(f"{made['num_unspellable']} words have letters the recognizer cannot write")
    return ", ".join(
        [*said, f"{parsed.output}/{'recognizer.safetensors' if parsed.attach else 'language_model.arpa.gz'}"]
    )


def run_tune(parsed: argparse.Namespace, options: PipelineOptions) -> str:
    """Recognizer and shards → recognizer with the best decoder."""
    from apache_beam.io.filesystems import FileSystems

    from asr_model.tuning import TuneSettings
    from pipelines.tune import tune_recognizer

    settings = _settings(TuneSettings, parsed)
    FileSystems.set_options(options)
    made = tune_recognizer(parsed.input, parsed.recognizer, parsed.output, settings, parsed.overwrite)
    decoder = ", ".join(f"{name} {value}" for name, value in made["decoder"].items())
    rates = f"dev WER {made['wer']:.2%} of {made['num_words']} words (greedy: {made['greedy_wer']:.2%})"
    return f"{rates}, {decoder}, {parsed.output}/recognizer.safetensors"


def run_compare(parsed: argparse.Namespace, options: PipelineOptions) -> str:
    """Reports → comparison."""
    from apache_beam.io.filesystems import FileSystems

    from asr_model.significance import CompareSettings
    from pipelines.compare import compare
    from pipelines.comparison_report import verdict

    settings = _settings(CompareSettings, parsed)
    FileSystems.set_options(options)
    summary = compare(parsed.input, parsed.output, settings, parsed.overwrite)
    rates = {s["name"]: "undefined" if s["wer"] is None else f"{s['wer']:.2%}" for s in summary["systems"]}
    wers = ", ".join(f"{name} {rate}" for name, rate in rates.items())
    verdicts = ", ".join(f"{row['system']} is {verdict(row)}" for row in summary["differences"])
    return f"WER {wers}; {verdicts}, {parsed.output}/index.html"


VERBS = {
    "featurize": Verb(
        "Read a corpus, compute features, write Parquet shards.",
        "manifest (.jsonl), table (.csv, .tsv), folder of a corpus, or glob of audio",
        "folder for the shards, corpus.json and corpus.html",
        "beamscribe featurize --input corpus/manifest.jsonl --output build/shards --set unit_minutes=20",
        run_featurize,
    ),
    "train": Verb(
        "Train a recognizer on shards.",
        "folders that featurize wrote, one or several",
        "folder of the run: checkpoints, metrics.jsonl, recognizer.safetensors",
        "beamscribe train --input build/shards --output runs/first --set epochs=20 --set precision=bfloat16",
        run_train,
        (Argument("--init", "recognizer to begin with instead of random weights; the alphabet may be another"),),
        takes_several=True,
    ),
    "lm": Verb(
        "Train a language model on texts, and give it to a recognizer.",
        "texts (.txt, one a line), folder that featurize wrote, manifest, table or folder of a corpus",
        "folder for language_model.arpa.gz and recognizer.safetensors",
        "beamscribe lm --input build/shards --dev build/shards --attach runs/first --output runs/with-words",
        run_lm,
        (
            Argument("--dev", "held-out texts to measure perplexity on; of shards and manifests the dev split counts"),
            Argument("--attach", "recognizer that is copied to the output and carries the language model there"),
        ),
    ),
    "tune": Verb(
        "Find the decoder weights of a recognizer that carries a language model.",
        "folder that featurize wrote, with a dev split",
        "folder for the tuned recognizer.safetensors",
        "beamscribe tune --input build/shards --recognizer runs/with-words --output runs/tuned",
        run_tune,
        (Argument("--recognizer", "recognizer.safetensors, or the folder that holds it", {"required": True}),),
    ),
    "transcribe": Verb(
        "Transcribe an archive of recordings.",
        "manifest (.jsonl), table (.csv, .tsv), folder of a corpus, or glob of audio",
        "folder for the transcripts",
        "beamscribe transcribe --input 'calls/**.wav' --output build/transcripts --direct_num_workers=2",
        run_transcribe,
        (
            Argument(
                "--recognizer",
                "recognizer.safetensors, or the folder that holds it (default: the one that comes with beamscribe); "
                "or whisper:FOLDER, a Whisper model in CTranslate2's format",
            ),
        ),
    ),
    "evaluate": Verb(
        "Score transcripts against references and write a report.",
        "folder that transcribe wrote, or another system's JSON lines, Whisper JSON, CTM, TRN, SRT, VTT or CSV: "
        "a file, a folder or a glob",
        "folder for the report",
        "beamscribe evaluate --input build/transcripts --reference references.jsonl --output build/report",
        run_evaluate,
        (
            Argument(
                "--reference",
                "the true texts: manifest, table, STM, CTM, TRN, Kaldi text or corpus",
                {"required": True},
            ),
            Argument(
                "--fail-above",
                "exit with status 1 where the word error rate is above this fraction, as 0.15",
                {"type": float, "metavar": "WER"},
            ),
        ),
    ),
    "compare": Verb(
        "Compare two or more evaluations of the same references.",
        "folders that evaluate wrote; differences are to the first",
        "folder for the comparison",
        "beamscribe compare build/report-before build/report-now --output build/comparison",
        run_compare,
        takes_several=True,
        bare_input=True,
    ),
}


def _settings(model: type[S], parsed: argparse.Namespace) -> S:
    path = parsed.config or config_file(parsed.verb)
    try:
        text = path.read_text(encoding="utf-8")
    except OSError as error:
        raise SettingsError(f"--config {path}: {error.strerror or error}") from error
    data = apply_overrides(parse_yaml(text, str(path)), parsed.set)
    return load_settings(model, data, str(path) if not parsed.set else f"{path} with --set")


def _run_job(
    job: Job | EvaluateJob, build: Callable[[Any], Any], parsed: argparse.Namespace, options: PipelineOptions
) -> dict[str, Any] | None:
    """Run a job and return its finished marker, or None where only the graph was wanted."""
    import apache_beam as beam
    from apache_beam.io.filesystems import FileSystems
    from apache_beam.options.pipeline_options import TestOptions

    import pipelines.io as io
    from pipelines.options import make_runner

    runner = make_runner(options, parsed.verb)
    FileSystems.set_options(options)
    dry_run = options.view_as(TestOptions).dry_run
    if not dry_run:
        job.check()
        io.claim_folder(job.output, job.claim, parsed.overwrite)
    pipeline = beam.Pipeline(runner=runner, options=options)
    build(pipeline)
    pipeline.run().wait_until_finish()
    return None if dry_run else io.read_success(job.output, parsed.verb)


def _account(success: dict[str, Any] | None, rows: str, output: str) -> str:
    if success is None:
        return f"graph built, nothing run, {output}"
    good = success["num_inputs"] - success["num_failures"]
    return (
        f"{good} of {success['num_inputs']} recordings, {success['num_rows']} {rows}, "
        f"{success['seconds'] / 3600:.2f} h of audio, {success['num_failures']} failures, {output}"
    )
