from __future__ import annotations

import dataclasses
import os

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

import pipelines.io as io
from asr_model.records import Failure, Utterance
from pipelines.planning import plan_units
from pipelines.units import Gather, Job, Part, run_unit
from pipelines.units import finish as finish_account


def make_job(folder, **changes):
    job = Job("transcribe", "source", str(folder / "out"), 10.0, 0.5, {"settings": {"a": 1}})
    return dataclasses.replace(job, **changes)


def utterances(folder, seconds):
    made = []
    for number, duration in enumerate(seconds):
        path = folder / f"{number}.wav"
        path.write_bytes(b"audio")
        made.append(Utterance(f"{number}.wav", str(path), duration=duration))
    return made


def plan(rows, job, folder_of=lambda row: "part"):
    return list(plan_units(((row, 0) for row in rows), job.unit_seconds, folder_of))


def finish(receipts, job, conclude=lambda job, account: None):
    gather = Gather()
    account = gather.create_accumulator()
    for receipt in receipts:
        account = gather.add_input(account, receipt)
    return finish_account(gather.extract_output(account), job, conclude)


def work(log, failing=()):
    """Return a unit's work that notes each call and yields a row for each utterance that does not fail."""

    def done(unit):
        log.append(unit.number)
        names = [row.audio_filepath for row in unit.utterances if row.audio_filepath not in failing]
        failures = [Failure(name, None, "unreadable", "no") for name in failing if name not in names]
        yield Part(pa.table({"name": names}) if names else None, 1.0 * len(names), failures)

    return done


def test_manifest_lines_that_failed_are_in_a_unit_even_when_nothing_else_is(tmp_path):
    failure = Failure("m:1", None, "bad-manifest-line", "x")
    (unit,) = plan([failure], make_job(tmp_path))
    assert unit.failures == (failure,)
    receipt = run_unit(unit, make_job(tmp_path), work([]))
    assert (receipt.num_inputs, receipt.num_rows, receipt.file) == (1, 0, None)


def test_a_finished_unit_is_not_done_again(tmp_path):
    log, job = [], make_job(tmp_path)
    (unit,) = plan(utterances(tmp_path, [1.0, 1.0]), job)
    first = run_unit(unit, job, work(log))
    assert run_unit(unit, job, work(log)) == first
    assert log == [0]
    assert io.exists(io.join(job.output, first.file))


@pytest.mark.parametrize("change", ["recording", "settings", "rows", "gone"])
def test_a_unit_is_done_again_when_what_it_depends_on_changed(tmp_path, change):
    log, job = [], make_job(tmp_path)
    rows = utterances(tmp_path, [1.0, 1.0])
    run_unit(plan(rows, job)[0], job, work(log))
    if change == "recording":
        os.utime(rows[0].path, (1, 1))
    elif change == "settings":
        job = dataclasses.replace(job, identity={"settings": {"a": 2}})
    elif change == "rows":
        rows[1] = dataclasses.replace(rows[1], text="other")
    else:
        os.remove(rows[0].path)  # noqa: PTH107
    run_unit(plan(rows, job)[0], job, work(log))
    assert log == [0, 0]


def test_a_limit_of_failures_is_no_part_of_what_a_unit_depends_on(tmp_path):
    log, job = [], make_job(tmp_path)
    (unit,) = plan(utterances(tmp_path, [1.0]), job)
    run_unit(unit, job, work(log))
    run_unit(unit, dataclasses.replace(job, max_failure_rate=0.9), work(log))
    assert log == [0]


def test_a_worker_that_dies_in_a_unit_leaves_no_receipt(tmp_path):
    job = make_job(tmp_path)
    (unit,) = plan(utterances(tmp_path, [1.0]), job)
    run_unit(unit, job, work([]))
    os.utime(unit.utterances[0].path, (1, 1))

    def dies(unit):
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        run_unit(unit, job, dies)
    log = []
    run_unit(unit, job, work(log))
    assert log == [0]


