from __future__ import annotations

import json
import re
from html import unescape

from asr_model.marks import Marks
from asr_model.records import Failure, Transcript, Utterance, Word
from asr_model.scoring import EvaluateSettings, score, scorer_of
from pipelines.evaluate import job_of, summarize
from pipelines.report import render_report
from pipelines.report_rows import MAX_FILES

EVIL = "</script><script>alert(1)</script>"


def scored(name, reference, hypothesis):
    transcript = Transcript(name, 0, hypothesis, 0.5, 2.0, 8000, "WAV/PCM_16", 1, [])
    return score(Utterance(name, name, 0, reference), transcript, EvaluateSettings(normalization=("none",)))


def page(scores, failures=(), folder="out", more=None):
    job = job_of("transcripts", f"{folder}/references.jsonl", f"{folder}/report", EvaluateSettings())
    return render_report(
        summarize(scores, failures) | (more or {}), ((row, None) for row in scores), list(failures), job
    )


def embedded(html):
    """Return the files inside a page."""
    return json.loads(re.search(r'<script type="application/json" id="data">(.*?)</script>', html, re.DOTALL)[1])


def test_texts_and_names_are_escaped_in_the_page_and_in_its_data():
    html = page([scored(f"{EVIL}.wav", f"{EVIL} one", f"{EVIL} two")], [Failure(EVIL, None, "missing", EVIL)])
    assert EVIL not in html
    assert html.count("</script>") == 2  # the data's and the page's own
    assert embedded(html)[0]["n"] == f"{EVIL}.wav"


def test_the_page_asks_for_nothing_from_elsewhere():
    html = page([scored("a.wav", "one", "two")])
    assert not re.search(r"https?://|(src|href)=[\"']?//|@import|url\(", html)
    assert "default-src 'none'" in unescape(html)


def test_the_answer_comes_first():
    html = page([scored("a.wav", "one two three four", "one too three four"), scored("b.wav", "five", "five")])
    assert html.index("20.0") < html.index("word error rate</div>") < html.index("What stands out")


def test_the_worst_files_are_shown_and_the_rest_is_counted():
    scores = [scored(f"{number:05d}.wav", "one two", "one two") for number in range(MAX_FILES + 4)]
    html = page([*scores, scored("worst.wav", "one two", "")])
    assert embedded(html)[0]["n"] == "worst.wav"
    assert len(embedded(html)) == MAX_FILES
    assert "the other 5 are in per_file.csv" in html


def test_the_page_does_not_depend_on_the_order_of_the_scores():
    scores = [scored(f"{number}.wav", "one two three", "one four") for number in range(5)]
    assert page(scores) == page(scores[::-1])


def test_an_evaluation_of_nothing_is_a_page_too():
    assert "undefined" in page([])


def test_every_file_stands_in_one_bar_and_only_the_flawless_in_the_first():
    pairs = [("a b", "a b"), ("a b", "a"), ("a", "a b c"), (" ".join("a" * 30), " ".join("a" * 29))]
    html = page([scored(f"{number}.wav", *pair) for number, pair in enumerate(pairs)])
    bars = re.findall(r"<rect[^>]*><title>([^:]*)\u202f%: 1</title>", html)
    assert bars == ["0", "5", "50", "&gt; 100"]


def test_sections_appear_when_their_figures_are_there():
    scores = [scored("a.wav", "one two three four", "one too three four"), scored("b.wav", "five", "five")]
    plain = page(scores)
    assert "By agent" not in plain
    row = {"num_words": 4, "num_rows": 1, "substitutions": 1, "deletions": 0, "insertions": 0, "wer": 0.25}
    rows = [row | {"name": name, "wer_interval": [0.1, 0.4]} for name in ("under 2 s", "2 to 5 s")]
    groups = {"agent": [rows[0] | {"name": EVIL}, rows[1]], "duration_band": rows, "one": rows[:1]}
    cases = [row | {"name": name, "wer_interval": None} for name in ("both sides", "empty reference")]
    more = {
        "groups": groups | {"case": cases},
        "wer_interval": [0.1, 0.3],
        "raw_wer": 0.4,
        "normalization": ["numbers_to_words 1", "basic 2"],
    }
    html = page(scores, more=more)
    for text in ("By <bdi>agent", "by duration", "Special cases", "between 10.0", "numbers_to_words 1", "20.0 points"):
        assert text in html
    assert "By <bdi>one" not in html  # a group of one value says nothing
    assert html.count("</script>") == 2


def test_what_is_known_of_single_words_is_shown_where_it_is_known():
    scores = [scored("a.wav", "one two", "one")]
    assert "What can be relied on" not in page(scores)
    settings, marks = EvaluateSettings(keywords=(EVIL, "two")), Marks()
    words = [Word("one", 0.04, 0.5, 0.9), Word("two", 60.0, 60.7, 0.9)]
    transcript = Transcript("a.wav", 0, "one two", None, 122.0, 8000, "", 1, [], words)
    times = {"word_times": [(0.0, 0.5), (1.0, 1.5)], "segment_times": [(0.0, 2.0)]}
    for text in ("one two", "one two", "one two", "one two two"):
        reference = Utterance("a.wav", "a.wav", 0, text, extra=times)
        marks.count(reference, transcript, scorer_of(settings)(reference, transcript)[1], settings)
    html = page(scores, more=marks.figures())
    for text in ("80.0\u202f%", "0.04 s", "50.0\u202f%", "0.5 a minute of 8.0 min"):
        assert text in html
    assert html.count("</script>") == 2


def test_recordings_that_are_there_get_a_relative_link(tmp_path):
    (tmp_path / "a b.wav").write_bytes(b"x")
    html = page([scored("a b.wav", "one", "one"), scored("gone.wav", "one", "one")], folder=str(tmp_path))
    assert [file.get("a") for file in embedded(html)] == ["../a%20b.wav", None]
