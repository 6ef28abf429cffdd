"""A worker process of the local runner as its driver sees it: started, watched, and never left behind."""

from __future__ import annotations

import collections
import contextlib
import os
import signal
import subprocess
import sys
import threading
from collections.abc import Iterable, Iterator
from typing import Any

from apache_beam.portability.api import beam_fn_api_pb2 as fn_api
from apache_beam.runners.portability.fn_api_runner import worker_handlers
from apache_beam.runners.worker import data_plane
from google.protobuf import json_format, text_format  # type: ignore[import-untyped]

__all__ = ["ENVIRONMENT", "WorkerProcess"]

ENVIRONMENT = "beamscribe:env:worker_process:v1"  # Beam's environment URN for work that is done here

# What the driver can import, a worker can. Not by PYTHONPATH: programs that a DoFn starts would inherit it.
_START_WORKER = "import sys; sys.path[:] = sys.argv[1:]; from pipelines.local_worker import main; main()"
_STDERR_LINES = 10  # kept of a worker, to be shown should it die
_TEARDOWN_SECONDS = 10


class _Control(worker_handlers.ControlConnection):
    """The requests to a worker; once it is dead all that are open, and all that come, are answered with an error."""

    error = ""

    def push(self, req: Any) -> Any:
        future = super().push(req)
        if self.error and future is not None:
            self._answer(future)
        return future

    def set_input(self, input: Iterable[Any]) -> None:
        super().set_input(_until_broken(input))

    def fail(self, error: str) -> None:
        self.error = error  # first, so that a request pushed meanwhile is answered there or here
        for future in list(self._futures_by_id.values()):
            self._answer(future)

    def _answer(self, future: Any) -> None:
        future.set(fn_api.InstructionResponse(instruction_id=future.instruction_id, error=self.error))


class _Data(data_plane._GrpcDataChannel):
    def set_inputs(self, elements_iterator: Iterable[Any]) -> None:
        super().set_inputs(_until_broken(elements_iterator, forever=True))


def _until_broken(stream: Iterable[Any], forever: bool = False) -> Iterator[Any]:
    """Yield a stream up to where the worker's end broke, in silence: that a worker died is told by its exit.

    With ``forever`` the stream then never ends, so that nobody takes what came for all.
    """
    with contextlib.suppress(Exception):
        yield from stream
    if forever:
        threading.Event().wait()


@worker_handlers.WorkerHandler.register_environment(ENVIRONMENT, bytes)
class WorkerProcess(worker_handlers.GrpcWorkerHandler):
    """A worker process; should it end unasked, ``death`` says how, and whoever waits for it gets that as an error."""

    def __init__(self, _: bytes, state: Any, provision_info: Any, grpc_server: Any) -> None:
        super().__init__(state, provision_info, grpc_server)
        self.control_conn = _Control()
        self.data_conn = _Data(worker_handlers.DATA_BUFFER_TIME_LIMIT_MS)
        grpc_server.control_handler._connections_by_worker_id[self.worker_id] = self.control_conn
        grpc_server.data_plane_handler._connections_by_worker_id[self.worker_id, ""] = self.data_conn
        self.death = ""
        self._stopping = False
        self._stderr: collections.deque[str] = collections.deque(maxlen=_STDERR_LINES)

    def start_worker(self) -> None:
        """Start the process; it connects by itself, seconds later."""
        control = text_format.MessageToString(self.control_api_service_descriptor())
        options = json_format.MessageToJson(self.provision_info.provision_info.pipeline_options)
        environment = {
            **os.environ,
            "CONTROL_API_SERVICE_DESCRIPTOR": control,
            "PIPELINE_OPTIONS": options,
            "WORKER_ID": self.worker_id,
        }
        self._process = subprocess.Popen(
            [sys.executable, "-c", _START_WORKER, *sys.path],
            env=environment,
            stdin=subprocess.PIPE,  # never written to: see end_with_driver
            stderr=subprocess.PIPE,
            text=True,
            errors="replace",
            start_new_session=True,  # Ctrl-C is for the driver, which then ends its workers
        )
        self._reader = threading.Thread(target=self._pass_on_stderr, daemon=True)
        self._reader.start()
        self._watcher = threading.Thread(target=self._watch, daemon=True)
        self._watcher.start()

    def kill(self) -> None:
        """End the process at once."""
        self._stopping = True
        self._process.kill()

    def close(self) -> None:
        """End the connection and the process; a living one first runs its teardowns, for a few seconds at most."""
        self._stopping = True
        if self.control_conn._state != worker_handlers.BeamFnControlServicer.STARTED_STATE:
            self.kill()  # it has nothing to tear down, and would wait for ever for a connection
        late = threading.Timer(_TEARDOWN_SECONDS, self.kill)
        late.start()
        self.control_conn.close()
        self._watcher.join()
        late.cancel()
        self.data_conn.close()
        for pipe in (self._process.stdin, self._process.stderr):
            if pipe:
                pipe.close()

    def _pass_on_stderr(self) -> None:
        for line in self._process.stderr or ():
            self._stderr.append(line)
            print(line, end="", file=sys.stderr)

    def _watch(self) -> None:
        code = self._process.wait()
        self._reader.join(timeout=1)  # no longer: a process the worker started may keep the pipe open
        if not self._stopping:
            how = f"was killed by {signal.Signals(-code).name}" if code < 0 else f"ended with exit code {code}"
            if code == -signal.SIGKILL:
                how += ", perhaps because the machine ran out of memory"
            said = "".join(self._stderr).rstrip()
            self.death = f"worker process {self._process.pid} {how}" + (f"; it last said:\n{said}" if said else "")
        self.control_conn.fail(self.death or "worker process was stopped")