def test_the_account_closes_and_the_marker_says_so(tmp_path):
    job = make_job(tmp_path)
    receipts = [
        run_unit(unit, job, work([], failing=("2.wav",))) for unit in plan(utterances(tmp_path, [12.0] * 4), job)
    ]
    receipts = [dataclasses.replace(r, failures=[f for f in r.failures if r.number == 2]) for r in receipts]
    success = finish(list(reversed(receipts)), job)
    assert (success["num_inputs"], success["num_rows"], success["num_failures"]) == (4, 3, 1)
    assert success["files"] == [f"part/part-{number:06d}.parquet" for number in (0, 1, 3)]
    assert io.read_success(job.output, "transcribe") == success


def test_what_an_earlier_run_with_more_units_left_is_removed(tmp_path):
    job = make_job(tmp_path)
    rows = utterances(tmp_path, [12.0] * 4)
    for unit in plan(rows, job):
        run_unit(unit, job, work([]))
    finish([run_unit(unit, job, work([])) for unit in plan(rows[:2], job)], job)
    assert sorted(path.name for path in (tmp_path / "out" / "part").iterdir()) == [
        "part-000000.parquet",
        "part-000001.parquet",
    ]
    assert len(list((tmp_path / "out" / "_units").iterdir())) == 2


def test_too_many_failures_are_listed_but_leave_no_marker(tmp_path):
    job = make_job(tmp_path, max_failure_rate=0.4)
    names = ("0.wav", "1.wav")
    (unit,) = plan(utterances(tmp_path, [1.0, 1.0]), job)
    receipt = run_unit(unit, job, work([], failing=names))
    described = []
    with pytest.raises(io.TooManyFailuresError):
        finish([receipt], job, lambda job, account: described.append(len(account.receipts[0].failures)))
    assert len((tmp_path / "out" / io.FAILURES_FILE).read_text().splitlines()) == 2
    assert described == [2]
    assert not (tmp_path / "out" / io.SUCCESS_FILE).exists()


@pytest.mark.parametrize("split", [[0, 1, 2, 3], [3, 1], [2]])
def test_accounts_of_parts_are_those_of_the_whole(tmp_path, split):
    def counted(unit):
        yield Part(None, 1.0, [], {"rows": 1, "names": {unit.utterances[0].audio_filepath: 1}})

    job, gather = make_job(tmp_path), Gather()
    receipts = [run_unit(unit, job, counted) for unit in plan(utterances(tmp_path, [12.0] * 4), job)]
    parts = [gather.create_accumulator(), gather.create_accumulator()]
    for receipt in receipts:
        side = receipt.number in split
        parts[side] = gather.add_input(parts[side], receipt)
    account = gather.extract_output(gather.merge_accumulators(parts))
    assert [receipt.number for receipt in account.receipts] == [0, 1, 2, 3]
    assert account.counts == {"rows": 4, "names": {f"{n}.wav": 1 for n in range(4)}}
    assert not any(receipt.counts for receipt in account.receipts)
    assert run_unit(plan(utterances(tmp_path, [12.0]), job)[0], job, counted).counts["rows"] == 1


def test_parts_are_written_as_they_come_and_the_receipt_says_what_they_are_together(tmp_path):
    def in_parts(unit):
        for number in range(3):
            yield Part(pa.table({"name": [str(number)] * 2}), 1.5, [], {"rows": 2})
        yield Part(None, 0.0, [Failure("x", None, "empty", "no")], {"rows": 0})

    job = make_job(tmp_path)
    receipt = run_unit(plan(utterances(tmp_path, [1.0] * 7), job)[0], job, in_parts)
    assert (receipt.num_rows, receipt.seconds, receipt.counts) == (6, 4.5, {"rows": 6})
    assert [failure.audio_filepath for failure in receipt.failures] == ["x"]
    with pq.ParquetFile(io.join(job.output, receipt.file)) as file:
        assert [file.read_row_group(group)["name"].to_pylist() for group in range(3)] == [
            ["0"] * 2,
            ["1"] * 2,
            ["2"] * 2,
        ]


def test_a_unit_that_fails_after_its_first_rows_leaves_no_file(tmp_path):
    def fails(unit):
        yield Part(pa.table({"name": ["a"]}), 1.0, [])
        raise ZeroDivisionError

    job = make_job(tmp_path)
    with pytest.raises(ZeroDivisionError):
        run_unit(plan(utterances(tmp_path, [1.0]), job)[0], job, fails)
    assert not [path for path in (tmp_path / "out").rglob("*") if path.is_file()]
