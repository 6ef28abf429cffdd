from __future__ import annotations

import json

import pytest

from asr_model import summary as module
from asr_model.records import Transcript, Utterance, to_table
from asr_model.scoring import EvaluateSettings, Score, score
from asr_model.summary import figures_of
from asr_model.tally import Tally

PAIRS = [("One two, three!", "one two three"), ("four five", "for five six"), ("", "uh uh"), ("seven", None)]


def figures(pairs=PAIRS, **settings):
    chosen = EvaluateSettings(**settings)
    scores = []
    for number, (text, said) in enumerate(pairs):
        name = f"{number}.wav"
        reference = Utterance(name, name, 0, text, duration=30.0, speaker=f"s{number % 2}")
        transcript = None if said is None else Transcript(name, 0, said, None, 30.0, 8000, "WAV/ULAW", 1, [])
        scores.append(score(reference, transcript, chosen))
    return figures_of(Tally.of(to_table(Score, scores, {}), chosen.groups), chosen)


def test_rates_are_errors_by_words_never_a_mean_of_rates():
    found = figures()
    assert (found["num_words"], found["hits"]) == (6, 4)
    assert (found["substitutions"], found["deletions"], found["insertions"]) == (1, 1, 3)
    assert found["wer"] == pytest.approx(5 / 6, abs=1e-6)
    assert found["ser"] == 0.75
    assert (found["num_rows"], found["num_files"], found["seconds"]) == (4, 4, 120.0)


def test_what_formatting_costs_is_seen_beside_it():
    found = figures()
    assert found["raw_wer"] == pytest.approx(8 / 6, abs=1e-6)  # three words more differ in case or a comma
    assert figures(normalization=("none",))["raw_wer"] == figures(normalization=("none",))["wer"]
    assert found["normalization"] == ["basic 2"]


def test_words_where_the_reference_is_empty_are_a_figure_of_their_own():
    assert figures()["invented"] == {"num_words": 2, "num_rows": 1, "seconds": 30.0, "per_minute": 4.0}


def test_groups_are_listed_with_all_figures():
    found = figures(groups=("speaker",))["groups"]
    assert [row["name"] for row in found["speaker"]] == ["s0", "s1"]
    assert sum(row["num_words"] for row in found["speaker"]) == 6
    assert [row["name"] for row in found["case"]] == ["both sides", "empty reference", "missing hypothesis"]
    assert list(found) == ["speaker", "case"]


def test_of_many_groups_those_with_most_words_are_listed_and_the_rest_summed(monkeypatch):
    monkeypatch.setattr(module, "MAX_GROUP_VALUES", 1)
    rows = figures(groups=("speaker",))["groups"]["speaker"]
    assert [row["name"] for row in rows] == ["s0", "all others"]
    assert sum(row["num_words"] for row in rows) == 6


def test_the_interval_holds_the_rate_and_may_be_left_out():
    low, high = figures()["wer_interval"]
    assert low <= 5 / 6 <= high
    assert figures(bootstrap_samples=0)["wer_interval"] is None


def test_figures_are_json_and_nothing_has_figures_too():
    assert json.loads(json.dumps(figures())) == figures()
    empty = figures_of(Tally(), EvaluateSettings())
    assert (empty["wer"], empty["num_rows"], empty["invented"]["per_minute"]) == (None, 0, None)
