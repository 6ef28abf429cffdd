"""The command line: ``beamscribe featurize | train | transcribe | evaluate``."""

from __future__ import annotations

import argparse
import sys
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

from asr_model.config import Settings, SettingsError, apply_overrides, load_settings, parse_yaml
from pipelines.resources import config_file

if TYPE_CHECKING:
    from apache_beam.options.pipeline_options import PipelineOptions

    from pipelines.evaluate import EvaluateJob
    from pipelines.units import Job

DONE, FAILED, WRONG_USAGE = 0, 1, 2

S = TypeVar("S", bound=Settings)

DESCRIPTION = """\
Batch speech recognition: audio archives to transcripts and word-error-rate reports.

  beamscribe featurize   corpus      -> Parquet shards
  beamscribe train       shards      -> recognizer
  beamscribe transcribe  archive     -> transcripts
  beamscribe evaluate    transcripts -> WER report

`beamscribe VERB --help` shows an example of each.
"""

AFTER = """
All Beam options may follow, as Beam spells them (--runner, --direct_num_workers, --project, --temp_location ...).
Settings and options are checked before any work starts. A job that was stopped goes on where it stood when the same
command is given again. Exit status: 0 done, 1 failed, 2 wrong usage or settings.
"""


@dataclass(frozen=True)
class Verb:
    """A verb of the command line: its help and what it does with the parsed arguments and Beam options."""

    summary: str
    input_help: str
    output_help: str
    example: str
    run: Callable[[argparse.Namespace, PipelineOptions], str]


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command line and return the exit status."""
    parsed, rest = _parser().parse_known_args(arguments)
    try:
        from pipelines.options import beam_options

        options = beam_options(rest)
        started = time.monotonic()
        summary = VERBS[parsed.verb].run(parsed, options)
    except (SettingsError, OSError, ValueError) as error:
        return _fail(error, WRONG_USAGE if _is_usage(error) else FAILED)
    except (RuntimeError, FloatingPointError) as error:
        return _fail(error, FAILED)
    print(f"{parsed.verb}: {summary}, {time.monotonic() - started:.1f} s", flush=True)
    return DONE


def run_featurize(parsed: argparse.Namespace, options: PipelineOptions) -> str:
    """Corpus → shards."""
    from asr_model.examples import FeaturizeSettings
    from pipelines.featurize import build, job_of

    settings = _settings(FeaturizeSettings, parsed)
    job = job_of(parsed.input, parsed.output, settings)
    success = _run_job(job, lambda pipeline: build(pipeline, job, settings), parsed, options)
    return _account(success, "examples", parsed.output)


def run_train(parsed: argparse.Namespace, options: PipelineOptions) -> str:
    """Shards → recognizer."""
    from apache_beam.io.filesystems import FileSystems

    from asr_model.train import TrainSettings
    from pipelines.training import train_on_shards

    settings = _settings(TrainSettings, parsed)
    FileSystems.set_options(options)
    figures = train_on_shards(parsed.input, parsed.output, settings, parsed.overwrite)
    wer = "no dev split" if figures["dev_wer"] is None else f"dev WER {figures['dev_wer']:.1%}"
    skipped = f", {figures['infeasible']} utterances too short for their text" if figures["infeasible"] else ""
    return f"{figures['steps']} steps, {wer}{skipped}, {parsed.output}/recognizer.safetensors"


def run_transcribe(parsed: argparse.Namespace, options: PipelineOptions) -> str:
    """Archive → transcripts."""
    from asr_model.transcription import TranscribeSettings
    from pipelines.transcribe import build, job_of

    settings = _settings(TranscribeSettings, parsed)
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


VERBS = {
    "featurize": Verb(
        "Read a corpus, compute features, write Parquet shards.",
        "manifest (.jsonl), table (.csv, .tsv), folder of a corpus, or glob of audio",
        "folder for the shards",
        "beamscribe featurize --input corpus/manifest.jsonl --output build/shards --set unit_minutes=20",
        run_featurize,
    ),
    "train": Verb(
        "Train a recognizer on shards.",
        "folder that featurize wrote",
        "folder of the run: checkpoints, metrics.jsonl, recognizer.safetensors",
        "beamscribe train --input build/shards --output runs/first --set epochs=20 --set precision=bfloat16",
        run_train,
    ),
    "transcribe": Verb(
        "Transcribe an archive of recordings.",
        "manifest (.jsonl), table (.csv, .tsv), folder of a corpus, or glob of audio",
        "folder for the transcripts",
        "beamscribe transcribe --input 'calls/**.wav' --output build/transcripts --direct_num_workers=2",
        run_transcribe,
    ),
    "evaluate": Verb(
        "Score transcripts against references and write a report.",
        "folder that transcribe wrote, or a JSON-lines file with pred_text",
        "folder for the report",
        "beamscribe evaluate --input build/transcripts --reference references.jsonl --output build/report",
        run_evaluate,
    ),
}


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        "beamscribe",
        description=DESCRIPTION,
        formatter_class=argparse.RawDescriptionHelpFormatter,
        allow_abbrev=False,
    )
    verbs = parser.add_subparsers(dest="verb", required=True, metavar="VERB")
    for name, verb in VERBS.items():
        sub = verbs.add_parser(
            name,
            help=verb.summary,
            description=verb.summary,
            epilog=f"example:\n  {verb.example}\n{AFTER}",
            formatter_class=argparse.RawDescriptionHelpFormatter,
            allow_abbrev=False,
        )
        sub.add_argument("--config", type=Path, help=f"settings (YAML; default: {config_file(name).name})")
        sub.add_argument("--input", required=True, help=verb.input_help)
        if name == "transcribe":
            shipped = "default: the one that comes with beamscribe"
            sub.add_argument("--recognizer", help=f"recognizer.safetensors, or the folder that holds it ({shipped})")
        if name == "evaluate":
            sub.add_argument(
                "--reference", required=True, help="manifest (.jsonl) or table (.csv, .tsv) with the true texts"
            )
            fail_above = "exit with status 1 where the word error rate is above this fraction, as 0.15"
            sub.add_argument("--fail-above", type=float, metavar="WER", help=fail_above)
        sub.add_argument("--output", required=True, help=verb.output_help)
        sub.add_argument("--set", action="append", default=[], metavar="SECTION.KEY=VALUE", help="override a setting")
        sub.add_argument("--overwrite", action="store_true", help="replace the output of another run")
    return parser


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


def _is_usage(error: Exception) -> bool:
    from pipelines.io import InputError

    return isinstance(error, SettingsError | InputError)


def _fail(error: Exception, status: int) -> int:
    print(f"beamscribe: error: {error}", file=sys.stderr)
    return status


if __name__ == "__main__":
    sys.exit(main())
