from __future__ import annotations

import json

import show_report

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
