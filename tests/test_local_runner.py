import os
import time

import apache_beam as beam
import pytest
from apache_beam.coders import VarIntCoder
from apache_beam.options.pipeline_options import PipelineOptions
from apache_beam.options.value_provider import RuntimeValueProvider
from apache_beam.transforms.userstate import ReadModifyWriteStateSpec

from asr_model.config import SettingsError
from pipelines.local_runner import LocalRunner, WorkFailed

MODES = [("in_memory", 1), ("multi_processing", 1), ("multi_processing", 2)]


def options(mode, workers, *more):
    return PipelineOptions([f"--direct_running_mode={mode}", f"--direct_num_workers={workers}", *more])


def run(mode, workers, build, *more):
    with beam.Pipeline(runner=LocalRunner(), options=options(mode, workers, *more)) as pipeline:
        build(pipeline)


def write_line(line, path):
    # One write of one short line to a file opened for appending is whole, whichever process it comes from.
    with open(path, "a") as file:
        file.write(f"{line}\n")


def word_counts(pipeline, path):
    words = pipeline | beam.Create(["a b", "b c", "c c c", ""]) | beam.Reshuffle() | beam.FlatMap(str.split)
    mark = pipeline | "mark" >> beam.Create(["!"])
    _ = (
        words
        | beam.Map(lambda word: (word, 1))
        | beam.GroupByKey()
        | beam.Map(lambda item, mark: f"{item[0]}{sum(item[1])}{mark}", beam.pvalue.AsSingleton(mark))
        | beam.Map(write_line, path)
    )


@pytest.mark.parametrize(("mode", "workers"), MODES)
def test_every_mode_gives_the_same(mode, workers, tmp_path):
    run(mode, workers, lambda pipeline: word_counts(pipeline, tmp_path / "out"))
    assert sorted((tmp_path / "out").read_text().split()) == ["a1!", "b2!", "c4!"]


@pytest.mark.parametrize(("mode", "workers"), MODES[::2])
def test_options_reach_the_work(mode, workers, tmp_path):
    def report(_):
        from apache_beam.io.filesystems import FileSystems
        from apache_beam.options.pipeline_options import S3Options, WorkerOptions

        seen = FileSystems._pipeline_options
        secret = seen.view_as(S3Options).s3_secret_access_key
        cache = seen.view_as(WorkerOptions).max_cache_memory_usage_mb
        return f"{secret} {cache} {RuntimeValueProvider.get_value('s3_access_key_id', str, None)}"

    def build(pipeline):
        _ = pipeline | beam.Create([0]) | beam.Map(report) | beam.Map(write_line, tmp_path / "out")

    run(mode, workers, build, "--s3_secret_access_key=secret", "--max_cache_memory_usage_mb=7", "--s3_access_key_id=id")
    assert (tmp_path / "out").read_text() == "secret 7 id\n"


@pytest.mark.parametrize(("mode", "workers"), MODES[::2])
def test_no_bundle_waits_long_for_its_sampler(mode, workers, tmp_path):
    def report(_):
        from apache_beam.runners.worker.statesampler import get_current_tracker

        write_line(get_current_tracker().sampling_period_ms, tmp_path / "out")

    run(mode, workers, lambda pipeline: pipeline | beam.Create([0]) | beam.Map(report))
    assert (tmp_path / "out").read_text() == "10\n"


def test_large_elements_pass_unharmed(tmp_path):
    def make(seed):
        return seed, bytes([seed]) * 50_000_000

    def check(element):
        seed, blobs = element
        return [seed, [blob == bytes([seed]) * 50_000_000 for blob in blobs]]

    def build(pipeline):
        made = pipeline | beam.Create([1, 2]) | beam.Reshuffle() | beam.Map(make)
        _ = made | beam.GroupByKey() | beam.Map(check) | beam.Map(write_line, tmp_path / "out")

    run("multi_processing", 2, build)
    assert sorted((tmp_path / "out").read_text().splitlines()) == [f"[{seed}, [True]]" for seed in (1, 2)]


