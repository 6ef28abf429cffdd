"""The rest of the command line: every Beam option as Beam spells it, checked before any work starts."""

from __future__ import annotations

import argparse
import os
from collections.abc import Sequence
from typing import TYPE_CHECKING, NoReturn

from asr_model.config import SettingsError, nearest

if TYPE_CHECKING:  # Beam takes seconds to import, and --help needs none of it
    from apache_beam.options.pipeline_options import PipelineOptions
    from apache_beam.runners.runner import PipelineRunner

__all__ = ["beam_options", "make_runner"]

# These names mean our LocalRunner. Beam's own DirectRunner tries to download another engine and falls back in silence,
# so that the same flag runs different engines.
_LOCAL = ("directrunner", "fnapirunner")


def beam_options(arguments: Sequence[str]) -> PipelineOptions:
    """Parse Beam options strictly.

    On the local runner, ``--direct_num_workers`` left out or 0 is the number of processors this process may use, and
    ``--direct_running_mode`` left out is multi_processing for more than one worker, else in_memory. In memory there is
    one worker, whatever is asked for.

    Raises:
        SettingsError: an option or runner is unknown, misspelled, abbreviated or has a value of the wrong type.
    """
    from apache_beam.options.pipeline_options import DirectOptions, PipelineOptions, StandardOptions

    parser = _strict_parser()
    given, unknown = parser.parse_known_args(list(arguments))
    if unknown:
        name = unknown[0].partition("=")[0]
        known = sorted(option for action in parser._actions for option in action.option_strings)
        raise SettingsError(f"{unknown[0]}: not an option{nearest(name, known)}")
    options = PipelineOptions(list(arguments))
    if _runner_name(options.view_as(StandardOptions).runner) in _LOCAL:
        if given.direct_running_mode == "multi_threading":
            from pipelines.local_runner import MULTI_THREADING_REFUSED

            raise SettingsError(MULTI_THREADING_REFUSED)
        if given.direct_num_workers < 0:
            raise SettingsError(f"--direct_num_workers={given.direct_num_workers}: wanted 0 (all processors) or more")
        named = {argument.partition("=")[0] for argument in arguments}
        workers = given.direct_num_workers if "--direct_num_workers" in named else 0
        mode = given.direct_running_mode if "--direct_running_mode" in named else None
        direct = options.view_as(DirectOptions)
        direct.direct_num_workers = 1 if mode == "in_memory" else workers or _num_processors()
        direct.direct_running_mode = mode or ("in_memory" if direct.direct_num_workers == 1 else "multi_processing")
    return options


def make_runner(options: PipelineOptions, title: str | None = None) -> PipelineRunner:
    """Return the runner that ``--runner`` names; a local one shows its progress under ``title``, if one is given.

    Raises:
        SettingsError: the runner is unknown, or needs an extra that is not installed.
    """
    from apache_beam.options.pipeline_options import StandardOptions
    from apache_beam.runners.runner import create_runner

    name = options.view_as(StandardOptions).runner
    if _runner_name(name) in _LOCAL:
        from pipelines.local_runner import LocalRunner

        return LocalRunner(title)
    try:
        if "dataflow" in name.lower():  # create_runner would succeed, and only the submission fail
            import apache_beam.runners.dataflow.internal.apiclient  # noqa: F401
        return create_runner(name)
    except ImportError as error:
        extra = "; it is in the extra beamscribe[gcp]" if "dataflow" in name.lower() else ""
        raise SettingsError(f"--runner={name}: not installed{extra} ({error})") from error
    except AttributeError as error:
        raise SettingsError(f"--runner={name}: no such runner ({error})") from error


def _strict_parser() -> argparse.ArgumentParser:
    """Return a parser of all options that Beam knows, whose every error is a SettingsError."""
    from apache_beam.options.pipeline_options import PipelineOptions, _BeamArgumentParser

    class Parser(_BeamArgumentParser):
        def error(self, message: str) -> NoReturn:
            raise SettingsError(message)

    parser: argparse.ArgumentParser = Parser(allow_abbrev=False, add_help=False)
    for group in {str(group): group for group in PipelineOptions.__subclasses__()}.values():
        group._add_argparse_args(parser)
    return parser


def _runner_name(name: str | None) -> str:
    """Return ``name`` as Beam looks it up: lower case, with or without "runner" at its end; a dotted path as it is.

    Raises:
        SettingsError: Beam has no runner of this name.
    """
    from apache_beam.options.pipeline_options import StandardOptions

    if name is None:
        return _LOCAL[0]
    if "." in name:
        return name
    for known in StandardOptions.KNOWN_RUNNER_NAMES:
        if known.lower() in (name.lower(), f"{name.lower()}runner"):
            return str(known.lower())
    raise SettingsError(
        f"--runner={name}: no such runner{nearest(name, StandardOptions.KNOWN_RUNNER_NAMES)} "
        f"(known: {', '.join(StandardOptions.KNOWN_RUNNER_NAMES)}, or the dotted path of a class)"
    )


def _num_processors() -> int:
    """Return how many processors this process may use, at least 1."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1
