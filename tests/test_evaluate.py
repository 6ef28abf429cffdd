from __future__ import annotations

import csv
import json
import random

import pandas as pd
import pytest
from conftest import contents

from asr_model.records import Failure, Transcript, Utterance
from asr_model.scoring import ErrorCounts, EvaluateSettings, word_errors
from pipelines.__main__ import main
from pipelines.evaluate import score_rows, summarize

WORDS = ["press", "one", "for", "sales", "two", "three"]


def write(path, rows):
    path.write_text("".join(json.dumps(row, ensure_ascii=False) + "\n" for row in rows), encoding="utf-8")
    return str(path)


def corpus(num_files, seed=0):
    """Return references and hypotheses of both channels of recordings, with random errors."""
    draw = random.Random(seed)
    references, hypotheses = [], []
    for number in range(num_files):
        for channel in (0, 1):
            words = draw.choices(WORDS, k=draw.randrange(0, 9))
            said = [draw.choice(WORDS) if draw.random() < 0.2 else word for word in words if draw.random() > 0.1]
            name = {"audio_filepath": f"day-{number % 3}/{number}.wav", "channel": channel}
            references.append({**name, "text": " ".join(words).upper()})
            hypotheses.append({**name, "pred_text": " ".join(said), "duration": 2.0})
    draw.shuffle(hypotheses)
    return references, hypotheses


def evaluate(folder, references, hypotheses, *more, output="report"):
    reference, hypothesis = write(folder / "references.jsonl", references), write(folder / "system.jsonl", hypotheses)
    command = ["evaluate", "--input", hypothesis, "--reference", reference, "--output", str(folder / output)]
    mode = [] if any("running_mode" in word for word in more) else ["--direct_running_mode=in_memory"]
    return main([*command, *mode, *more])


def summary_of(folder):
    return json.loads((folder / "summary.json").read_text())


def test_totals_are_those_of_all_texts_scored_at_once(tmp_path):
    references, hypotheses = corpus(30)
    assert evaluate(tmp_path, references, hypotheses) == 0
    summary = summary_of(tmp_path / "report")
    said = {(row["audio_filepath"], row["channel"]): row["pred_text"] for row in hypotheses}
    expected = word_errors(
        [row["text"].lower() for row in references],
        [said[row["audio_filepath"], row["channel"]] for row in references],
    )
    found = ErrorCounts(*(summary[name] for name in ("hits", "substitutions", "deletions", "insertions")))
    assert found == expected
    assert summary["wer"] == pytest.approx(expected.rate, abs=1e-6)
    assert (summary["num_files"], summary["num_failures"]) == (30, 0)


def test_the_report_has_the_same_bytes_whatever_the_workers_and_the_order(tmp_path):
    references, hypotheses = corpus(12)
    assert evaluate(tmp_path, references, hypotheses) == 0
    options = ["--direct_running_mode=multi_processing", "--direct_num_workers=2"]
    assert evaluate(tmp_path, references[::-1], hypotheses[::-1], *options, output="other") == 0
    assert contents(tmp_path / "report", "*.*") == {
        **contents(tmp_path / "other", "*.*"),
        "_RUN.json": (tmp_path / "report" / "_RUN.json").read_bytes(),
    }


def test_the_beam_result_is_the_in_memory_result(tmp_path):
    references, hypotheses = corpus(9, seed=1)
    assert evaluate(tmp_path, references, hypotheses) == 0
    rows = [Utterance(r["audio_filepath"], r["audio_filepath"], r["channel"], r["text"]) for r in references]
    rows += [Transcript(r["audio_filepath"], r["channel"], r["pred_text"], None, 2.0, 0, "", 1, []) for r in hypotheses]
    results = list(score_rows(rows, EvaluateSettings()))
    scores = [row[0] for row in results if not isinstance(row, Failure)]
    expected = json.loads(json.dumps(summarize(scores, [row for row in results if isinstance(row, Failure)])))
    assert summary_of(tmp_path / "report").items() >= expected.items()


