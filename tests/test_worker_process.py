import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import apache_beam as beam
import pytest
from apache_beam.options.pipeline_options import PipelineOptions

from pipelines.local_runner import LocalRunner, WorkerDied

# A driver whose two workers sleep, after each has written its pid into the folder named first.
SLEEPING_DRIVER = """
import os, signal, sys, time
signal.signal(signal.SIGINT, signal.default_int_handler)  # a job in the background is born deaf to it
import apache_beam as beam
from apache_beam.options.pipeline_options import PipelineOptions
from pipelines.local_runner import LocalRunner

def sleep(folder):
    open(f"{folder}/{os.getpid()}", "w").close()
    time.sleep(60)

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


def killed(index):
    if index == 0:
        os.kill(os.getpid(), signal.SIGKILL)
    time.sleep(60)  # the other worker is busy, and must not be waited for


def ended(_):
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
def test_a_dead_worker_fails_the_job_and_leaves_nobody(function, message):
    before, started = children(), time.monotonic()
    with pytest.raises(WorkerDied, match=message):
        run(function)
    assert time.monotonic() - started < 20
    assert children() <= before


def test_a_worker_that_cannot_start_fails_the_job(monkeypatch):
    monkeypatch.setattr("pipelines.worker_process._START_WORKER", "raise SystemExit('cannot start')")
    with pytest.raises(WorkerDied, match=r"exit code 1; it last said:\ncannot start"):
        run(str)


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGKILL, signal.SIGINT])
def test_workers_end_with_their_driver(number, tmp_path):
    driver = subprocess.Popen([sys.executable, "-c", SLEEPING_DRIVER, tmp_path], stderr=subprocess.PIPE, text=True)
    deadline = time.monotonic() + 60
    while len(list(tmp_path.iterdir())) < 2 and time.monotonic() < deadline:
        time.sleep(0.1)
    driver.send_signal(number)
    said = driver.communicate(timeout=20)[1]
    assert driver.returncode == -number
    workers = [int(path.name) for path in tmp_path.iterdir()]
    assert len(workers) == 2
    deadline = time.monotonic() + 5
    while any(map(alive, workers)) and time.monotonic() < deadline:
        time.sleep(0.1)
    assert not any(map(alive, workers)), said
