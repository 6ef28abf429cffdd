from __future__ import annotations

import json
import random

import numpy as np
import pytest

from asr_model.marks import Marks
from asr_model.records import Segment, Transcript, Utterance, Word
from asr_model.scoring import EvaluateSettings, scorer_of

SETTINGS = EvaluateSettings(keywords=("New York", "sales"))


def marked(marks, text, said, words=(), segments=(), confidence=None, settings=SETTINGS, **extra):
    reference = Utterance("a.wav", "a.wav", 0, text, extra=extra)
    transcript = Transcript("a.wav", 0, said, confidence, 60.0, 8000, "", 1, list(segments), list(words))
    marks.count(reference, transcript, scorer_of(settings)(reference, transcript)[1], settings)
    return marks


def timed(text, *confidences, start=0.0):
    values = confidences or [0.9] * len(text.split())
    return [Word(w, start + n, start + n + 0.5, c) for n, (w, c) in enumerate(zip(text.split(), values, strict=True))]


def test_keywords_are_found_said_and_recognized_where_not_said():
    marks = marked(Marks(), "Sales in New York, sales", "sails in new york sales")
    marked(marks, "new work", "New York")
    assert marks.figures()["keywords"] == [["New York", 1, 1, 1], ["sales", 1, 2, 0]]


def test_confidences_of_words_come_before_those_of_segments_and_rows():
    segments = [Segment(0.0, 1.0, "one two", 0.5)]
    found = marked(Marks(), "one two", "One too", timed("One too", 0.95, 0.15), segments, 0.7).figures()["calibration"]
    assert found["unit"] == "words"
    assert found["points"] == [[0.15, 0.0, 1], [0.95, 1.0, 1]]
    assert found["expected_calibration_error"] == pytest.approx((0.15 + 0.05) / 2)
    found = marked(Marks(), "one two", "one too", (), [Segment(0.0, 1.0, "one too", 0.5)], 0.7).figures()["calibration"]
    assert (found["unit"], found["points"]) == ("segments", [[0.5, 0.5, 2]])
    found = marked(Marks(), "one two", "one too", confidence=0.7).figures()["calibration"]
    assert (found["unit"], found["points"]) == ("rows", [[0.7, 0.5, 2]])
    assert marked(Marks(), "one", "one").figures()["calibration"] is None


def test_an_unknown_confidence_and_words_that_are_not_the_text_do_not_count():
    assert marked(Marks(), "one", "one", timed("one", -1.0)).figures()["calibration"] is None
    assert marked(Marks(), "one", "one", timed("eleven", 0.5)).figures()["calibration"] is None


def test_confidences_that_mean_what_they_say_have_no_calibration_error():
    draw, marks = random.Random(0), Marks()
    for _ in range(400):
        chances = [draw.random() for _ in range(20)]
        said = " ".join("right" if draw.random() < chance else "wrong" for chance in chances)
        marked(marks, " ".join(["right"] * 20), said, timed(said, *chances))
    assert marks.figures()["calibration"]["expected_calibration_error"] < 0.02


def test_times_of_right_words_are_compared():
    times = [(0.0, 0.5), (1.0, 1.5), (2.0, 2.6)]
    found = marked(Marks(), "a b c", "a x c", timed("a x c", start=0.05), word_times=times).figures()["time_error"]
    assert found["num_words"] == 2
    assert (found["start_median_seconds"], found["start_within_100_ms"]) == (0.05, 1.0)
    far = marked(Marks(), "a", "a", timed("a", start=9.0), word_times=[(0.0, 0.5)]).figures()["time_error"]
    assert (far["end_median_seconds"], far["end_within_100_ms"]) == (2.0, 0.0)


def test_words_in_silence_are_counted_by_its_minutes():
    found = marked(Marks(), "a", "a b c", timed("a b c"), segment_times=[(0.0, 0.8)], ignored_times=[(30.0, 60.0)])
    assert found.figures()["silence"] == {"num_words": 2, "seconds": 29.2, "per_minute": 4.11}


def test_a_lost_transcript_finds_no_keyword():
    marks, reference = Marks(), Utterance("a.wav", "a.wav", 0, "sales")
    marks.count(reference, None, scorer_of(SETTINGS)(reference, None)[1], SETTINGS)
    assert marks.figures()["keywords"] == [["New York", 0, 0, 0], ["sales", 0, 1, 0]]


def test_parts_add_up_to_the_whole_and_figures_are_json():
    texts = [("sales a b", "sales b"), ("new york", "new york"), ("c", "sales")]
    whole, sum_of_parts = Marks(), Marks()
    for text, said in texts:
        times = [(0.0, 0.5)] * len(text.split())
        marked(whole, text, said, timed(said), word_times=times)
        sum_of_parts.add(marked(Marks(), text, said, timed(said), word_times=times))
    assert whole.figures() == sum_of_parts.figures() == json.loads(json.dumps(whole.figures()))
    assert np.array_equal(whole.confidences, sum_of_parts.confidences)
