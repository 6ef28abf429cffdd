from __future__ import annotations

import json
import random
import re

import pandas as pd
import pytest

from pipelines.__main__ import main

WORDS = ["one", "two", "three", "four", "five", "six", "seven", "eight", "nine", "ten"]


def write(path, rows):
    path.write_text("".join(json.dumps(row) + "\n" for row in rows))
    return str(path)


def references(number=60):
    draw = random.Random(0)
    return [
        {"audio_filepath": f"d{n % 2}/{n // 2}.wav", "channel": n % 2, "text": " ".join(draw.choices(WORDS, k=8))}
        for n in range(number)
    ]


def heard(rows, rate, seed):
    draw = random.Random(seed)
    said = []
    for row in rows:
        words = [draw.choice(WORDS) if draw.random() < rate else word for word in row["text"].split()]
        name = {"audio_filepath": row["audio_filepath"], "channel": row["channel"], "duration": 3.0}
        said.append({**name, "pred_text": " ".join(words)})
    return said


@pytest.fixture(scope="module")
def reports(tmp_path_factory):
    """Return a folder with the reports of a bad and a good system, and of one with other normalization."""
    folder = tmp_path_factory.mktemp("reports")
    rows = references()
    path = write(folder / "references.jsonl", rows)
    systems = {"bad": heard(rows, 0.4, 1), "good": heard(rows, 0.1, 2)[1:], "raw": heard(rows, 0.1, 2)}
    for name, said in systems.items():
        more = ["--set", "normalization=[none]"] if name == "raw" else []
        source = write(folder / f"{name}.jsonl", said)
        command = ["evaluate", "--input", source, "--reference", path, "--output", str(folder / name), *more]
        assert main([*command, "--direct_running_mode=in_memory"]) == 0
    other = write(folder / "other.jsonl", [{**row, "text": row["text"] + " more"} for row in rows])
    command = ["evaluate", "--input", str(folder / "bad.jsonl"), "--reference", other]
    assert main([*command, "--output", str(folder / "changed"), "--direct_running_mode=in_memory"]) == 0
    return folder


def test_a_better_system_is_found_with_its_files_and_groups(reports, tmp_path, capsys):
    folders = [str(reports / name) for name in ("bad", "good")]
    assert main(["compare", *folders, "--output", str(tmp_path / "out")]) == 0
    assert "good is better" in capsys.readouterr().out
    summary = json.loads((tmp_path / "out" / "summary.json").read_text())
    (row,) = summary["differences"]
    assert row["difference"] == pytest.approx(summary["systems"][1]["wer"] - summary["systems"][0]["wer"], abs=1e-6)
    assert row["bootstrap"]["interval"][1] < 0
    assert row["bootstrap"]["p"] < 0.01
    assert row["mapsswe"]["p"] < 0.01
    assert row["num_worse"] + row["num_better"] + row["num_equal"] == summary["num_rows"] == 60
    lost = json.loads((reports / "good" / "summary.json").read_text())
    assert summary["systems"][1]["num_errors"] == sum(lost[n] for n in ("substitutions", "deletions", "insertions"))
    assert [value["name"] for value in summary["groups"]["channel"]][:2] == ["0", "1"]
    assert {value["best"] for value in summary["groups"]["channel"]} == {"good"}
    for value in summary["groups"]["channel"]:
        (change,) = value["differences"]
        assert change["difference"] == pytest.approx(value["wers"][1] - value["wers"][0], abs=1e-6)
        low, high = change["bootstrap"]["interval"]
        assert low < change["difference"] < high < 0
    table = pd.read_csv(tmp_path / "out" / "per_file.csv")
    assert table["errors good"].sum() == summary["systems"][1]["num_errors"]
    assert "good" in (tmp_path / "out" / "index.html").read_text()
    assert (tmp_path / "out" / "compare.md").read_text().startswith("### Compared with bad")


def test_a_group_of_all_rows_has_the_figures_of_the_total(reports, tmp_path, monkeypatch):
    monkeypatch.setattr("pipelines.compare.GROUP_SAMPLES", 100_000)
    folders = [str(reports / name) for name in ("bad", "good")]
    assert main(["compare", *folders, "--output", str(tmp_path / "out")]) == 0
    summary = json.loads((tmp_path / "out" / "summary.json").read_text())
    (row,), (total,) = summary["groups"]["duration_band"], summary["differences"]
    assert row["differences"] == [{name: total[name] for name in ("difference", "bootstrap")}]
    monkeypatch.setattr("pipelines.compare.MAX_INTERVALS", 1)
    assert main(["compare", *folders, "--output", str(tmp_path / "few")]) == 0
    summary = json.loads((tmp_path / "few" / "summary.json").read_text())
    has_interval = [v["differences"][0]["bootstrap"] is not None for v in summary["groups"]["channel"]]
    assert sorted(has_interval) == [False, True]


def test_the_page_links_the_audio_of_the_rows_that_changed(reports, tmp_path):
    (reports / "d0").mkdir()
    (reports / "d0" / "0.wav").write_bytes(b"x")
    folders = [str(reports / name) for name in ("bad", "good")]
    assert main(["compare", *folders, "--output", str(reports / "compared")]) == 0
    html = (reports / "compared" / "index.html").read_text()
    linked = {f["n"]: f.get("a") for f in json.loads(re.search(r'id="data">(.*?)</script>', html, re.DOTALL)[1])}
    assert linked.pop("d0/0.wav") == "../d0/0.wav"
    assert set(linked.values()) == {None}


def test_a_system_is_equal_to_itself(reports, tmp_path):
    folder = str(reports / "bad")
    assert main(["compare", folder, folder, "--output", str(tmp_path / "out")]) == 0
    (row,) = json.loads((tmp_path / "out" / "summary.json").read_text())["differences"]
    assert (row["difference"], row["mapsswe"], row["num_equal"]) == (0.0, None, 60)


@pytest.mark.parametrize(
    ("names", "message"),
    [
        (["bad"], "wanted two or more"),
        (["bad", "raw"], "normalization is"),
        (["bad", "changed"], "60 references differ"),
        (["bad", "nothing"], "did that job finish"),
    ],
)
def test_what_cannot_be_compared_is_said(reports, tmp_path, capsys, names, message):
    folders = [str(reports / name) for name in names]
    assert main(["compare", *folders, "--output", str(tmp_path / "out")]) == 2
    assert message in capsys.readouterr().err