def test_csv_parquet_and_summary_agree(tmp_path):
    references, hypotheses = corpus(9, seed=2)
    assert evaluate(tmp_path, references, hypotheses) == 0
    table, summary = pd.read_parquet(tmp_path / "report" / "per_file.parquet"), summary_of(tmp_path / "report")
    text = pd.read_csv(tmp_path / "report" / "per_file.csv")
    for name in ("num_words", "hits", "substitutions", "deletions", "insertions", "num_characters"):
        assert table[name].sum() == text[name].sum() == summary[name]
    assert len(table) == summary["num_rows"]


def test_a_reference_without_transcript_counts_as_deleted_words_and_as_a_failure(tmp_path):
    references = [{"audio_filepath": "a.wav", "text": "one two"}, {"audio_filepath": "b.wav", "text": "three"}]
    hypotheses = [
        {"audio_filepath": "a.wav", "pred_text": "one two"},
        {"audio_filepath": "c.wav", "pred_text": "nobody asked"},
    ]
    assert evaluate(tmp_path, references, hypotheses) == 0
    summary = summary_of(tmp_path / "report")
    assert (summary["deletions"], summary["num_words"], summary["insertions"]) == (1, 3, 0)
    assert sum(summary["failures_by_reason"].values()) == summary["num_failures"] == 2
    assert evaluate(tmp_path, references, hypotheses, "--set", "max_failure_rate=0.4", output="strict") == 1


@pytest.mark.parametrize(("limit", "status"), [("0.5", 0), ("0.49", 1)])
def test_a_word_error_rate_above_the_limit_fails_and_still_leaves_the_report(tmp_path, capsys, limit, status):
    rows = [{"audio_filepath": "a.wav", "text": "one two", "pred_text": "one"}]
    assert evaluate(tmp_path, rows, rows, "--fail-above", limit) == status
    assert ("--fail-above 0.49: WER 50.00%" in capsys.readouterr().err) == bool(status)
    assert (tmp_path / "report" / "index.html").exists()


def test_the_markdown_summary_begins_with_the_rate(tmp_path):
    references = [{"audio_filepath": f"{n}.wav", "text": "one two"} for n in range(4)]
    hypotheses = [{"audio_filepath": f"{n}.wav", "pred_text": "one" if n else "one two"} for n in range(4)]
    assert evaluate(tmp_path, references, hypotheses) == 0
    text = (tmp_path / "report" / "summary.md").read_text()
    assert text.startswith("### Word error rate 37.5\u202f%")
    assert "1.wav" in text
    summary = summary_of(tmp_path / "report")
    assert (summary["mer"], summary["wip"], summary["wil"], summary["ser"]) == (0.375, 0.625, 0.375, 0.75)
    assert not (tmp_path / "report" / "_parts").exists()


def test_many_parts_give_the_figures_of_one(tmp_path, monkeypatch):
    references, hypotheses = corpus(20, seed=4)
    assert evaluate(tmp_path, references, hypotheses) == 0
    monkeypatch.setattr("pipelines.parts.PART_BYTES", 1000)
    monkeypatch.setattr("pipelines.parts.SLICE_BYTES", 700)
    assert evaluate(tmp_path, references, hypotheses, output="other") == 0
    assert summary_of(tmp_path / "report") == summary_of(tmp_path / "other")
    columns = ["audio_filepath", "channel"]
    one, many = (pd.read_parquet(tmp_path / n / "per_file.parquet").sort_values(columns) for n in ("report", "other"))
    assert one.reset_index(drop=True).equals(many.reset_index(drop=True))


def test_a_text_that_begins_as_a_formula_is_text_in_the_csv(tmp_path):
    references = [{"audio_filepath": "=cmd.wav", "text": "one"}]
    assert evaluate(tmp_path, references, [{"audio_filepath": "=cmd.wav", "pred_text": "one"}]) == 0
    with open(tmp_path / "report" / "per_file.csv", newline="") as file:
        (row,) = csv.DictReader(file)
    assert row["audio_filepath"] == "'=cmd.wav"


