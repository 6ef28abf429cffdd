from __future__ import annotations

import re
import xml.etree.ElementTree as ElementTree

import pytest

from pipelines.pictures import bands, histogram, percent, reliability, whisker

EVIL = "<script>alert(1)</script>"


def heights(svg):
    return [float(height) for height in re.findall(r'<rect[^>]* height="([\d.]+)"', svg)]


def test_the_bars_of_a_histogram_are_as_tall_as_their_counts():
    tallest, half = heights(histogram([("0", 40), ("5", 20), ("10", 0)], "Files"))
    assert tallest == pytest.approx(2 * half, rel=1e-3)


def test_one_file_among_a_million_is_seen():
    assert min(heights(histogram([("0", 1_000_000), ("5", 1)], "Files"))) >= 1


def test_pictures_are_well_formed_and_escape_names():
    pictures = [
        histogram([(EVIL, 3), ("b", 1)], EVIL),
        histogram([], "nothing"),
        bands([(EVIL, 0.2, (0.1, 0.3), 5), ("none", None, None, 0)], 0.25, EVIL),
        bands([], None, "nothing"),
        reliability([(0.1, 0.3, 5), (0.9, 0.8, 50)], EVIL),
        reliability([], "nothing"),
        whisker(0.3, (0.2, 0.4), 0.5, 0.25),
        whisker(0.3, None, 0.0, None),
    ]
    for picture in pictures:
        assert EVIL not in picture
        ElementTree.fromstring(picture)
    assert whisker(None, None, 0.5, 0.2) == ""


def test_a_higher_rate_stands_higher_and_its_line_has_the_length_of_its_interval():
    svg = bands([("short", 0.1, (0.05, 0.15), 3), ("long", 0.3, (0.2, 0.4), 3)], 0.2, "by duration")
    low, high = (float(y) for y in re.findall(r'<circle[^>]* cy="([\d.]+)"', svg))
    assert high < low  # y counts from the top
    lengths = [float(a) - float(b) for a, b in re.findall(r'"whisker"[^>]* y1="([\d.]+)"[^>]* y2="([\d.]+)"', svg)]
    assert lengths[1] == pytest.approx(2 * lengths[0], rel=0.01)


def test_a_whisker_stays_inside_its_cell():
    assert re.findall(r'cx="([\d.]+)%"', whisker(1.5, (1.2, 1.9), 1.0, 0.5)) == ["100.00"]


@pytest.mark.parametrize(("rate", "text"), [(None, "–"), (0.0, "0.0\u202f%"), (1.5, "150.0\u202f%")])
def test_rates_are_written_as_people_read_them(rate, text):
    assert percent(rate) == text
