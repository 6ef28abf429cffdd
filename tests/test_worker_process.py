import os
import signal
import subprocess
import sys
import time
from functools import partial
from pathlib import Path

import apache_beam as beam
import pytest
from apache_beam.options.pipeline_options import PipelineOptions

from pipelines.local_runner import LocalRunner, WorkerDied

# A driver whose two workers sleep, after each has written its pid into the folder named first; a further argument
# keeps a thread running meanwhile.
SLEEPING_DRIVER = """
import os, signal, sys, threading, time
signal.signal(signal.SIGINT, signal.default_int_handler)  # a job in the background is born deaf to it
import apache_beam as beam
from apache_beam.options.pipeline_options import PipelineOptions
from pipelines.local_runner import LocalRunner

def sleep(folder):
    open(f"{folder}/{os.getpid()}", "w").close()
    time.sleep(60)

if sys.argv[2:]:
    threading.Thread(target=time.sleep, args=[60], daemon=True).start()
options = PipelineOptions(["--direct_running_mode=multi_processing", "--direct_num_workers=2"])
with beam.Pipeline(runner=LocalRunner(), options=options) as pipeline:
    pipeline | beam.Create([sys.argv[1]] * 4) | beam.Reshuffle() | beam.Map(sleep)
"""


def run(function):
    options = PipelineOptions(["--direct_running_mode=multi_processing", "--direct_num_workers=2"])
    with beam.Pipeline(runner=LocalRunner(), options=options) as pipeline:
        _ = pipeline | beam.Create([0, 1, 2, 3]) | beam.Reshuffle() | beam.Map(function)


def children():
    return {
        int(stat.parent.name)
        for stat in Path("/proc").glob("[0-9]*/stat")
        if stat.exists() and stat.read_text().rpartition(")")[2].split()[1] == str(os.getpid())
    }


def alive(pid):
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    # Nobody may reap an orphan in a container whose first process is no init; a zombie has ended all the same.
    stat = Path(f"/proc/{pid}/stat")
    return not (stat.exists() and stat.read_text().rpartition(")")[2].split()[0] == "Z")


def killed(folder, _):
    try:
        (folder / "first").touch(exist_ok=False)
    except FileExistsError:
        time.sleep(60)  # the other worker is busy, and must not be waited for
    os.kill(os.getpid(), signal.SIGKILL)


def ended(folder, _):
    print("the last words", file=sys.stderr)
    os._exit(7)


@pytest.mark.skipif(not Path("/proc").exists(), reason="children are looked up in /proc")
@pytest.mark.parametrize(
    ("function", "message"),
    [
        (killed, r"worker process \d+ was killed by SIGKILL, perhaps .* memory"),
        (ended, r"exit code 7.*\nthe last words"),
    ],
)
def test_a_dead_worker_fails_the_job_and_leaves_nobody(function, message, tmp_path):
    before, started = children(), time.monotonic()
    with pytest.raises(WorkerDied, match=message):
        run(partial(function, tmp_path))
    assert time.monotonic() - started < 20
    assert children() <= before


def test_a_worker_that_cannot_start_fails_the_job(monkeypatch):
    monkeypatch.setattr("pipelines.worker_process.can_fork", lambda: False)
    monkeypatch.setattr("pipelines.worker_process._START_WORKER", "raise SystemExit('cannot start')")
    with pytest.raises(WorkerDied, match=r"exit code 1; it last said:\ncannot start"):
        run(str)


@pytest.mark.skipif(sys.platform != "linux", reason="workers are forked on Linux alone")
@pytest.mark.parametrize("threads", [[], ["with a thread"]], ids=["forked", "started"])
@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGKILL, signal.SIGINT])
def test_workers_end_with_their_driver(number, threads, tmp_path):
    command = [sys.executable, "-c", SLEEPING_DRIVER, tmp_path, *threads]
    driver = subprocess.Popen(command, stderr=subprocess.PIPE, text=True)
    deadline = time.monotonic() + 60
    while len(list(tmp_path.iterdir())) < 2 and time.monotonic() < deadline:
        time.sleep(0.1)
    workers = [int(path.name) for path in tmp_path.iterdir()]
    assert len(workers) == 2
    # Copies of the driver, where it has one thread.
    of_driver, *of_workers = (Path(f"/proc/{pid}/cmdline").read_text() for pid in (driver.pid, *workers))
    assert [line == of_driver for line in of_workers] == [not threads] * 2
    driver.send_signal(number)
    said = driver.communicate(timeout=20)[1]
    assert driver.returncode == -number
    deadline = time.monotonic() + 5
    while any(map(alive, workers)) and time.monotonic() < deadline:
        time.sleep(0.1)
    assert not any(map(alive, workers)), said


# A driver with a worker that dies.
DYING_DRIVER = """
import os, sys
import apache_beam as beam
from apache_beam.options.pipeline_options import PipelineOptions
from pipelines.local_runner import LocalRunner, WorkerDied

def die(_):
    print("the last words", file=sys.stderr)
    os._exit(7)

print("once")
options = PipelineOptions(["--direct_running_mode=multi_processing", "--direct_num_workers=2"])
try:
    with beam.Pipeline(runner=LocalRunner(), options=options) as pipeline:
        pipeline | beam.Create([1, 2]) | beam.Reshuffle() | beam.Map(die)
except WorkerDied as death:
    print(death)
"""


def test_a_dead_copy_of_the_driver_fails_the_job_and_prints_nothing_twice():
    command = [sys.executable, "-c", DYING_DRIVER]
    driver = subprocess.run(command, capture_output=True, text=True, timeout=60, check=True)
    first, death, words = driver.stdout.splitlines()
    assert first == "once"
    assert death.endswith("ended with exit code 7; it last said:")
    assert words == "the last words"


# A driver with two copies that wait for orders.
WAITING_DRIVER = """
import time
from pipelines import worker_process

with worker_process.forked(2):
    print(*(fork.pid for fork in worker_process._forks), flush=True)
    time.sleep(60)
"""


@pytest.mark.skipif(sys.platform != "linux", reason="workers are forked on Linux alone")
def test_copies_without_orders_end_with_their_driver():
    driver = subprocess.Popen([sys.executable, "-c", WAITING_DRIVER], stdout=subprocess.PIPE, text=True)
    copies = [int(pid) for pid in driver.stdout.readline().split()]
    assert len(copies) == 2
    assert all(map(alive, copies))
    driver.kill()
    driver.communicate(timeout=5)
    deadline = time.monotonic() + 5
    while any(map(alive, copies)) and time.monotonic() < deadline:
        time.sleep(0.1)
    assert not any(map(alive, copies))
