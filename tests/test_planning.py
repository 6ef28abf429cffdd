from __future__ import annotations

import dataclasses

import pytest

from asr_model.records import Failure, Utterance
from pipelines.planning import Unit, plan_units, read_texts

LIMIT = 10.0


def utterances(folder, seconds):
    return [Utterance(f"{n}.wav", f"{folder}/{n}.wav", duration=duration) for n, duration in enumerate(seconds)]


def plan(rows, unit_seconds, folder_of=lambda row: "part"):
    return list(plan_units(((row, 0) for row in rows), unit_seconds, folder_of))


@pytest.mark.parametrize("seconds", [[3.0] * 20, [100.0], [0.1] * 5, [9.0, 11.0, 1.0, 30.0, 2.0], []])
def test_every_utterance_is_in_one_unit_in_order_and_units_are_no_longer_than_needed(tmp_path, seconds):
    rows = utterances(tmp_path, seconds)
    units = plan(rows, LIMIT)
    assert [row for unit in units for row in unit.utterances] == rows
    assert [unit.number for unit in units] == list(range(len(units)))
    for unit in units[:-1]:
        lengths = [row.duration for row in unit.utterances]
        assert sum(lengths) >= 10 > sum(lengths[:-1])


@pytest.mark.parametrize(("num_bytes", "expected"), [(24_000 * 5, 2), (0, 1)])
def test_recordings_of_unknown_length_are_cut_into_units_too(tmp_path, num_bytes, expected):
    rows = [dataclasses.replace(row, duration=None) for row in utterances(tmp_path, [0.0] * 6)]
    units = plan_units(((row, num_bytes) for row in rows), LIMIT, lambda row: "part")
    assert {len(unit.utterances) for unit in units} == {expected}


def test_units_hold_one_folder_each(tmp_path):
    rows = utterances(tmp_path, [4.0] * 12)
    units = plan(rows, LIMIT, lambda row: "dev" if int(row.audio_filepath[0]) % 3 == 0 else "train")
    assert {unit.folder for unit in units} == {"train", "dev"}
    assert sorted(row.audio_filepath for unit in units for row in unit.utterances) == sorted(
        row.audio_filepath for row in rows
    )
    assert len({unit.number for unit in units}) == len(units)


@pytest.mark.parametrize("bad", [True, False])
def test_a_unit_stays_small_however_short_or_bad_its_rows_are(tmp_path, bad):
    rows = [Failure(f"m:{n}", None, "bad-manifest-line", "x") if bad else Utterance(str(n), "x") for n in range(25_000)]
    rows = [dataclasses.replace(row, **({} if bad else {"duration": 1e-6})) for row in rows]
    units = plan(rows, LIMIT)
    assert [len(unit.failures) + len(unit.utterances) for unit in units] == [10_000, 10_000, 5_000]
    assert [row for unit in units for row in (*unit.failures, *unit.utterances)] == rows


def test_a_row_that_belongs_in_no_folder_is_a_failure(tmp_path):
    good, bad = utterances(tmp_path, [1.0, 1.0])

    def folder_of(row):
        if row is bad:
            raise ValueError("split 'both', wanted one of train, dev, test")
        return "train"

    (unit,) = plan([good, bad], LIMIT, folder_of)
    assert unit.utterances == (good,)
    assert [(row.audio_filepath, row.reason) for row in unit.failures] == [("1.wav", "bad-manifest-line")]


def test_texts_beside_recordings_are_read_and_what_has_none_any_more_is_a_failure(tmp_path):
    (tmp_path / "0.txt").write_text("one\n")
    rows = [dataclasses.replace(row, text_path=f"{tmp_path}/{n}.txt") for n, row in enumerate(utterances("x", [1, 1]))]
    unit = read_texts(Unit(3, "train", tuple(rows), (Failure("m:1", None, "bad-manifest-line", "x"),)))
    assert (unit.number, unit.folder) == (3, "train")
    assert [(row.audio_filepath, row.text) for row in unit.utterances] == [("0.wav", "one")]
    assert [(row.audio_filepath, row.reason) for row in unit.failures] == [
        ("m:1", "bad-manifest-line"),
        ("1.wav", "missing"),
    ]


@pytest.mark.parametrize(
    ("hours", "minutes"), [(0.05, 3.75), (0.9, 3.75), (1.1, 3.75), (5, 15), (7.9, 15), (8.1, 30), (16.1, 60)]
)
def test_a_small_corpus_is_cut_into_enough_units_for_several_workers(hours, minutes):
    rows = [Utterance(str(n), "x", duration=6.0) for n in range(round(hours * 600))]
    units = plan(rows, 3600.0)
    longest = max(sum(row.duration for row in unit.utterances) for unit in units)
    assert longest == pytest.approx(min(minutes * 60, hours * 3600), abs=6.0)
    assert [row for unit in units for row in unit.utterances] == rows


def test_a_few_recordings_more_leave_the_bounds_of_units_where_they_were():
    rows = [Utterance(str(n), "x", duration=6.0) for n in range(3010)]
    assert plan(rows, 3600.0)[:-1] == plan(rows[:-5], 3600.0)[:-1]
