from __future__ import annotations

import re
from html import unescape

import pytest

from asr_model.census import describe_corpus, take_census
from asr_model.records import Example, Failure
from pipelines.corpus_page import find_oddities, show_corpus
from pipelines.exhibits import Exhibit

EVIL = "</style><script>alert(1)</script>"
SETTINGS = {"features": {"sample_rate": 16000}, "split": {"dev": 0.1}}


def example(text="go on", duration=1.0, speaker="ann", sample_rate=16000):
    return Example("a#0", "a.wav", 0, "", text, speaker, duration, sample_rate, "WAV/PCM_16", 1, 1, b"")


def found(*examples, failures=None, split="train"):
    return describe_corpus(take_census(examples, split), failures or {})


def page(examples, failures=(), exhibits=(), source="corpus/manifest.jsonl"):
    reasons = {failure.reason: 1 for failure in failures}
    return show_corpus(found(*examples, failures=reasons), exhibits, failures, source, SETTINGS)


def test_what_others_wrote_is_escaped():
    row = example(EVIL, speaker=EVIL)
    html = page([row], [Failure(EVIL, None, "missing", EVIL)], [Exhibit(row, "data:image/png;base64,", "", 1.0)], EVIL)
    assert "<script" not in html
    assert html.count("</style>") == 1


def test_the_page_asks_for_nothing_from_elsewhere():
    row = example()
    html = page([row], exhibits=[Exhibit(row, "data:image/png;base64,AAAA", "data:audio/flac;base64,AAAA", 1.0)])
    assert not re.search(r'https?://|(src|href)="(?!data:|#)|@import|url\(', html)
    assert "default-src 'none'" in unescape(html)


def test_an_empty_corpus_has_a_page():
    assert "of speech with text" in page([], [Failure("a", None, "missing", "gone")])


def test_a_corpus_of_ten_hours_says_so():
    html = page([example(duration=3600.0)] * 10)
    assert "10.0<small>" in html


@pytest.mark.parametrize(
    ("examples", "sentence"),
    [
        ([example(sample_rate=8000), example()], "1 of 2 utterances (50.0\u202f%) were recorded below 16,000 Hz"),
        ([example("word " * 20, 1.0)], "have 30 characters a second or more"),
        ([example(speaker=None)], "No row names a speaker"),
        ([example("a" * 9), example("é")], "1 of 2 characters are there less than 5 times: é"),
        ([example()], "There is no dev split"),
    ],
)
def test_what_is_odd_is_said(examples, sentence):
    assert any(sentence in oddity for oddity in find_oddities(found(*examples), SETTINGS))


def test_a_corpus_without_oddities_has_none():
    plain = [example("aaaaa") for _ in range(5)]
    counts = {
        name: take_census([row], split) for row, (name, split) in zip(plain, [(0, "train"), (1, "dev")], strict=False)
    }
    from asr_model.census import add_counts

    counts[1]["speakers"] = {"bob": counts[1]["speakers"]["ann"]}
    assert list(find_oddities(describe_corpus(add_counts(counts[0], counts[1]), {}), SETTINGS)) == []


@pytest.mark.parametrize("durations", [[0.3], [0.3, 7200.0], [float(n) for n in range(1, 200)]])
def test_histograms_have_at_most_some_thirty_bars_and_lose_nothing(durations):
    html = page([example(duration=duration) for duration in durations])
    picture = html[html.index('aria-label="Utterances by duration"') :].partition("</svg>")[0]
    heights = [int(count.replace(",", "")) for count in re.findall(r": ([\d,]+)</title>", picture)]
    assert 0 < len(heights) <= 31
    assert sum(heights) == len(durations)
