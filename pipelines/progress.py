"""How far a local job is: Beam counters of the work in flight and done, shown on stderr."""

from __future__ import annotations

import contextlib
import logging
import sys
import threading
import time
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from datetime import timedelta
from typing import Any

from apache_beam.metrics import MetricsFilter, monitoring_infos
from apache_beam.portability.api import beam_fn_api_pb2 as fn_api
from rich.console import Console
from rich.live import Live

__all__ = ["NAMESPACE", "Tally", "counters", "describe", "display"]

# The counters, incremented by the pipelines' DoFns: "recordings" (done well), "failures" (recordings that failed),
# "audio_milliseconds" (of the recordings done well), and what is to come: "recordings_planned",
# "audio_milliseconds_planned".
NAMESPACE = "beamscribe"

_POLL_SECONDS = 0.5
_LINE_SECONDS = 30.0  # between two lines where stderr is no terminal


def counters(result: Any) -> dict[str, int]:
    """Return the project's counters, summed over all steps, of a finished job on any runner."""
    found = result.metrics().query(MetricsFilter().with_namespace(NAMESPACE))["counters"]
    total: Counter[str] = Counter()
    for metric in found:
        total[metric.key.metric.name] += metric.result or 0
    return dict(total)


class Tally:
    """The counters of a running job: bundles that are done plus bundles in flight."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._done: Counter[str] = Counter()
        self._in_flight: dict[str, _Bundle] = {}

    def follow(self, handler: Any) -> None:
        """Note every bundle that ``handler``, a worker of the local runner, processes from now on."""
        if not isinstance(handler.control_conn, _Followed):
            handler.control_conn = _Followed(handler.control_conn, self)

    def counts(self) -> dict[str, int]:
        """Return the counters as last heard of."""
        with self._lock:
            return dict(sum((bundle.counts for bundle in self._in_flight.values()), self._done.copy()))

    def poll(self) -> None:
        """Ask the workers how far they are; the next poll counts what they answer, so that none is waited for."""
        with self._lock:
            for name, bundle in list(self._in_flight.items()):
                if bundle.work is not None and bundle.work.is_done():
                    self._done += _ours(bundle.work.get().process_bundle.monitoring_infos)
                    del self._in_flight[name]
            bundles = list(self._in_flight.items())
        for name, bundle in bundles:
            if bundle.progress is not None and bundle.progress.is_done():
                # An empty answer means not begun, or done with the response on its way.
                bundle.counts |= _ours(bundle.progress.get().process_bundle_progress.monitoring_infos)
                bundle.progress = None
            if bundle.progress is None:
                ask = fn_api.ProcessBundleProgressRequest(instruction_id=name)
                bundle.progress = bundle.connection.push(fn_api.InstructionRequest(process_bundle_progress=ask))

    def push(self, connection: Any, request: Any) -> Any:
        """Push ``request`` to a worker, noting it where it is a bundle."""
        if not request.HasField("process_bundle"):
            return connection.push(request)
        bundle = _Bundle(connection)
        with self._lock:
            self._in_flight[request.instruction_id] = bundle
        bundle.work = connection.push(request)  # in memory this is where all the work is done
        return bundle.work


class _Bundle:
    def __init__(self, connection: Any) -> None:
        self.connection = connection
        self.work: Any = None
        self.progress: Any = None
        self.counts: Counter[str] = Counter()


class _Followed:
    """A control connection whose bundles are noted."""

    def __init__(self, connection: Any, tally: Tally) -> None:
        self._connection = connection
        self._tally = tally

    def __getattr__(self, name: str) -> Any:
        return getattr(self._connection, name)

    def push(self, request: Any) -> Any:
        return self._tally.push(self._connection, request)


def _ours(infos: Iterable[Any]) -> Counter[str]:
    total: Counter[str] = Counter()
    for info in infos:
        if info.urn == monitoring_infos.USER_COUNTER_URN:
            namespace, name = monitoring_infos.parse_namespace_and_name(info)
            if namespace == NAMESPACE:
                total[name] += monitoring_infos.extract_counter_value(info)
    return total


def describe(counts: Mapping[str, int], seconds: float) -> str:
    """Return one line on ``counts`` reached after ``seconds`` of work.

    >>> describe({"recordings": 9, "failures": 1, "recordings_planned": 40, "audio_milliseconds": 3_600_000}, 60)
    '10/40 recordings, 1.00 h of audio, 0.17 recordings/s, 60 × real time, 1 failure, 0:03:00 left'
    """
    failures, audio = counts.get("failures", 0), counts.get("audio_milliseconds", 0)
    done, planned = counts.get("recordings", 0) + failures, counts.get("recordings_planned", 0)
    seconds = max(seconds, 1e-3)
    parts = [
        f"{done}/{planned} recordings" if planned else f"{done} recordings",
        f"{audio / 3.6e6:.2f} h of audio",
        f"{done / seconds:.2g} recordings/s",
        f"{audio / 1000 / seconds:.0f} × real time",
        f"{failures} failure{'' if failures == 1 else 's'}",
    ]
    audio_planned = counts.get("audio_milliseconds_planned", 0)
    # By audio where its amount is known: recordings differ in length.
    fraction = audio / audio_planned if audio_planned else done / planned if planned else 0.0
    if 0 < fraction <= 1:
        parts.append(f"{timedelta(seconds=round(seconds * (1 - fraction) / fraction))} left")
    return ", ".join(parts)


@contextlib.contextmanager
def display(tally: Tally, title: str | None) -> Iterator[None]:
    """Show ``tally`` on stderr while the block runs: live on a terminal, else a line every 30 s; nothing untitled."""
    if title is None:
        yield
        return
    stopped = threading.Event()
    thread = threading.Thread(target=_show, args=(tally, title, stopped), name="progress", daemon=True)
    thread.start()
    try:
        yield
    finally:
        stopped.set()
        thread.join(timeout=2)


def _show(tally: Tally, title: str, stopped: threading.Event) -> None:
    try:
        console = Console(stderr=True)
        started = shown = time.monotonic()
        live = Live(console=console, auto_refresh=False, transient=True) if console.is_terminal else None
        with live or contextlib.nullcontext():
            while not stopped.wait(_POLL_SECONDS):
                with contextlib.suppress(Exception):  # counters change under the reader; the next poll will do
                    tally.poll()
                now = time.monotonic()
                line = f"{title}: {describe(tally.counts(), now - started)}"
                if live:
                    live.update(line, refresh=True)
                elif now - shown >= _LINE_SECONDS:
                    print(line, file=sys.stderr)
                    shown = now
    except Exception:
        # A job of hours must not fail, or end in a traceback, for its display.
        logging.getLogger(__name__).warning("progress is not shown", exc_info=True)
