from __future__ import annotations

import dataclasses
import os

import pyarrow as pa
import pytest

import pipelines.io as io
from asr_model.records import Failure, Utterance
from pipelines.units import Job, UnitResult, finish, plan_units, run_unit


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
    return list(plan_units(((row, 0) for row in rows), job, folder_of))


def work(log, failing=()):
    """Return a unit's work that notes each call and yields a row for each utterance that does not fail."""

    def done(unit):
        log.append(unit.number)
        names = [row.audio_filepath for row in unit.utterances if row.audio_filepath not in failing]
        failures = [Failure(name, None, "unreadable", "no") for name in failing if name not in names]
        return UnitResult(pa.table({"name": names}) if names else None, 1.0 * len(names), failures)

    return done


@pytest.mark.parametrize("seconds", [[3.0] * 20, [100.0], [0.1] * 5, [9.0, 11.0, 1.0, 30.0, 2.0], []])
def test_every_utterance_is_in_one_unit_in_order_and_units_are_no_longer_than_needed(tmp_path, seconds):
    rows = utterances(tmp_path, seconds)
    units = plan(rows, make_job(tmp_path))
    assert [row for unit in units for row in unit.utterances] == rows
    assert [unit.number for unit in units] == list(range(len(units)))
    for unit in units[:-1]:
        lengths = [row.duration for row in unit.utterances]
        assert sum(lengths) >= 10 > sum(lengths[:-1])


@pytest.mark.parametrize(("num_bytes", "expected"), [(24_000 * 5, 2), (0, 1)])
def test_recordings_of_unknown_length_are_cut_into_units_too(tmp_path, num_bytes, expected):
    rows = [dataclasses.replace(row, duration=None) for row in utterances(tmp_path, [0.0] * 6)]
    units = plan_units(((row, num_bytes) for row in rows), make_job(tmp_path), lambda row: "part")
    assert {len(unit.utterances) for unit in units} == {expected}


def test_units_hold_one_folder_each(tmp_path):
    rows = utterances(tmp_path, [4.0] * 12)
    units = plan(rows, make_job(tmp_path), lambda row: "dev" if int(row.audio_filepath[0]) % 3 == 0 else "train")
    assert {unit.folder for unit in units} == {"train", "dev"}
    assert sorted(row.audio_filepath for unit in units for row in unit.utterances) == sorted(
        row.audio_filepath for row in rows
    )
    assert len({unit.number for unit in units}) == len(units)


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
    success = finish(list(reversed(receipts)), job, lambda job, receipts: None)
    assert (success["num_inputs"], success["num_rows"], success["num_failures"]) == (4, 3, 1)
    assert success["files"] == [f"part/part-{number:06d}.parquet" for number in (0, 1, 3)]
    assert io.read_success(job.output, "transcribe") == success


def test_what_an_earlier_run_with_more_units_left_is_removed(tmp_path):
    job = make_job(tmp_path)
    rows = utterances(tmp_path, [12.0] * 4)
    for unit in plan(rows, job):
        run_unit(unit, job, work([]))
    finish([run_unit(unit, job, work([])) for unit in plan(rows[:2], job)], job, lambda job, receipts: None)
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
    with pytest.raises(io.TooManyFailuresError):
        finish([receipt], job, lambda job, receipts: None)
    assert len((tmp_path / "out" / io.FAILURES_FILE).read_text().splitlines()) == 2
    assert not (tmp_path / "out" / io.SUCCESS_FILE).exists()


@pytest.mark.parametrize("bad", [True, False])
def test_a_unit_stays_small_however_short_or_bad_its_rows_are(tmp_path, bad):
    rows = [Failure(f"m:{n}", None, "bad-manifest-line", "x") if bad else Utterance(str(n), "x") for n in range(25_000)]
    rows = [dataclasses.replace(row, **({} if bad else {"duration": 1e-6})) for row in rows]
    units = plan(rows, make_job(tmp_path))
    assert [len(unit.failures) + len(unit.utterances) for unit in units] == [10_000, 10_000, 5_000]
    assert [row for unit in units for row in (*unit.failures, *unit.utterances)] == rows


def test_a_row_that_belongs_in_no_folder_is_a_failure(tmp_path):
    good, bad = utterances(tmp_path, [1.0, 1.0])

    def folder_of(row):
        if row is bad:
            raise ValueError("split 'both', wanted one of train, dev, test")
        return "train"

    (unit,) = plan([good, bad], make_job(tmp_path), folder_of)
    assert unit.utterances == (good,)
    assert [(row.audio_filepath, row.reason) for row in unit.failures] == [("1.wav", "bad-manifest-line")]


def test_a_text_beside_a_recording_is_read_by_the_worker_and_a_change_of_it_is_noticed(tmp_path):
    (tmp_path / "0.txt").write_text("one")
    (row,) = utterances(tmp_path, [1.0])
    (unit,) = plan([dataclasses.replace(row, text_path=str(tmp_path / "0.txt"))], make_job(tmp_path))
    seen, job = [], make_job(tmp_path)

    def reads(unit):
        seen.append([row.text for row in unit.utterances])
        return UnitResult(None, 0.0, [])

    run_unit(unit, job, reads)
    run_unit(unit, job, reads)
    (tmp_path / "0.txt").write_text("two")
    run_unit(unit, job, reads)
    assert seen == [["one"], ["two"]]
    (tmp_path / "0.txt").unlink()
    receipt = run_unit(unit, job, reads)
    assert (seen[-1], receipt.num_inputs, [failure.reason for failure in receipt.failures]) == ([], 1, ["missing"])
