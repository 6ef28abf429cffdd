from __future__ import annotations

import gc
import random

import pytest

from asr_model.records import Failure, Segment, Transcript, Utterance, Word
from pipelines import parts
from pipelines.parts import Slice, cut, deal, key_of, no_garbage, part_of, read_pieces, remove_parts
from pipelines.references import ReferenceLine


def corpus(number):
    rows = []
    for n in range(number):
        rows.append(Utterance(f"day/{n}.wav", f"x/day/{n}.wav", n % 2, "é one", 1.5, "s", {"agent": "Kim"}, 0.5))
        words, segments = [Word("one", 0.0, 0.5, 0.9)], [Segment(0.0, 1.0, "one", 0.8)]
        rows.append(ReferenceLine(str(n), "m", n, '{"audio_filepath": "é"}'))
        rows.append(Transcript(f"/out/{n}", n % 2, "one", None, 1.5, 8000, "", 2, segments, words))
    return [*rows, Failure("m:3", None, "bad-manifest-line", "line 3")]


@pytest.mark.parametrize("num_parts", [1, 4])
def test_every_row_is_dealt_into_one_part_with_all_of_its_recording(tmp_path, num_parts, monkeypatch):
    monkeypatch.setattr(parts, "ROWS_PER_FILE", 7)
    rows = corpus(30)
    source = Slice("references", ("m",), 0, None, num_parts, 3)
    dealt = {}
    for part, piece in deal(rows, source, str(tmp_path)):
        dealt.setdefault(part, []).append(piece)
    random.Random(0).shuffle(dealt[0])
    found = {part: list(read_pieces(pieces)) for part, pieces in dealt.items()}
    assert sorted(map(repr, rows)) == sorted(repr(row) for part in found.values() for row in part)
    for part in found.values():
        assert [row for row in rows if row in part] == part  # in the order in which they came
    owner = {}
    for part, of_part in found.items():
        for row in of_part:
            if not isinstance(row, Failure):
                assert owner.setdefault(key_of(row), part) == part
    remove_parts(str(tmp_path))
    assert not list(tmp_path.iterdir())


def test_the_part_of_a_recording_is_the_same_on_every_machine():
    assert [part_of(key, 10) for key in "abc"] == [7, 1, 5]


def test_large_line_files_are_cut_and_bytes_decide_on_parts(monkeypatch):
    monkeypatch.setattr(parts, "SLICE_BYTES", 10)
    monkeypatch.setattr(parts, "PART_BYTES", 30)
    slices = cut([("r.jsonl", 25)], [("t.parquet", 50), ("t.jsonl", 5), ("u.srt", 5)])
    assert [(s.paths, s.start, s.stop) for s in slices] == [
        (("r.jsonl",), 0, 10),
        (("r.jsonl",), 10, 20),
        (("r.jsonl",), 20, 30),
        (("t.parquet",), 0, None),
        (("t.jsonl", "u.srt"), 0, None),
    ]
    assert {s.num_parts for s in slices} == {3}
    assert [s.number for s in slices] == [0, 1, 2, 3, 4]


def test_cycles_are_looked_for_again_afterwards():
    with no_garbage():
        assert not gc.isenabled()
    assert gc.isenabled()
