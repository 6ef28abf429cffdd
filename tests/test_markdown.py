from __future__ import annotations

from asr_model.records import Transcript, Utterance
from asr_model.scoring import EvaluateSettings, score
from pipelines.evaluate import summarize
from pipelines.markdown import summary_markdown


def scored(name, reference, hypothesis):
    transcript = hypothesis and Transcript(name, 1, hypothesis, 0.5, 2.0, 8000, "WAV/PCM_16", 2, [])
    return score(Utterance(name, name, 1, reference), transcript, EvaluateSettings())


def tables(text):
    """Return the tables of a text as lists of rows of cells, without the rules."""
    found = [[]]
    for line in text.splitlines():
        if line.startswith("| "):
            found[-1].append(line.replace("\\|", "¦").strip("| ").split(" | "))
        elif found[-1]:
            found.append([])
    return [[table[0], *table[2:]] for table in found if table]


def test_totals_and_worst_files_are_tables_and_the_rate_comes_first():
    rows = [
        scored("b.wav", "one two three", None),
        scored("a.wav", "one two three", "one too three"),
        scored("c.wav", "a", "a"),
    ]
    text = summary_markdown(summarize(rows, []), rows)
    assert text.startswith("### Word error rate 57.1\u202f% (95")
    totals, *_, files = tables(text)
    assert dict(zip(*totals, strict=True)).items() >= {"words": "7", "deleted": "3", "files": "3"}.items()
    assert [row[0] for row in files] == ["most errors", "b.wav, channel 1, no transcript", "a.wav, channel 1"]
    assert all(len(row) == len(table[0]) for table in (totals, files) for row in table)


def test_names_are_no_markup():
    rows = [scored("a|b_<script>.wav", "one", "two")]
    text = summary_markdown(summarize(rows, []), rows)
    assert r"a\|b\_\<script\>.wav" in text


def test_the_interval_and_the_groups_stand_in_it_where_they_are_known():
    summary = summarize([scored("a.wav", "one two", "one")], [])
    group = {
        "num_words": 2,
        "substitutions": 0,
        "deletions": 1,
        "insertions": 0,
        "wer": 0.5,
        "wer_interval": [0.1, 0.9],
    }
    groups = {"agent": [{"name": "Kim", **group}, {"name": "Lee", **group}], "only": [{"name": "one", **group}]}
    text = summary_markdown(summary | {"wer_interval": [0.2, 0.8], "groups": groups})
    assert "50.0\u202f% (95\u202f%: 20.0\u202f% to 80.0\u202f%)" in text.splitlines()[0]
    assert tables(text)[1][:2] == [
        ["agent", "WER", "95\u202f%", "words"],
        ["Kim", "50.0\u202f%", "10.0\u202f% to 90.0\u202f%", "2"],
    ]
    assert "only" not in text


def test_an_evaluation_of_nothing_has_a_summary():
    assert "undefined" in summary_markdown(summarize([], []))
