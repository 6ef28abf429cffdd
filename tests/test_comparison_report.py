from __future__ import annotations

import json
import re

import pytest

from pipelines.comparison_report import comparison_markdown, render_comparison, verdict

EVIL = "<script>alert(1)</script>"


def difference(value=-0.02, p=0.001, mapsswe=0.01, name="new"):
    worse = {"audio_filepath": f"{EVIL}.wav", "channel": 0, "offset": None, "num_words": 4, "text": EVIL}
    return {
        "system": name,
        "difference": value,
        "bootstrap": {"interval": [value - 0.01, value + 0.01], "p": p},
        "mapsswe": mapsswe and {"num_segments": 9, "mean": 0.1, "z": 2.0, "p": mapsswe},
        "num_worse": 1,
        "num_better": 5,
        "num_equal": 6,
        "worse": [worse | {"errors": [1, 3], "pred_texts": ["a", "b"]}],
        "better": [],
    }


def summary(name="new"):
    systems = [
        {"name": n, "folder": n, "wer": wer, "num_errors": 9, "num_rows_left_out": 0}
        for n, wer in (("old", 0.12), (name, 0.1))
    ]
    change = {"difference": -0.1, "bootstrap": {"interval": [-0.16, -0.04], "p": 0.001}}
    values = [
        {"name": str(c), "num_words": 50, "wers": [0.2, 0.1], "best": name, "differences": [change]} for c in (0, 1)
    ]
    return {
        "baseline": "old",
        "normalization": ["basic 2"],
        "num_rows": 12,
        "num_words": 100,
        "systems": systems,
        "differences": [difference(name=name)],
        "groups": {"channel": values, "codec": values[:1]},
    }


@pytest.mark.parametrize(
    ("row", "word"),
    [
        (difference(), "better"),
        (difference(0.02), "worse"),
        (difference(p=0.2), "not sure"),
        (difference(mapsswe=0.06), "not sure"),
        (difference(mapsswe=None), "not sure"),
        (difference(0.0), "equal"),
    ],
)
def test_a_verdict_needs_both_tests(row, word):
    assert verdict(row) == word


def test_the_page_shows_figures_and_verdict_and_escapes_all_text():
    html = render_comparison(summary(EVIL))
    assert EVIL not in html
    assert not re.search(r"https?://|(src|href)=[\"']?//|@import|url\(", html)
    for text in ("−2.0", "&lt; 0.001", "0.010", "better", "By <bdi>channel", "−16.0 to −4.0<"):
        assert text in html or text.replace("&lt; 0.001", "0.001") in html
    assert "By <bdi>codec" not in html  # of one value nothing is seen


def test_the_rows_that_changed_have_both_alignments():
    html = render_comparison(summary())
    (file,) = json.loads(re.search(r'id="data">(.*?)</script>', html, re.DOTALL)[1])
    assert (file["n"], file["e"]) == (f"{EVIL}.wav", [1, 3])
    assert (file["x"], file["y"]) == ([[EVIL, "a"]], [[EVIL, "b"]])
    assert "a" not in file
    assert '"a":"../a.wav"' in render_comparison(summary(), ["../a.wav"])


def test_several_systems_are_told_apart():
    more = summary()
    more["systems"].append(more["systems"][1] | {"name": "third"})
    more["differences"].append(difference(0.01, name="third"))
    for group in more["groups"].values():
        for value in group:
            value["wers"] = [0.2, 0.1, 0.3]
            value["differences"] = [value["differences"][0], {"difference": 0.1, "bootstrap": None}]
    assert (
        "| 0 | 50 | 20.0\u202f% | 10.0\u202f% | 30.0\u202f% | −10.0 (−16.0 to −4.0) | +10.0 |"
        in comparison_markdown(more)
    )
    html = render_comparison(more)
    assert "better: third" in html
    assert [file["g"] for file in json.loads(re.search(r'id="data">(.*?)</script>', html, re.DOTALL)[1])] == [
        "new",
        "third",
    ]


def test_the_markdown_has_a_row_for_each_system_and_the_files_that_got_worse():
    text = comparison_markdown(summary())
    rows = [line for line in text.splitlines() if line.startswith("| ")][2:4]
    assert [row.split(" | ")[0] for row in rows] == ["| old", "| new"]
    assert "−2.0 | −3.0 to −1.0" in rows[1]
    assert "1 errors, now 3" in text
    assert "<script>" not in text
    assert "| 1 | 50 | 20.0\u202f% | 10.0\u202f% | −10.0 (−16.0 to −4.0) |" in text
