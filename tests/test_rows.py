from __future__ import annotations

import json
import math
import re

import pytest

from asr_model.records import Utterance
from pipelines.rows import parse_cell, parse_json, parse_row


def test_a_row_gives_its_columns_paths_from_its_folder_and_carries_others_through():
    row = {"audio_filepath": "a.wav", "text": "hi", "duration": 2, "speaker": 7, "channel": 1, "offset": 3, "q": [1]}
    assert parse_row(row, "/data") == Utterance("a.wav", "/data/a.wav", 1, "hi", 2, "7", {"q": [1]}, 3.0)


@pytest.mark.parametrize("channel", [None, 0, 7, "all", "mix"])
def test_a_channel_is_a_number_or_all_or_a_mix(channel):
    assert parse_row({"audio_filepath": "a", "channel": channel}, "").channel == channel


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"channel": "left"}, 'channel is "left", wanted a channel number from 0, all, or mix'),
        ({"channel": 1.5}, "channel is 1.5"),
        ({"channel": 10**9}, "channel is 1000000000"),
        ({"duration": -1}, "duration is -1"),
        ({"duration": math.nan}, "duration is NaN"),
        ({"duration": math.inf}, "duration is Infinity"),
        ({"offset": -0.5, "duration": 1}, "offset is -0.5"),
        ({"offset": math.nan, "duration": 1}, "offset is NaN"),
        ({"duration": 10**400}, "duration is 1000"),
        ({"offset": 1.0, "duration": 0}, "duration is 0 from offset 1.0"),
        ({"audio_filepath": "a\0.wav"}, "audio_filepath is"),
        ({"text": "\ud800"}, "surrogates not allowed"),
        ({"speaker": "\ud800"}, "surrogates not allowed"),
        ({"note": [math.nan]}, "not JSON compliant"),
        ({"speaker": ["a"]}, 'speaker is ["a"]'),
        ({"audio_filepath": ""}, "no audio_filepath"),
    ],
)
def test_a_wrong_column_is_named_with_what_was_found(change, message):
    with pytest.raises(ValueError, match=message.replace("[", r"\[")):
        parse_row({"audio_filepath": "a.wav", **change}, "")


def test_a_cell_is_nothing_or_a_number_or_what_it_is():
    assert [parse_cell(cell) for cell in ("", "3", "2.5", "all", "-1")] == [None, 3, 2.5, "all", -1.0]


@pytest.mark.parametrize(
    "line",
    [
        '{"a": 1, "a": "\u00e9"}',
        '{"id": 12345678901234567890123, "x": -1e22}',
        '{"a": [1e999, Infinity]}',
        '"\\ud800"',
        " 1.50 ",
        '{"a": 1',
        "[1] [2]",
        '"\0"',
        "",
    ],
)
def test_json_is_what_the_standard_library_says_it_is(line):
    try:
        expected = json.loads(line)
    except ValueError as error:
        with pytest.raises(ValueError, match=re.escape(str(error))):
            parse_json(line)
    else:
        assert repr(parse_json(line)) == repr(expected)
