from __future__ import annotations

import itertools
import random

import pytest

import pipelines.io as io
from pipelines.io import InputError
from pipelines.lines import lines_between, number_of, read_text


@pytest.mark.parametrize("seed", range(5))
def test_ranges_of_bytes_have_every_line_once(tmp_path, seed):
    draw = random.Random(seed)
    lines = ["é" * draw.randrange(6) + "x" for _ in range(50)]
    path = tmp_path / "lines"
    data = draw.choice([b"", b"\xef\xbb\xbf"]) + "\n".join(lines).encode() + draw.choice([b"", b"\n", b"\n \n"])
    path.write_bytes(data)
    assert [line.strip() for _, line in lines_between(str(path))] == lines
    cuts = [0, *sorted(draw.sample(range(1, len(data)), 6)), None]
    parts = [lines_between(str(path), start, stop) for start, stop in itertools.pairwise(cuts)]
    assert [line.strip() for part in parts for _, line in part] == lines


def test_the_place_of_a_line_gives_its_number(tmp_path):
    path = tmp_path / "lines"
    path.write_text("a\n\nb\nccc\nd")
    assert [number_of(str(path), place) for place, _ in lines_between(str(path))] == [1, 3, 4, 5]
    path.write_text("aaaa\nb\n")
    assert number_of(str(path), 5) == 2


def test_many_wrong_lines_of_a_file_are_numbered_in_one_reading(tmp_path, monkeypatch):
    path = tmp_path / "lines"
    path.write_text("x\n" * 1000)
    open_file, opened = io.open_file, []
    monkeypatch.setattr(io, "open_file", lambda name: opened.append(name) or open_file(name))
    assert [number_of(str(path), 2 * line) for line in range(1000)] == list(range(1, 1001))
    assert len(opened) == 1


@pytest.mark.parametrize(
    ("data", "message"),
    [
        ("one\ntwo".encode("utf-16"), "is UTF-16"),
        (b"one\ncaf\xe9\n", "line 2 is not UTF-8"),
    ],
)
def test_another_encoding_is_said_and_not_guessed(tmp_path, data, message):
    path = tmp_path / "lines"
    path.write_bytes(data)
    with pytest.raises(InputError, match=message):
        list(lines_between(str(path)))
    with pytest.raises(InputError, match="UTF-8"):
        read_text(str(path))
