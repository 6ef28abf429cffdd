"""A worker process of the local runner as its driver sees it: started, watched, and never left behind."""

from __future__ import annotations

import collections
import contextlib
import gc
import json
import os
import signal
import subprocess
import sys
import threading
import traceback
import warnings
from collections.abc import Iterable, Iterator
from typing import Any, NoReturn

from apache_beam.portability.api import beam_fn_api_pb2 as fn_api
from apache_beam.runners.portability.fn_api_runner import worker_handlers
from apache_beam.runners.worker import data_plane
from google.protobuf import json_format, text_format  # type: ignore[import-untyped]

from pipelines import local_worker

__all__ = ["ENVIRONMENT", "WorkerProcess", "forked"]

ENVIRONMENT = "beamscribe:env:worker_process:v1"  # Beam's environment URN for work that is done here

# What the driver can import, a worker can. Not by PYTHONPATH: programs that a DoFn starts would inherit it.
_START_WORKER = "import sys; sys.path[:] = sys.argv[1:]; from pipelines.local_worker import main; main()"
_STDERR_LINES = 10  # kept of a worker, to be shown should it die
_TEARDOWN_SECONDS = 10


class _Fork:
    """A process forked from this one, with `subprocess.Popen`'s names for what is needed of it."""

    def __init__(self) -> None:
        (stdin, to_stdin), (from_stderr, stderr) = os.pipe(), os.pipe()
        with warnings.catch_warnings():
            # Python 3.12 counts the threads of libraries (Arrow's memory has one), which are prepared for this.
            warnings.simplefilter("ignore", DeprecationWarning)
            self.pid = os.fork()
        if not self.pid:
            os.close(to_stdin)
            os.close(from_stderr)
            _become_worker(stdin, stderr)
        os.close(stdin)
        os.close(stderr)
        self.stdin, self.stderr = os.fdopen(to_stdin, "w"), os.fdopen(from_stderr, errors="replace")
        self.returncode: int | None = None

    def wait(self) -> int:
        """Wait for its end and return the exit code, negative where a signal ended it."""
        self.returncode = os.waitstatus_to_exitcode(os.waitpid(self.pid, 0)[1])
        return self.returncode

    def kill(self) -> None:
        """End it at once."""
        if self.returncode is None:
            os.kill(self.pid, signal.SIGKILL)


_forks: list[_Fork] = []
"""Workers to be, which wait for their orders."""


def can_fork() -> bool:
    """Return whether this process may be copied: a copy lacks its threads, and what they held stays locked there.

    Threads of gRPC, which `threading` does not count, begin with Beam's, which it does; those of recognizers begin
    with PyTorch.
    """
    return sys.platform == "linux" and threading.active_count() == 1 and "torch" not in sys.modules


@contextlib.contextmanager
def forked(number: int) -> Iterator[None]:
    """Have ``number`` copies of this process ready where it can be copied: to import all anew takes them seconds."""
    if number and can_fork():
        gc.freeze()  # what is there now is no garbage; looking for some would make every worker copy it
        sys.stdout.flush()  # else every worker would print what is still to be printed
        for _ in range(number):
            _forks.append(_Fork())
    try:
        yield
    finally:
        while _forks:  # the work failed before it began
            fork = _forks.pop()
            fork.kill()
            fork.wait()


def _become_worker(stdin: int, stderr: int) -> NoReturn:
    try:
        os.setsid()
        os.dup2(stdin, 0)
        os.dup2(stderr, 2)
        sys.stdin, sys.stderr = os.fdopen(0, closefd=False), os.fdopen(2, "w", buffering=1, closefd=False)
        for other in _forks:  # whose lifeline is the driver's alone
            other.stdin.close()
            other.stderr.close()
        local_worker.main()
    except BaseException:
        traceback.print_exc()
    finally:
        os._exit(1)


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


def _start() -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, "-c", _START_WORKER, *sys.path],
        stdin=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        errors="replace",
        start_new_session=True,  # Ctrl-C is for the driver, which then ends its workers
    )


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
        """Start the process; it connects by itself, after a moment or some seconds."""
        orders = {
            "CONTROL_API_SERVICE_DESCRIPTOR": text_format.MessageToString(self.control_api_service_descriptor()),
            "PIPELINE_OPTIONS": json_format.MessageToJson(self.provision_info.provision_info.pipeline_options),
            "WORKER_ID": self.worker_id,
        }
        self._process = _forks.pop() if _forks else _start()
        with contextlib.suppress(BrokenPipeError):  # it is dead, as will be noticed
            print(json.dumps(orders), file=self._process.stdin, flush=True)
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
