"""The command line: ``beamscribe VERB``."""

from __future__ import annotations

import argparse
import gc
import sys
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from asr_model.config import SettingsError
from pipelines.resources import config_file
from pipelines.verbs import VERBS

DONE, FAILED, WRONG_USAGE = 0, 1, 2

DESCRIPTION = """\
Batch speech recognition: audio archives to transcripts and word-error-rate reports.

  beamscribe featurize   corpus      -> Parquet shards
  beamscribe train       shards      -> recognizer
  beamscribe lm          texts       -> language model, carried by a recognizer
  beamscribe tune        shards      -> decoder weights of a recognizer
  beamscribe transcribe  archive     -> transcripts
  beamscribe evaluate    transcripts -> WER report
  beamscribe compare     WER reports -> comparison

`beamscribe VERB --help` shows an example of each.
"""

AFTER = """
All Beam options may follow, as Beam spells them (--runner, --direct_num_workers, --project, --temp_location ...).
Settings and options are checked before any work starts. A job that was stopped goes on where it stood when the same
command is given again. Exit status: 0 done, 1 failed, 2 wrong usage or settings.
"""


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command line and return the exit status."""
    parsed, rest = _parser().parse_known_args(arguments)
    try:
        gc.disable()  # importing Beam makes a million objects and no garbage; looking for it takes a third of the time
        try:
            from pipelines.options import beam_options

            options = beam_options(rest)
        finally:
            gc.freeze()
            gc.enable()
        started = time.monotonic()
        summary = VERBS[parsed.verb].run(parsed, options)
    except (SettingsError, OSError, ValueError) as error:
        return _fail(error, WRONG_USAGE if _is_usage(error) else FAILED)
    except (RuntimeError, FloatingPointError) as error:
        return _fail(error, FAILED)
    print(f"{parsed.verb}: {summary}, {time.monotonic() - started:.1f} s", flush=True)
    return DONE


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
        several: dict[str, Any] = {"nargs": "+", "metavar": "FOLDER"} if verb.takes_several else {}
        if verb.bare_input:
            sub.add_argument("input", help=verb.input_help, **several)
        else:
            sub.add_argument("--input", required=True, help=verb.input_help, **several)
        for argument in verb.arguments:
            sub.add_argument(argument.flag, help=argument.help, **argument.more)
        sub.add_argument("--output", required=True, help=verb.output_help)
        sub.add_argument("--set", action="append", default=[], metavar="SECTION.KEY=VALUE", help="override a setting")
        sub.add_argument("--overwrite", action="store_true", help="replace the output of another run")
    return parser


def _is_usage(error: Exception) -> bool:
    from pipelines.io import InputError

    return isinstance(error, SettingsError | InputError)


def _fail(error: Exception, status: int) -> int:
    print(f"beamscribe: error: {error}", file=sys.stderr)
    return status


if __name__ == "__main__":
    sys.exit(main())
