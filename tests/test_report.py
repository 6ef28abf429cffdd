from __future__ import annotations

import re

from asr_model.records import Failure, Transcript, Utterance
from asr_model.scoring import EvaluateSettings, score
from pipelines.evaluate import job_of, summarize
from pipelines.report import MAX_FILES, render_report


def scored(name, reference, hypothesis):
    transcript = Transcript(name, 0, hypothesis, 0.5, 2.0, 8000, "WAV/PCM_16", 1, [])
    return score(Utterance(name, name, 0, reference), transcript, EvaluateSettings())


def page(scores, failures=(), folder="out"):
    job = job_of("transcripts", f"{folder}/references.jsonl", f"{folder}/report", EvaluateSettings())
    return render_report(summarize(scores, failures), list(scores), list(failures), job)


def test_texts_and_names_are_escaped():
    evil = "<script>alert(1)</script>"
    html = page([scored(f"{evil}.wav", f"{evil} one", f"{evil} two")], [Failure(evil, None, "missing", evil)])
    assert evil not in html
    assert html.count("<script>") == 1  # the page's own


def test_the_page_asks_for_nothing_from_elsewhere():
    html = page([scored("a.wav", "one", "two")])
    assert not re.search(r"https?://|(src|href)=[\"']?//|@import|url\(", html)


def test_the_alignment_shows_each_kind_of_error():
    html = page([scored("a.wav", "one two three", "one too three four")])
    assert re.search(r'class="substitution">\s*<s>two</s> too', html)
    assert re.search(r'class="insertion">\s*four', html)


def test_the_worst_files_are_shown_and_the_rest_is_counted():
    scores = [scored(f"{number:05d}.wav", "one two", "one two") for number in range(MAX_FILES + 4)]
    html = page([*scores, scored("worst.wav", "one two", "")])
    assert html.index("worst.wav") < html.index("00000.wav")
    assert "5 more are in per_file.csv" in html


def test_the_page_does_not_depend_on_the_order_of_the_scores():
    scores = [scored(f"{number}.wav", "one two three", "one four") for number in range(5)]
    assert page(scores) == page(scores[::-1])


def test_an_evaluation_of_nothing_is_a_page_too():
    assert "undefined" in page([])


def test_recordings_that_are_there_get_a_player_with_a_relative_link(tmp_path):
    (tmp_path / "a b.wav").write_bytes(b"x")
    html = page([scored("a b.wav", "one", "one"), scored("gone.wav", "one", "one")], folder=str(tmp_path))
    assert 'src="../a%20b.wav"' in html
    assert html.count("<audio") == 1
