"""One machine: Beam's FnApiRunner that passes options on, balances work, notices dead workers and cleans up."""

from __future__ import annotations

import collections
import concurrent.futures
import contextlib
import copy
import logging
import math
import re
import time
import traceback
from pathlib import Path
from typing import Any

import apache_beam
from apache_beam.metrics import monitoring_infos
from apache_beam.options.pipeline_options import DirectOptions, PipelineOptions
from apache_beam.options.value_provider import RuntimeValueProvider
from apache_beam.portability import python_urns
from apache_beam.portability.api import beam_fn_api_pb2 as fn_api
from apache_beam.portability.api import beam_provision_api_pb2 as provision_api
from apache_beam.runners.portability.fn_api_runner import fn_runner
from apache_beam.runners.portability.portable_runner import JobServiceHandle
from apache_beam.utils.thread_pool_executor import shared_unbounded_instance

from asr_model.config import SettingsError
from pipelines import progress
from pipelines.local_worker import end_bundles_at_once
from pipelines.worker_process import ENVIRONMENT, WorkerProcess, forked

__all__ = ["MULTI_THREADING_REFUSED", "LocalRunner", "WorkFailed", "WorkerDied"]

MULTI_THREADING_REFUSED = (
    "--direct_running_mode=multi_threading: refused, because Beam corrupts large elements in this mode; "
    "wanted in_memory or multi_processing"
)

# Frames of these files are left out of an error: Beam's (compiled ones have a relative path) and the runner's own.
_BEAM_PLACES = (str(Path(apache_beam.__file__).parent), '"apache_beam/', __file__, progress.__file__)
_MAX_PIECES = 1024  # the most bundles that the input of one stage is cut into
_BUNDLES_WITH_SIDE_INPUTS = 4  # the most for each worker
_QUICK_SECONDS = 0.5  # a worker that needs less for a bundle takes twice as many pieces for the next


class WorkerDied(RuntimeError):  # noqa: N818 - it says what happened
    """A worker process ended in the middle of a job; the message names its pid and how it ended."""


class WorkFailed(RuntimeError):  # noqa: N818
    """The pipeline's own code raised; the message holds the error and the frames outside Beam."""


class LocalRunner(fn_runner.FnApiRunner):
    """Runs one pipeline, in this process (``in_memory``) or on worker processes (``multi_processing``).

    With a ``title``, progress is shown on stderr under this title.

    Raises (from ``Pipeline.run``):
        WorkFailed: the pipeline's own code raised, in either mode.
        WorkerDied: a worker process was killed, ran out of memory or crashed.
    """

    def __init__(self, title: str | None = None) -> None:
        super().__init__()
        self._title = title
        self._tally = progress.Tally()

    def run_via_runner_api(self, pipeline_proto: Any, options: PipelineOptions) -> Any:
        """Run a translated pipeline to its end."""
        mode = options.view_as(DirectOptions).direct_running_mode
        if mode == "multi_threading":
            raise SettingsError(MULTI_THREADING_REFUSED)
        if mode == "in_memory":
            self._num_workers = 1  # more of them in one process only share the interpreter's lock
        # FnApiRunner by itself hands no options to its workers, and S3 credentials, for one, are options.
        given = {"default_sdk_harness_log_level": "WARNING", **options.get_all_options(drop_default=True)}
        RuntimeValueProvider.set_runtime_options(given)  # in memory the driver is the worker
        encoded = JobServiceHandle.encode_pipeline_options(given)
        self._provision_info = fn_runner.ExtendedProvisionInfo(provision_api.ProvisionInfo(pipeline_options=encoded))
        for environment in pipeline_proto.components.environments.values():
            if environment.urn == python_urns.SUBPROCESS_SDK:
                environment.urn = ENVIRONMENT
        # It logs every error with pages of traceback; ours says the same in a few lines.
        logging.getLogger("apache_beam.runners.common").setLevel(logging.CRITICAL)
        end_bundles_at_once()
        with forked(0 if mode == "in_memory" else self._num_workers), progress.display(self._tally, self._title):
            return super().run_via_runner_api(pipeline_proto, options)

    def _execute_bundle(self, context: Any, bundle_context: Any, bundle_input: Any) -> Any:
        handlers = bundle_context.worker_handlers
        if self._title is not None:
            for handler in handlers:
                self._tally.follow(handler)
        try:
            return super()._execute_bundle(context, bundle_context, bundle_input)
        except BaseException as error:
            workers = [handler for handler in handlers if isinstance(handler, WorkerProcess)]
            death = next((worker.death for worker in workers if worker.death), None)
            for worker in workers:
                worker.kill()  # else they would first finish what they are at
            if death:
                raise WorkerDied(death) from None
            if isinstance(error, Exception | SystemExit):
                # From a worker process comes its traceback as the message.
                text = str(error) if "Traceback (" in str(error) else "".join(traceback.format_exception(error))
                logging.getLogger(__name__).debug("work failed: %s", text)
                raise WorkFailed(_shortened(text)) from None
            raise

    def _get_bundle_manager(self, bundle_context: Any) -> Any:
        stock = super()._get_bundle_manager(bundle_context)
        # State is keyed, and Beam keeps a stage that has some on one worker.
        if bundle_context.stage.is_stateful() or not isinstance(bundle_context.worker_handlers[0], WorkerProcess):
            return stock
        return _BalancedBundles(bundle_context, cache_token_generator=stock._cache_token_generator)


