"""The HTML report: one page without any remote request, every text escaped, built from bounded data."""

from __future__ import annotations

import base64
import hashlib
import math
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING, Any

from jinja2 import Environment, FileSystemLoader, StrictUndefined
from markupsafe import Markup

from asr_model.records import Failure, Transcript
from asr_model.scoring import Score, align_words
from pipelines.findings import find
from pipelines.pictures import histogram, percent
from pipelines.report_rows import file_row, relative_audio, worst

if TYPE_CHECKING:
    from pipelines.evaluate import EvaluateJob

__all__ = ["page_environment", "render_report"]

HERE = Path(__file__).parent
MAX_PAIRS = 15
MAX_FAILURES = 200
MAX_GROUP_ROWS = 12
BINS = 20
"""Bars of the histogram between 0 and 100 %; one more for none and one for above."""

REASONS = {
    "no-text": "the reference has no text; not counted",
    "duplicate": "a second reference of the same recording and channel; not counted",
    "ambiguous-recording": "several recordings fit the reference; not counted",
    "ambiguous-channel": "the reference names no channel and the recording has several; not counted",
    "no-transcript": "there is no transcript; all words of the reference count as deleted",
    "no-reference": "a transcript that no reference asks for; not counted",
}
LEGEND = (
    ("sub", "sales", "sails", "substituted"),
    ("del", "please", "–", "deleted"),
    ("ins", "–", "uh", "inserted"),
)


def render_report(
    summary: Mapping[str, Any],
    rows: Iterable[tuple[Score, Transcript | None]],
    failures: Iterable[Failure],
    job: EvaluateJob,
) -> str:
    """Return the page of an evaluation: its totals, the rows with the most errors, the first failures."""
    rows = list(rows)
    scores = [score for score, _ in rows]
    summary = _described(summary, scores)
    shown = worst(rows)
    interval = summary.get("wer_interval")
    return (
        page_environment()
        .get_template("report.html")
        .render(
            summary=summary,
            job=job,
            interval=interval,
            raw_wer=summary.get("raw_wer"),
            parts=[
                ("hit", "right", summary["hits"]),
                ("sub", "substituted", summary["substitutions"]),
                ("del", "deleted", summary["deletions"]),
                ("ins", "inserted", summary["insertions"]),
            ],
            findings=find(summary, [score.words.num_errors for score, _ in shown]),
            histogram=histogram(summary["histogram"], "Files by word error rate", every=4),
            duration_pictures=[],
            groups=[],
            errors=[
                ("sub", "Confused", [((said, heard), n) for said, heard, n in summary["confusions"]]),
                ("del", "Left out", [((word,), n) for word, n in summary["deleted_words"]]),
                ("ins", "Invented", [((word,), n) for word, n in summary["inserted_words"]]),
            ],
            calibration=None,
            keywords=[],
            legend=LEGEND,
            num_rows=summary["num_rows"],
            num_shown=len(shown),
            num_hidden=summary["num_rows"] - len(shown),
            failures=list(islice(failures, MAX_FAILURES)),
            reasons=REASONS,
            steps=summary.get("normalization") or [summary.get("settings", {}).get("normalization")],
            provenance=list(_flat(summary.get("settings", {}))),
            files=[file_row(score, said, relative_audio(score, job.reference, job.output)) for score, said in shown],
        )
    )


def page_environment() -> Environment:
    """Return the environment of pages: text is escaped, JSON has no ``<``, styles and script are inside.

    The page's policy forbids a browser to load anything but recordings, and to run any script but the page's own.
    """
    environment = Environment(
        loader=FileSystemLoader(HERE), autoescape=True, undefined=StrictUndefined, trim_blocks=True, lstrip_blocks=True
    )
    environment.policies["json.dumps_kwargs"] = {"ensure_ascii": False, "separators": (",", ":")}
    script, style = ((HERE / f"report.{kind}").read_text(encoding="utf-8") for kind in ("js", "css"))
    digest = base64.b64encode(hashlib.sha256(script.encode()).digest()).decode()
    environment.globals |= {
        "percent": percent,
        "count": "{:,}".format,
        "plural": lambda number, name: f"{number:,} {name}{'' if number == 1 else 's'}",
        "hours": _hours,
        "css": Markup(style),
        "script": Markup(script),
        "policy": f"default-src 'none'; script-src 'sha256-{digest}'; style-src 'unsafe-inline'; img-src data:; "
        "media-src 'self' file:",
    }
    return environment


def _described(summary: Mapping[str, Any], scores: Sequence[Score]) -> dict[str, Any]:
    """Return the summary with what pictures and lists need."""
    counts: dict[str, Counter[tuple[str, ...]]] = {
        "substitution": Counter(),
        "deletion": Counter(),
        "insertion": Counter(),
    }
    for row in scores:
        for word in align_words(row.text, row.pred_text):
            if word.kind != "hit":
                counts[word.kind][tuple(filter(None, (word.reference, word.hypothesis)))] += 1
    most = {
        kind: [[*words, n] for words, n in sorted(c.items(), key=lambda item: (-item[1], item[0]))[:MAX_PAIRS]]
        for kind, c in counts.items()
    }
    return {
        "histogram": _histogram(scores),
        "confusions": most["substitution"],
        "deleted_words": most["deletion"],
        "inserted_words": most["insertion"],
        **summary,
    }


def _histogram(scores: Sequence[Score]) -> list[tuple[str, int]]:
    """Return (label, rows): no error, bins of 5 points, and above 100 %."""
    counts = Counter(_bin(row.wer) for row in scores if row.wer is not None)
    labels = ["0", *(f"{100 * (i + 1) // BINS}" for i in range(BINS)), "> 100"]
    return [(f"{label}\u202f%", counts[number]) for number, label in enumerate(labels)]


def _bin(rate: float) -> int:
    return min(math.ceil(rate * BINS - 1e-9), BINS + 1)


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


def _hours(seconds: float) -> str:
    """Return a length of time as people say it.

    >>> _hours(90), _hours(5400)
    ('1.5 min', '1.5 h')
    """
    return f"{seconds / 60:,.1f} min" if seconds < 3600 else f"{seconds / 3600:,.1f} h"
