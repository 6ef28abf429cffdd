"""The HTML report: one page without any remote request, every text escaped, built from bounded data."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING, Any

from markupsafe import Markup

from asr_model.records import Failure, Transcript
from asr_model.scoring import Score
from pipelines.audio_links import audio_folders, audio_link
from pipelines.findings import excess_errors, find, group_label
from pipelines.pages import page_environment
from pipelines.pictures import bands, histogram, reliability, whisker
from pipelines.report_rows import file_rows, worst

if TYPE_CHECKING:
    from pipelines.evaluate import EvaluateJob

__all__ = ["render_report"]

SCRIPTS = ("alignment.js", "file_table.js", "report.js")
MAX_PAIRS = 15
MAX_FAILURES = 200
MAX_GROUP_ROWS = 12
BANDS = {"duration_band", "level_band"}
"""Groups whose values are in an order: shown as a picture."""

REASONS = {
    "no-text": "the reference has no text; not counted",
    "duplicate": "a second reference of the same recording and channel; not counted",
    "ambiguous-recording": "several recordings fit the reference; not counted",
    "ambiguous-channel": "the reference names no channel and the recording has several; not counted",
    "ambiguous-segment": "the reference names no segment and the recording has several; not counted",
    "bad-manifest-line": "a line of the references that cannot be read; not counted",
    "missing": "the references have words for a recording that is not there; not counted",
    "no-transcript": "there is no transcript; all words of the reference count as deleted",
    "no-reference": "a transcript that no reference asks for; not counted",
}
PROVENANCE = {"versions": "Versions", "settings": "Settings of evaluate", "transcribed_with": "Transcribed with"}
ERRORS = (
    ("sub", "Confused", "confusions"),
    ("del", "Left out", "deleted_words"),
    ("ins", "Invented", "inserted_words"),
)
CASES = {
    "both sides": "a reference and a transcript that both have words",
    "empty reference": "nothing was said, something was recognized: all of it is insertions, and there is no rate",
    "empty hypothesis": "something was said, nothing was recognized: all of it is deletions",
    "both empty": "nothing was said and nothing recognized: right",
    "missing hypothesis": "there is no transcript: all words of the reference count as deleted",
    "no reference": "a transcript that no reference asks for: not counted",
}


def render_report(
    summary: Mapping[str, Any],
    rows: Iterable[tuple[Score, Transcript | None]],
    failures: Iterable[Failure],
    job: EvaluateJob,
) -> str:
    """Return the page of an evaluation: its totals, the rows with the most errors, the first failures."""
    shown = worst(rows)
    folders = audio_folders(job.reference, job.transcripts)
    return (
        page_environment(*SCRIPTS)
        .get_template("report.html")
        .render(
            summary=summary,
            job=job,
            interval=summary["wer_interval"],
            raw_wer=summary["raw_wer"],
            parts=[
                ("hit", "right", summary["hits"]),
                ("sub", "substituted", summary["substitutions"]),
                ("del", "deleted", summary["deletions"]),
                ("ins", "inserted", summary["insertions"]),
            ],
            findings=find(summary, [score.words.num_errors for score, _ in shown]),
            histogram=histogram(summary["histogram"], "Files by word error rate", every=4),
            band_pictures=list(_band_pictures(summary)),
            groups=list(_groups(summary)),
            cases=[(row, CASES[row["name"]]) for row in summary["groups"].get("case", ())],
            invented=summary["invented"],
            errors=[
                (kind, title, [(words, number) for *words, number in summary[name][:MAX_PAIRS]])
                for kind, title, name in ERRORS
            ],
            calibration=_calibration(summary),
            num_rows=summary["num_rows"],
            num_shown=len(shown),
            num_hidden=summary["num_rows"] - len(shown),
            failures=list(islice(failures, MAX_FAILURES)),
            reasons=REASONS,
            steps=summary["normalization"],
            provenance=[(title, list(_flat(summary[name]))) for name, title in PROVENANCE.items() if summary.get(name)],
            files=file_rows(shown, (_link(*row, folders, job.output) for row in shown)),
        )
    )


def _link(score: Score, transcript: Transcript | None, folders: Sequence[Path], output: str) -> str | None:
    names = [score.audio_filepath, *([transcript.audio_filepath] if transcript else [])]
    return audio_link(names, score.offset, score.duration, folders, output)


def _band_pictures(summary: Mapping[str, Any]) -> Iterable[tuple[str, Markup]]:
    """Yield (name, picture) of the rate by duration and level, where the rows differ in them."""
    for column in sorted(BANDS & summary["groups"].keys()):
        rows = [row for row in summary["groups"][column] if row["name"] != "none"]
        if len(rows) > 1:
            points = [(row["name"], row["wer"], row["wer_interval"], row["num_rows"]) for row in rows]
            name = group_label(column)
            yield name, bands(points, summary["wer"], f"Word error rate by {name}")


def _calibration(summary: Mapping[str, Any]) -> Markup | None:
    """Return the curve of confidences; of one point there is none to see."""
    found = summary.get("calibration")
    if not found or len(found["points"]) < 2:
        return None
    return reliability([tuple(point) for point in found["points"]], "Part of the words that are right by confidence")


def _groups(summary: Mapping[str, Any]) -> Iterable[dict[str, Any]]:
    """Yield the tables of groups, first the values that cost most: with the most errors beyond the total's rate."""
    rate = summary["wer"] or 0.0
    for column, rows in summary["groups"].items():
        if column == "case" or column in BANDS or len(rows) < 2:
            continue
        kept = sorted(rows, key=lambda row: (-excess_errors(row, rate), row["name"]))[:MAX_GROUP_ROWS]
        top = max([(row["wer_interval"] or [0, row["wer"] or 0])[1] for row in kept] + [summary["wer"] or 0])
        yield {
            "name": group_label(column),
            "rows": [row | {"picture": whisker(row["wer"], row["wer_interval"], top, summary["wer"])} for row in kept],
            "num_hidden": len(rows) - len(kept),
        }


def _flat(settings: Mapping[str, Any], prefix: str = "") -> Iterable[tuple[str, Any]]:
    """Yield (dotted name, value) of nested settings.

    >>> list(_flat({"a": {"b": 1}, "c": [2]}))
    [('a.b', 1), ('c', '2')]
    """
    for name, value in settings.items():
        if isinstance(value, Mapping):
            yield from _flat(value, f"{prefix}{name}.")
        else:
            yield prefix + name, ", ".join(map(str, value)) if isinstance(value, list) else value
