from __future__ import annotations

import dataclasses
import random

from asr_model.records import Segment, Transcript, Utterance, Word
from asr_model.scoring import EvaluateSettings, score
from pipelines.report_rows import MAX_WORDS_OF_FILE, file_row, file_rows, spoken_times, worst


def row(name, reference, hypothesis, segments=(), channel=0):
    transcript = Transcript(name, channel, hypothesis, 0.5, 2.0, 8000, "WAV/PCM_16", 1, list(segments))
    return score(Utterance(name, name, channel, reference), transcript, EvaluateSettings()), transcript


def sides(pieces):
    """Return the two texts that an alignment is of."""
    pairs = [(piece, piece) if isinstance(piece, str) else tuple(piece) for piece in pieces]
    return tuple(" ".join(filter(None, side)) for side in zip(*pairs, strict=True)) if pairs else ("", "")


def test_the_alignment_of_a_row_holds_both_texts_whole():
    draw = random.Random(3)
    for _ in range(50):
        reference, hypothesis = (" ".join(draw.choices("abcd", k=draw.randrange(9))) for _ in range(2))
        found = file_row(*row("a.wav", reference, hypothesis), None)
        assert sides(found["x"]) == (reference, hypothesis)
        said, heard = found["w"][0] + found["w"][1] + found["w"][2], found["w"][0] + found["w"][1] + found["w"][3]
        assert (said, heard) == (len(reference.split()), len(hypothesis.split()))


def test_the_worst_rows_are_the_same_whatever_the_order():
    rows = [row(f"{n % 7}.wav", "a b c", "a x" if n % 3 else "a b c", channel=n) for n in range(30)]
    found = worst(iter(rows[::-1]), number=5)
    assert found == worst(rows, number=5)
    assert found == worst(rows[20:], worst(rows[7:20], worst(rows[:7], number=5), number=5), number=5)
    assert [score.words.num_errors for score, _ in found] == [2] * 5


def test_rows_without_a_transcript_come_last():
    lost = score(Utterance("lost.wav", "lost.wav", 0, "a b c d"), None, EvaluateSettings()), None
    found = worst([lost, row("right.wav", "a", "a"), row("wrong.wav", "a b", "x")])
    assert [score.audio_filepath for score, _ in found] == ["wrong.wav", "right.wav", "lost.wav"]


def test_a_long_file_is_cut_and_says_so():
    text = " ".join(["a"] * (MAX_WORDS_OF_FILE + 3))
    found = file_row(*row("long.wav", text, text), None)
    assert found["z"] == MAX_WORDS_OF_FILE
    assert found["w"][0] == MAX_WORDS_OF_FILE + 3


def test_the_words_of_a_page_are_bounded(monkeypatch):
    monkeypatch.setattr("pipelines.report_rows.MAX_WORDS", 5)
    rows = [row(f"{n}.wav", "a b", "a b") for n in range(4)]
    found = file_rows(rows, [None] * 4)
    assert [file.get("z") for file in found] == [None, None, 1, 0]
    assert [file["x"] for file in found] == [["a b"], ["a b"], ["a"], []]
    assert all(file["w"] == [2, 0, 0, 0] for file in found)


def test_words_get_the_times_of_what_was_written_before_normalization():
    timed = [("Well,", 0.0, 0.5), ("it's", 0.5, 0.8), ("10:00", 1.0, 2.0), ("now.", 2.0, 2.5)]
    times = spoken_times(["well", "it's", "ten", "o'clock", "now"], timed)
    assert times == [(0.0, 0.5), (0.5, 0.8), (1.0, 2.0), (1.0, 2.0), (2.0, 2.5)]
    assert spoken_times(["a", "b"], [("a", 0, 1)]) == [(0, 1), None]
    assert spoken_times(["a"], []) == [None]


def test_segments_begin_at_their_first_word():
    segments = [Segment(0.0, 1.0, "One two,", 0.9), Segment(2.0, 2.2, " ", 0.1), Segment(3.0, 4.5, "THREE", 0.9)]
    found = file_row(*row("a.wav", "one three", "one two three", segments), None)
    assert found["q"] == [(0.0, 1.0, 0), (3.0, 4.5, 2)]
    assert "t" not in found  # nothing is known of the words


def test_words_with_times_are_told_by_their_start_and_end():
    words = [Word("One", 0.0, 0.41, 0.9), Word("two.", 1.0, 1.5, 0.9)]
    _, transcript = pair = row("a.wav", "one two", "one two")
    found = file_row(pair[0], dataclasses.replace(transcript, words=words), None)
    assert found["t"] == [0.0, 0.41, 1.0, 1.5]
