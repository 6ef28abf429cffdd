from __future__ import annotations

import json
import random
from functools import reduce

import pytest

from asr_model.census import add_counts, describe_corpus, take_census
from asr_model.records import Example


def example(number, **changes):
    draw = random.Random(number)
    values = {
        "id": str(number),
        "audio_filepath": f"{number}.wav",
        "channel": 0,
        "copy": "",
        "text": draw.choice(["go on", "no", "Zoë said: ok"]),
        "speaker": draw.choice(["ann", "bob", None]),
        "duration": draw.choice([0.3, 1.25, 7.000001]),
        "sample_rate": draw.choice([8000, 44100]),
        "codec": draw.choice(["WAV/PCM_16", "FLAC/PCM_16"]),
        "num_channels": draw.choice([1, 2]),
        "num_frames": 1,
        "features": b"",
    }
    return Example(**(values | changes))


EXAMPLES = [example(number, copy="slow" if number % 5 == 0 else "") for number in range(60)]


@pytest.mark.parametrize("num_parts", [1, 2, 7, 60])
def test_the_counts_of_the_parts_add_up_to_those_of_the_whole_in_any_order(num_parts):
    parts = [take_census(EXAMPLES[start::num_parts], "train") for start in range(num_parts)]
    random.Random(0).shuffle(parts)
    assert reduce(add_counts, parts, {}) == take_census(EXAMPLES, "train")


def test_counts_survive_being_stored_and_nothing_is_counted_where_nothing_is():
    counts = take_census(EXAMPLES, "dev")
    assert json.loads(json.dumps(counts)) == counts
    assert add_counts(counts, {}) == add_counts({}, counts) == counts
    empty = describe_corpus({}, {})
    assert (empty["examples"], empty["seconds"], empty["speakers"]["number"]) == (0, 0.0, 0)


def test_a_corpus_is_described_by_what_its_examples_are():
    originals = [row for row in EXAMPLES if not row.copy]
    found = describe_corpus(take_census(EXAMPLES, "train"), {"missing": 1, "empty-text": 3})
    assert (found["examples"], found["copies"]) == (len(originals), len(EXAMPLES) - len(originals))
    assert found["seconds"] == pytest.approx(sum(row.duration for row in originals), abs=1e-6)
    assert found["words"] == sum(len(row.text.split()) for row in originals)
    assert found["characters"]["ë"] == sum("ë" in row.text for row in originals)
    assert found["durations"] == {
        name: sum(int(row.duration / 0.5) * 0.5 == float(name) for row in originals) for name in ("0", "1", "7")
    }
    assert list(found["sample_rates"]) == ["8000", "44100"]
    assert found["sample_rates"]["8000"]["examples"] == sum(row.sample_rate == 8000 for row in originals)
    assert list(found["failures"]) == ["empty-text", "missing"]
    assert found["speakers"]["number"] == 2
    assert found["speakers"]["seconds_without"] == pytest.approx(
        sum(row.duration for row in originals if row.speaker is None), abs=1e-6
    )


def test_a_speaker_of_two_splits_is_named():
    counts = add_counts(
        take_census([example(1, speaker="ann"), example(2, speaker="bob")], "train"),
        take_census([example(3, speaker="ann")], "dev"),
    )
    found = describe_corpus(counts, {})
    assert (found["speakers"]["in_several_splits"], found["speakers"]["num_in_several_splits"]) == (["ann"], 1)
    assert {name: part["speakers"] for name, part in found["splits"].items()} == {"train": 2, "dev": 1}


def test_levels_are_counted_and_full_scale_is_clipped():
    rows = [example(n, peak_db=peak, rms_db=-20.5) for n, peak in enumerate([0.0, -0.0003, -0.5, -200.0])]
    found = describe_corpus(take_census(rows, "train"), {})
    assert found["clipped"] == 2
    assert found["peak_db"] == {"-120": 1, "-3": 2, "0": 1}
    assert found["rms_db"] == {"-21": 4}
