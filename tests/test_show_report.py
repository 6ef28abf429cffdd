from __future__ import annotations

import json

import pyarrow.parquet as pq
import pytest
import show_report

from asr_model.records import Transcript, Utterance, to_table
from asr_model.scoring import ErrorCounts, EvaluateSettings, Score, score
from pipelines.__main__ import main


def test_the_table_shows_every_file_and_the_total(tmp_path, capsys):
    rows = [{"audio_filepath": f"{n}.wav", "channel": 0, "text": "one two", "pred_text": "one"} for n in range(3)]
    (tmp_path / "rows.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    both = ["--input", str(tmp_path / "rows.jsonl"), "--reference", str(tmp_path / "rows.jsonl")]
    assert main(["evaluate", *both, "--output", str(tmp_path / "report")]) == 0
    assert show_report.main([str(tmp_path / "report")]) == 0
    shown = capsys.readouterr().out
    assert all(f"{n}.wav, channel 0" in shown for n in range(3))
    assert shown.count("50.0%") == 5
    assert (tmp_path / "report" / "index.html").as_uri() in shown.replace("\n", "")


def report(folder, *pairs):
    """Write the report of (file, channel, reference, hypothesis) rows; without hypothesis a transcript is missing."""
    scores = []
    for path, channel, text, said in pairs:
        transcript = said and Transcript(path, channel, said, 0.5, 1.0, 8000, "", 1, [])
        scores.append(score(Utterance(path, path, channel, text), transcript, EvaluateSettings()))
    words = sum((row.words for row in scores), ErrorCounts())
    summary = {"num_words": words.num_reference, "wer": words.rate}
    summary |= {name: getattr(words, name) for name in ("substitutions", "deletions", "insertions")}
    pq.write_table(to_table(Score, scores, {}), folder / "per_file.parquet")
    (folder / "summary.json").write_text(json.dumps(summary))
    return folder


def lines(shown):
    """Return name → cells of the table's rows."""
    rows = [[cell.strip() for cell in line.strip("│").split("│")] for line in shown.splitlines() if line[:1] == "│"]
    return [(name, cells) for name, *cells in rows]


def test_a_lost_transcript_of_no_channel_is_shown_and_channels_stay_whole_numbers(tmp_path, capsys):
    rows = [("a.wav", 1, "one two", "one"), ("b.wav", None, "three", None)]
    assert show_report.main([str(report(tmp_path, *rows))]) == 0
    assert lines(capsys.readouterr().out) == [
        ("a.wav, channel 1", ["2", "0", "1", "0", "50.0%"]),
        ("b.wav, no channel", ["1", "0", "1", "0", "100.0%"]),
        ("channel 1", ["2", "0", "1", "0", "50.0%"]),
        ("no channel", ["1", "0", "1", "0", "100.0%"]),
        ("all", ["3", "0", "2", "0", "66.7%"]),
    ]


def test_files_of_one_name_in_two_folders_stay_two(tmp_path, capsys):
    rows = [("x/a.wav", 0, "one two", "one two"), ("y/a.wav", 0, "one two", "two")]
    assert show_report.main([str(report(tmp_path, *rows))]) == 0
    assert [cells[-1] for name, cells in lines(capsys.readouterr().out) if name == "a.wav, channel 0"] == [
        "0.0%",
        "50.0%",
    ]


@pytest.mark.parametrize("rows", [[], [("a.wav", 0, "", "one")]])
def test_without_words_there_is_no_rate(tmp_path, capsys, rows):
    assert show_report.main([str(report(tmp_path, *rows))]) == 0
    shown = lines(capsys.readouterr().out)
    assert {cells[-1] for _, cells in shown} == {"–"}
    assert shown[-1][0] == "all"
