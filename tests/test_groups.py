from __future__ import annotations

from dataclasses import replace

import pytest

from asr_model.groups import group_order, grouping
from asr_model.records import Transcript, Utterance


def pair(duration=3.0, **extra):
    reference = Utterance("a.wav", "a.wav", None, "x", speaker="s1", extra=extra)
    return reference, Transcript("a.wav", 1, "y", None, duration, 8000, "WAV/ULAW", 2, [], extra={"queue": "sales"})


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("channel", "1"),
        ("speaker", "s1"),
        ("codec", "WAV/ULAW"),
        ("sample_rate", "8000"),
        ("duration_band", "2 to 5 s"),
        ("level_band", "-30 to -20 dB"),
        ("agent", "Kim"),  # a column of the reference
        ("queue", "sales"),  # a column of the transcript
        ("nothing", "none"),
    ],
)
def test_a_pair_has_a_value_for_each_group(name, value):
    assert grouping((name,))(*pair(agent="Kim", level_db=-24.5)) == {name: value}


def test_a_transcript_s_own_level_counts_where_no_column_says_another():
    reference, transcript = pair()
    heard = replace(transcript, rms_db=-41.0)
    band = grouping(("level_band",))
    assert band(reference, heard) == {"level_band": "-50 to -40 dB"}
    assert band(pair(level_db=-24.5)[0], heard) == {"level_band": "-30 to -20 dB"}


def test_a_lost_transcript_is_grouped_by_what_the_reference_says():
    reference = Utterance("a.wav", "a.wav", 0, "x", duration=90.0)
    values = grouping(("channel", "duration_band", "codec", "level_band"))(reference, None)
    assert list(values.values()) == ["0", "60 to 300 s", "none", "none"]


def test_bands_are_in_the_order_of_their_numbers():
    bands = ["under 2 s", "2 to 5 s", "300 to 1800 s", "1800 s and more", "none"]
    assert sorted(bands, key=group_order) == bands
    levels = ["under -60 dB", "-60 to -50 dB", "-20 dB and more"]
    assert sorted(levels, key=group_order) == levels
