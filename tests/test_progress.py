import doctest
import threading
import time

import apache_beam as beam
import pytest
from apache_beam.metrics import Metrics
from apache_beam.options.pipeline_options import PipelineOptions

from pipelines import progress
from pipelines.local_runner import LocalRunner
from pipelines.progress import Tally, counters, describe, display

RECORDINGS = 6


def work(number):
    time.sleep(0.35)
    Metrics.counter("beamscribe", "failures" if number == 0 else "recordings").inc()
    Metrics.counter("beamscribe", "audio_milliseconds").inc(1000)
    Metrics.counter("elsewhere", "recordings").inc(99)
    return number


def plan(number):
    Metrics.counter("beamscribe", "recordings_planned").inc()
    return number


@pytest.mark.parametrize(("mode", "workers"), [("in_memory", 1), ("multi_processing", 2)])
def test_counts_grow_to_the_final_ones(mode, workers, monkeypatch, capfd):
    monkeypatch.setattr(progress, "_POLL_SECONDS", 0.05)
    monkeypatch.setattr(progress, "_LINE_SECONDS", 0.2)
    options = PipelineOptions([f"--direct_running_mode={mode}", f"--direct_num_workers={workers}"])
    runner = LocalRunner(title="test")
    pipeline = beam.Pipeline(runner=runner, options=options)
    made = pipeline | beam.Create(range(RECORDINGS)) | beam.Map(plan) | beam.Reshuffle()
    _ = made | "work" >> beam.Map(work)
    seen, ended = [], threading.Event()

    def watch():
        while not ended.wait(0.05):
            counts = runner._tally.counts()
            seen.append(counts.get("recordings", 0) + counts.get("failures", 0))

    watcher = threading.Thread(target=watch)
    watcher.start()
    result = pipeline.run()
    ended.set()
    watcher.join()
    assert counters(result) == {
        "recordings": RECORDINGS - 1,
        "failures": 1,
        "audio_milliseconds": 1000 * RECORDINGS,
        "recordings_planned": RECORDINGS,
    }
    assert seen == sorted(seen)
    assert max(seen) <= RECORDINGS
    assert len(set(seen)) >= 3
    assert f"/{RECORDINGS} recordings, 0.00 h of audio" in capfd.readouterr().err


def test_a_line_says_what_is_left():
    assert doctest.testmod(progress).failed == 0
    assert describe({}, 0) == "0 recordings, 0.00 h of audio, 0 recordings/s, 0 × real time, 0 failures"
    half = {"recordings": 1, "recordings_planned": 4, "audio_milliseconds": 5000, "audio_milliseconds_planned": 10000}
    assert describe(half, 10).endswith("0:00:10 left")  # by audio, not by recordings


def test_nothing_is_shown_without_a_title(capfd):
    with display(Tally(), None):
        assert not [thread for thread in threading.enumerate() if thread.name == "progress"]
    assert capfd.readouterr().err == ""


def test_a_broken_display_does_not_fail_the_job(monkeypatch):
    monkeypatch.setattr(progress, "_POLL_SECONDS", 0.01)
    monkeypatch.setattr(progress, "describe", lambda *_: 1 / 0)
    with display(Tally(), "test"):
        time.sleep(0.1)