@pytest.mark.parametrize(
    ("references", "hypotheses", "message"),
    [
        ("references.jsonl", "none.jsonl", "no such transcripts"),
        ("none.jsonl", "system.jsonl", "no such file"),
        ("references.jsonl", "unfinished", "did that job finish"),
    ],
)
def test_inputs_that_are_not_there_are_wrong_usage(tmp_path, capsys, references, hypotheses, message):
    (tmp_path / "unfinished" / "transcripts").mkdir(parents=True)
    rows = corpus(1)
    write(tmp_path / "references.jsonl", rows[0])
    write(tmp_path / "system.jsonl", rows[1])
    command = ["evaluate", "--input", str(tmp_path / hypotheses), "--reference", str(tmp_path / references)]
    assert main([*command, "--output", str(tmp_path / "report")]) == 2
    assert message in capsys.readouterr().err


def test_a_line_that_is_no_transcript_fails_the_job_with_its_number(tmp_path, capsys):
    references, hypotheses = corpus(1)
    assert evaluate(tmp_path, references, [*hypotheses, {"audio_filepath": "x.wav"}]) != 0
    assert "line 3" in capsys.readouterr().err


def test_keywords_and_confidences_stand_in_the_summary(tmp_path):
    references, hypotheses = corpus(6, seed=3)
    said = [{**row, "confidence": 0.25 + 0.5 * (number % 2)} for number, row in enumerate(hypotheses)]
    assert evaluate(tmp_path, references, said, "--set", "keywords=[sales]", "--set", "groups=[]") == 0
    summary = summary_of(tmp_path / "report")
    ((keyword, found, number, _),) = summary["keywords"]
    assert (keyword, number) == ("sales", sum(row["text"].split().count("SALES") for row in references))
    assert 0 < found <= number
    assert summary["calibration"]["unit"] == "rows"
    assert sum(point[2] for point in summary["calibration"]["points"]) == sum(len(r["pred_text"].split()) for r in said)
    page = (tmp_path / "report" / "index.html").read_text()
    assert "Keywords" in page
    assert "Is the confidence right?" in page


def test_a_group_that_no_row_has_is_refused(tmp_path, capsys):
    references, hypotheses = corpus(1)
    assert evaluate(tmp_path, references, hypotheses, "--set", "groups=[agnet]") != 0
    assert "no row has a column 'agnet'" in capsys.readouterr().err


def test_formats_of_others_are_evaluated_by_what_they_have_in_common(tmp_path):
    (tmp_path / "r.stm").write_text("call A s 0 2 one two\ncall B t 0 2 three\n")
    (tmp_path / "h.ctm").write_text("call 1 0 1 one 0.9\ncall 1 1 1 too 0.5\ncall 2 0 1 three 0.8\n")
    command = ["evaluate", "--input", str(tmp_path / "h.ctm"), "--reference", str(tmp_path / "r.stm")]
    assert main([*command, "--output", str(tmp_path / "report"), "--direct_running_mode=in_memory"]) == 0
    summary = summary_of(tmp_path / "report")
    assert (summary["num_words"], summary["substitutions"], summary["num_failures"]) == (3, 1, 0)
    assert summary["calibration"]["unit"] == "words"


@pytest.mark.parametrize(("name", "line"), [("r.stm", "call 1 s 0 2 {}\n"), ("r.trn", "{} (call)\n")])
def test_what_a_reference_leaves_open_is_no_error(tmp_path, name, line):
    (tmp_path / name).write_text(line.format("so { i am / i'm } (uh) going"))
    (tmp_path / "h.ctm").write_text("call 1 0 1 so\ncall 1 1 1 i'm\ncall 1 2 1 gone\n")
    command = ["evaluate", "--input", str(tmp_path / "h.ctm"), "--reference", str(tmp_path / name)]
    assert main([*command, "--output", str(tmp_path / "report"), "--direct_running_mode=in_memory"]) == 0
    summary = summary_of(tmp_path / "report")
    assert (summary["num_words"], summary["hits"], summary["confusions"]) == (3, 2, [["going", "gone", 1]])