class _BalancedBundles(fn_runner.BundleManager):
    """Cuts the input of a stage into many bundles, of which each worker takes the next when it is free.

    Beam deals one bundle to each worker, round-robin, and the slowest decides when the stage is done.
    """

    def process_bundle(
        self, inputs: Any, expected_outputs: Any, fired_timers: Any, expected_output_timers: Any, dry_run: bool = False
    ) -> tuple[Any, list[Any]]:
        """Process the whole input of a stage; returns one response for all bundles, and no splits."""
        pieces = collections.deque(
            (name, piece) for name, buffer in inputs.items() for piece in buffer.partition(_MAX_PIECES) if any(piece)
        )
        if not pieces:  # an empty stage still has to run, for its start_bundle and finish_bundle
            pieces.extend((name, []) for name in inputs)

        handlers = self.bundle_context_manager.worker_handlers
        # A worker loads the side inputs of a stage for each bundle anew, so that there must not be many.
        some = any(True for _ in self.bundle_context_manager.stage.side_inputs())
        least = math.ceil(len(pieces) / (_BUNDLES_WITH_SIDE_INPUTS * len(handlers))) if some else 1

        def work(handler: Any) -> list[Any]:
            bundle_context = copy.copy(self.bundle_context_manager)
            bundle_context._worker_handlers = [handler]
            one_worker = _OneBundle(bundle_context, cache_token_generator=self._cache_token_generator)
            responses, size = [], least
            # Half of a fair share of what is left, at most, so that all workers end at the same time.
            while bundle := _take(pieces, max(least, min(size, len(pieces) // (2 * len(handlers))))):
                started = time.monotonic()
                data = {name: bundle.get(name, []) for name in inputs}
                arguments = (data, expected_outputs, fired_timers, expected_output_timers, dry_run)
                responses.append(one_worker.process_bundle(*arguments)[0].process_bundle)
                size = size * 2 if time.monotonic() - started < _QUICK_SECONDS else max(least, size // 2)
            return responses

        # Not a pool of its own: leaving one waits for its threads, also after an error or Ctrl-C.
        futures = [shared_unbounded_instance().submit(work, handler) for handler in handlers]
        try:
            concurrent.futures.wait(futures, return_when=concurrent.futures.FIRST_EXCEPTION)
            failed = next((future for future in futures if future.done() and future.exception()), None)
            responses = [r for future in ([failed] if failed else futures) for r in future.result()]
        finally:
            pieces.clear()
        merged = fn_api.ProcessBundleResponse(
            residual_roots=[root for response in responses for root in response.residual_roots],
            monitoring_infos=monitoring_infos.consolidate(
                info for response in responses for info in response.monitoring_infos
            ),
        )
        return fn_api.InstructionResponse(process_bundle=merged), []


def _take(pieces: collections.deque[tuple[str, list[bytes]]], size: int) -> dict[str, list[bytes]]:
    """Take up to ``size`` pieces off the left, as one list of encoded elements for each input."""
    bundle: dict[str, list[bytes]] = {}
    with contextlib.suppress(IndexError):
        for _ in range(size):
            name, piece = pieces.popleft()
            bundle.setdefault(name, []).extend(piece)
    return bundle


class _OneBundle(fn_runner.BundleManager):
    def _send_input_to_worker(self, *arguments: Any) -> None:
        # Beam sends all input before it asks for the work; beyond some 100 MB the queues between are full for ever.
        shared_unbounded_instance().submit(super()._send_input_to_worker, *arguments)


def _shortened(text: str) -> str:
    """Reduce a printed traceback to its error and the frames outside Beam."""
    lines = text.rstrip().splitlines()
    starts = [index for index, line in enumerate(lines) if re.match(r'  File "', line)]
    if not starts:
        return text
    frames: list[list[str]] = []
    for start, end in zip(starts, [*starts[1:], len(lines)], strict=True):
        frame = [line for line in lines[start:end] if line.startswith(("  File", "    "))]
        if not any(place in frame[0] for place in _BEAM_PLACES) and frame not in frames:
            frames.append(frame)
    error = [line for line in lines[starts[-1] + 1 :] if not line.startswith("    ")]
    return "\n".join([*error, *(line for frame in frames for line in frame)])
