from __future__ import annotations

import re

from pipelines.findings import find

TOTALS = {
    "wer": 0.2,
    "num_words": 1000,
    "num_rows": 50,
    "substitutions": 50,
    "deletions": 130,
    "insertions": 20,
    "failures_by_reason": {},
}


def said(summary, worst=()):
    return [re.sub(r"<[^>]*>", "", sentence) for sentence in find(summary, worst)]


def group(name, num_words, errors, interval):
    return {
        "name": name,
        "num_words": num_words,
        "substitutions": errors,
        "deletions": 0,
        "insertions": 0,
        "wer": errors / num_words,
        "wer_interval": interval,
    }


def test_the_kind_that_makes_most_errors_is_named():
    assert "Most errors are deletions (65\u202f%)" in said(TOTALS)[0]
    even = TOTALS | {"substitutions": 70, "deletions": 70, "insertions": 60}
    assert said(even) == []


def test_the_group_that_costs_most_is_named_if_it_is_worse_for_sure_and_not_tiny():
    groups = [
        group("agent", 800, 80, [0.08, 0.12]),
        group("customer", 180, 110, [0.5, 0.7]),
        group("robot", 5, 5, [0.9, 1.0]),
        group("unsure", 100, 40, [0.1, 0.8]),
    ]
    first = said(TOTALS | {"groups": {"speaker": groups}})[0]
    assert first == "Worst by speaker: customer with 61.1\u202f%, and 55\u202f% of all errors."


def test_few_files_with_half_of_the_errors_are_worth_a_look():
    assert "Half of all errors are in 2 of 50 rows" in said(TOTALS, [60, 40, 1, 1])[1]
    assert len(said(TOTALS, [5] * 40)) == 1  # 20 of 50 rows: no minority
    assert len(said(TOTALS, [1, 1])) == 1  # the rows given do not reach half


def test_lost_references_formatting_and_the_first_confusion_are_named():
    more = {"failures_by_reason": {"no-transcript": 3}, "raw_wer": 0.26, "confusions": [["<b>two", "too", 9]]}
    sentences = "\n".join(said(TOTALS | more))
    assert "3 references without a transcript" in sentences
    assert "6.0 points of the unnormalized 26.0\u202f% are formatting" in sentences
    assert "said &lt;b&gt;two, recognized too, 9 times" in sentences


def test_missed_keywords_and_misleading_confidences_are_named():
    keywords = [["sales", 9, 10, 0], ["<b>refund", 2, 10, 1], ["never said", 0, 0, 0]]
    points = [[0.5, 0.3, 100], [0.9, 0.8, 300]]
    sentences = said(TOTALS | {"keywords": keywords, "calibration": {"points": points}})
    assert "The keyword &lt;b&gt;refund was found 2 of 10 times." in sentences
    assert "Confidences are 12 points too high on average: they are no probabilities." in sentences
    right = TOTALS | {"keywords": keywords[2:], "calibration": {"points": [[0.5, 0.51, 100]]}}
    assert said(right) == said(TOTALS)


def test_an_evaluation_of_nothing_has_nothing_that_stands_out():
    nothing = dict.fromkeys(TOTALS, 0) | {"wer": None, "failures_by_reason": {}}
    assert find(nothing) == []