def test_unequal_work_is_balanced(tmp_path):
    # Dealt round-robin, one worker gets all the long ones: at least 2.4 s of sleep against 0.2 s.
    seconds = [0.6 if number % 2 == 0 else 0.05 for number in range(8)]

    def work(indexed):
        index, duration = indexed
        started = time.time()
        time.sleep(duration)
        return f"{index} {os.getpid()} {started} {time.time()}"

    def build(pipeline):
        made = pipeline | beam.Create(list(enumerate(seconds))) | beam.Reshuffle()
        _ = made | beam.Map(work) | beam.Map(write_line, tmp_path / "out")

    run("multi_processing", 2, build)
    rows = [line.split() for line in (tmp_path / "out").read_text().splitlines()]
    assert sorted(int(row[0]) for row in rows) == list(range(8))
    by_worker = {pid: sum(seconds[int(row[0])] for row in rows if row[1] == pid) for pid in {row[1] for row in rows}}
    assert len(by_worker) == 2
    assert max(by_worker.values()) < 2.0


class Explode(beam.DoFn):
    def process(self, element):
        raise ValueError(f"recording {element} is broken\nand why")


@pytest.mark.parametrize(("mode", "workers"), MODES[::2])
def test_an_error_is_told_briefly(mode, workers, capfd):
    def build(pipeline):
        _ = pipeline | beam.Create(["x.wav"]) | beam.ParDo(Explode())

    with pytest.raises(WorkFailed) as caught:
        run(mode, workers, build)
    lines = str(caught.value).splitlines()
    assert lines[0] == "ValueError: recording x.wav is broken"
    assert lines[1].startswith("and why [while running 'ParDo(Explode)")
    assert __file__ in lines[2]
    assert len(lines) <= 5
    assert "Traceback" not in capfd.readouterr().err


@pytest.mark.parametrize(("mode", "workers"), MODES[::2])
def test_exit_in_the_work_fails_the_job(mode, workers):
    def build(pipeline):
        _ = pipeline | beam.Create([3]) | beam.Map(exit)

    with pytest.raises(WorkFailed, match="SystemExit"):
        run(mode, workers, build)


def test_multi_threading_is_refused():
    with pytest.raises(SettingsError, match="corrupts large elements"):
        run("multi_threading", 2, lambda pipeline: pipeline | beam.Create([1]))


def test_an_empty_input_still_runs_its_bundle(tmp_path):
    class Finish(beam.DoFn):
        def process(self, element):
            raise AssertionError

        def finish_bundle(self):
            write_line("finished", tmp_path / "out")

    def build(pipeline):
        _ = pipeline | beam.Create([]) | beam.Reshuffle() | beam.ParDo(Finish())

    run("multi_processing", 2, build)
    assert (tmp_path / "out").read_text() == "finished\n"


class StartBundle(beam.DoFn):
    def __init__(self, path):
        self.path = path

    def start_bundle(self):
        write_line("started", self.path)

    def process(self, element, side=None):
        yield element


def test_a_stage_with_side_inputs_is_cut_into_few_bundles(tmp_path, monkeypatch):
    monkeypatch.setattr("pipelines.local_runner._QUICK_SECONDS", 0)  # no work is quick: one piece a bundle

    def build(pipeline):
        made = pipeline | beam.Create(range(40)) | beam.Reshuffle()
        side = pipeline | "side" >> beam.Create([1])
        _ = made | "without" >> beam.ParDo(StartBundle(tmp_path / "without"))
        made = made | beam.Map(lambda number: (number, 1)) | beam.GroupByKey()
        _ = made | "with" >> beam.ParDo(StartBundle(tmp_path / "with"), beam.pvalue.AsSingleton(side))

    run("multi_processing", 2, build)
    assert len((tmp_path / "without").read_text().split()) == 40
    assert len((tmp_path / "with").read_text().split()) <= 2 * 4


class Count(beam.DoFn):
    SEEN = ReadModifyWriteStateSpec("seen", VarIntCoder())

    def process(self, element, seen=beam.DoFn.StateParam(SEEN)):  # noqa: B008
        seen.write((seen.read() or 0) + 1)
        yield f"{element[0]}{seen.read()}"


def test_stateful_work_sees_every_element_of_a_key(tmp_path):
    def build(pipeline):
        made = pipeline | beam.Create([("a", 0), ("b", 0), ("a", 0)])
        _ = made | beam.ParDo(Count()) | beam.Map(write_line, tmp_path / "out")

    run("multi_processing", 2, build)
    assert sorted((tmp_path / "out").read_text().split()) == ["a1", "a2", "b1"]
