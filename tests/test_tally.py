from __future__ import annotations

import random

import numpy as np

from asr_model import tally as module
from asr_model.records import Failure, Transcript, Utterance, to_table
from asr_model.scoring import ErrorCounts, EvaluateSettings, Score, score
from asr_model.tally import CASE, FIGURES, TOTAL, Tally

GROUPS = ("channel", "agent")
SETTINGS = EvaluateSettings(groups=GROUPS)


def rows(number, seed):
    """Return scores of both channels of calls; some texts are empty, some transcripts missing."""
    draw = random.Random(seed)
    scores = []
    for call in range(number):
        for channel in (0, 1):
            text, said = (" ".join(draw.choices("abcd", k=draw.randrange(7))) for _ in range(2))
            name = f"{seed}-{call}.wav"
            reference = Utterance(name, name, channel, text, extra={"agent": draw.choice(["Kim", "Lee"])})
            transcript = Transcript(name, channel, said, None, 1.5, 8000, "", 2, [])
            scores.append(score(reference, transcript if draw.random() < 0.9 else None, SETTINGS))
    return scores


def figures(tally, key=TOTAL):
    return dict(zip(FIGURES, tally.groups[key].figures.tolist(), strict=True))


def same(one, other):
    return (
        one.groups.keys() == other.groups.keys()
        and all(
            np.array_equal(group.figures, other.groups[key].figures)
            and np.array_equal(group.calls, other.groups[key].calls)
            for key, group in one.groups.items()
        )
        and all(getattr(one, name) == getattr(other, name) for name in ("histogram", "failures"))
    )


def added(*tallies):
    total = Tally()
    for tally in tallies:
        total.add(tally)
    return total


def test_parts_in_any_order_are_the_whole():
    parts = [rows(7, seed) for seed in range(5)]
    whole = Tally.of(to_table(Score, [row for part in parts for row in part], {}), GROUPS)
    tallies = [Tally.of(to_table(Score, part, {}), GROUPS) for part in parts]
    assert same(added(*tallies), whole)
    assert same(added(*tallies[::-1]), whole)


def test_the_total_is_the_sum_of_the_rows_and_of_every_grouping():
    scores = rows(40, 9)
    tally = Tally.of(to_table(Score, scores, {}), GROUPS)
    total = figures(tally)
    words = sum((row.words for row in scores), ErrorCounts())
    assert [total[name] for name in FIGURES[3:7]] == [
        words.hits,
        words.substitutions,
        words.deletions,
        words.insertions,
    ]
    assert (total["num_rows"], total["num_files"], total["num_wrong"]) == (
        80,
        40,
        sum(r.num_errors > 0 for r in scores),
    )
    for name in (*GROUPS, CASE):
        parts = [group.figures for (group_name, _), group in tally.groups.items() if group_name == name]
        without_files = [number for number, figure in enumerate(FIGURES) if figure != "num_files"]
        assert np.array_equal(sum(parts)[without_files], tally.groups[TOTAL].figures[without_files])


def test_the_rows_of_a_call_are_one_call():
    tally = Tally.of(to_table(Score, rows(12, 3), {}), GROUPS)
    assert tally.groups[TOTAL].calls[:, 2].sum() == 12
    assert tally.groups["channel", "0"].calls[:, 2].sum() == 12


def test_every_case_is_a_group_of_its_own():
    def scored(text, said):
        reference = Utterance("a.wav", "a.wav", 0, text)
        transcript = None if said is None else Transcript("a.wav", 0, said, None, 60.0, 8000, "", 1, [])
        return score(reference, transcript, SETTINGS)

    scores = [scored("a", "b"), scored("", "x y"), scored("a", ""), scored("", ""), scored("a b", None)]
    tally = Tally.of(to_table(Score, scores, {}), ())
    tally.count_failures([Failure("z.wav", 0, "no-reference", ""), Failure("a.wav", 0, "no-transcript", "")])
    found = {
        value: group.figures[FIGURES.index("num_rows")] for (name, value), group in tally.groups.items() if name == CASE
    }
    assert found == dict.fromkeys(module.CASES, 1)
    assert figures(tally, (CASE, "empty reference"))["insertions"] == 2
    assert figures(tally, (CASE, "missing hypothesis"))["deletions"] == 2
    assert (tally.num_rows, tally.failures.total()) == (5, 2)


def test_nothing_is_a_tally_too():
    assert Tally.of(to_table(Score, [], {}), GROUPS).num_rows == 0
