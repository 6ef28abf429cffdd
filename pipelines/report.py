"""The HTML report: one page without any remote request, every text escaped."""

from __future__ import annotations

import os
from collections import Counter
from pathlib import Path
from typing import TYPE_CHECKING, Any

from jinja2 import Environment, FileSystemLoader, StrictUndefined

from asr_model.records import Failure
from asr_model.scoring import Score, align_words

if TYPE_CHECKING:
    from pipelines.evaluate import EvaluateJob

__all__ = ["render_report"]

MAX_FILES = 1000
"""Files shown, those with the most errors first: a browser stays quick; all are in per_file.csv."""
MAX_PAIRS = 15
MAX_FAILURES = 200
BINS = 20


def render_report(summary: dict[str, Any], scores: list[Score], failures: list[Failure], job: EvaluateJob) -> str:
    """Return the page of an evaluation."""
    environment = Environment(
        loader=FileSystemLoader(Path(__file__).parent), autoescape=True, undefined=StrictUndefined
    )
    worst = sorted(scores, key=lambda row: (-row.words.num_errors, row.audio_filepath, row.channel or 0))[:MAX_FILES]
    files = [
        {
            "score": row,
            "alignment": align_words(row.text, row.pred_text),
            "audio": _relative_audio(row, job),
        }
        for row in worst
    ]
    return environment.get_template("report.html").render(
        summary=summary,
        files=files,
        num_hidden=len(scores) - len(files),
        failures=failures[:MAX_FAILURES],
        histogram=_histogram(scores),
        errors=_frequent_errors(scores),
        job=job,
    )


def _histogram(scores: list[Score]) -> list[tuple[str, int, float]]:
    """Return (label, files, height from 0 to 1) of WER bins of 5 points; the last holds everything from 95 %."""
    counts = Counter(min(int(row.wer * BINS), BINS - 1) for row in scores if row.wer is not None)
    tallest = max(counts.values(), default=1)
    labels = [f"{100 * i // BINS} to {100 * (i + 1) // BINS} %" for i in range(BINS - 1)] + ["95 % and more"]
    return [(label, counts[i], counts[i] / tallest) for i, label in enumerate(labels)]


def _frequent_errors(scores: list[Score]) -> dict[str, list[tuple[str, int]]]:
    counts: dict[str, Counter[str]] = {"substitution": Counter(), "deletion": Counter(), "insertion": Counter()}
    for row in scores:
        for word in align_words(row.text, row.pred_text):
            if word.kind != "hit":
                label = " → ".join(filter(None, [word.reference, word.hypothesis]))
                counts[word.kind][label] += 1
    # By count, then by name, so that the page does not depend on the order of the scores.
    return {k: sorted(c.items(), key=lambda item: (-item[1], item[0]))[:MAX_PAIRS] for k, c in counts.items()}


def _relative_audio(row: Score, job: EvaluateJob) -> str | None:
    """Return a link from the page to the recording, None where they are on different file systems."""
    folder = job.reference.rpartition("/")[0] or "."
    path = Path(folder, row.audio_filepath)
    if "://" in job.output or "://" in str(path) or not path.is_file():
        return None
    return Path(os.path.relpath(path, job.output)).as_posix()
