"""The summary of a report as Markdown, for a pull request or a chat."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from asr_model.scoring import Score
from pipelines.findings import excess_errors, find, group_label
from pipelines.pictures import percent

__all__ = ["summary_markdown"]

MAX_FILES = 5
MAX_GROUPS, MAX_VALUES = 3, 6
_MEANT_AS_MARKUP = re.compile(r"([\\`*_{}\[\]<>|~#])")


def summary_markdown(summary: Mapping[str, Any], worst: Sequence[Score] = ()) -> str:
    """Return the rates, what stands out, the groups by what they cost, and the ``worst`` rows."""
    return "\n".join([*_totals(summary), *_findings(summary), *_groups(summary), *_files(worst)])


def _totals(summary: Mapping[str, Any]) -> list[str]:
    interval = summary.get("wer_interval")
    between = f" (95\u202f%: {percent(interval[0])} to {percent(interval[1])})" if interval else ""
    wer = "undefined" if summary["wer"] is None else percent(summary["wer"])
    cells = {
        "words": f"{summary['num_words']:,}",
        "substituted": f"{summary['substitutions']:,}",
        "deleted": f"{summary['deletions']:,}",
        "inserted": f"{summary['insertions']:,}",
        "CER": percent(summary["cer"]),
        "MER": percent(summary["mer"]),
        "WIL": percent(summary["wil"]),
        "sentence error rate": percent(summary["ser"]),
        "files": f"{summary['num_files']:,}",
        "failures": f"{summary['num_failures']:,}",
    }
    return [f"### Word error rate {wer}{between}", "", *_table([list(cells), list(cells.values())]), ""]


def _findings(summary: Mapping[str, Any]) -> list[str]:
    sentences = [f"* {_plain(sentence.striptags())}" for sentence in find(summary)]
    return [*sentences, ""] if sentences else []


def _groups(summary: Mapping[str, Any]) -> list[str]:
    lines: list[str] = []
    rate = summary["wer"] or 0.0
    tables = [(name, rows) for name, rows in (summary.get("groups") or {}).items() if name != "case" and len(rows) > 1]
    for name, rows in tables[:MAX_GROUPS]:
        shown = sorted(rows, key=lambda row: (-excess_errors(row, rate), row["name"]))[:MAX_VALUES]
        cells = [[_plain(row["name"]), *_rate(row), f"{row['num_words']:,}"] for row in shown]
        lines += [*_table([[_plain(group_label(name)), "WER", "95\u202f%", "words"], *cells]), ""]
    return lines


def _rate(row: Mapping[str, Any]) -> tuple[str, str]:
    interval = row.get("wer_interval")
    return percent(row["wer"]), f"{percent(interval[0])} to {percent(interval[1])}" if interval else ""


def _files(worst: Iterable[Score]) -> list[str]:
    rows = [
        [_name(score), percent(score.wer), f"{score.words.num_errors:,}", f"{score.num_words:,}"]
        for score in list(worst)[:MAX_FILES]
        if score.words.num_errors
    ]
    return [*_table([["most errors", "WER", "errors", "words"], *rows]), ""] if rows else []


def _name(score: Score) -> str:
    channel = "" if score.channel is None else f", channel {score.channel}"
    missing = ", no transcript" if score.status == "missing" else ""
    return _plain(score.audio_filepath) + channel + missing


def _table(rows: Sequence[Sequence[str]]) -> list[str]:
    """Return the lines of a table; its first column is of names where there are several rows, all others of numbers."""
    first = "---:" if len(rows) == 2 and rows[0][0] == "words" else "---"
    rule = [first, *("---:" for _ in rows[0][1:])]
    return [f"| {' | '.join(cells)} |" for cells in (rows[0], rule, *rows[1:])]


def _plain(text: str) -> str:
    r"""Return ``text`` so that Markdown shows it as it is, on one line.

    >>> _plain("a|b\n<i>_x_")
    'a\\|b \\<i\\>\\_x\\_'
    """
    return _MEANT_AS_MARKUP.sub(r"\\\1", " ".join(text.split()))
