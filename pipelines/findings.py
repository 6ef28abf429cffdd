"""What stands out in an evaluation, in sentences: the first things that somebody would look for in the figures."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from markupsafe import Markup

from pipelines.pictures import percent

__all__ = ["excess_errors", "find", "group_label"]

MIN_EXCESS = 0.05
"""What confidences must be off by, on average, to be spoken of."""
KINDS = {
    "substitutions": "Most errors are substitutions ({}): words were heard, but taken for others.",
    "deletions": "Most errors are deletions ({}): words were said that the recognizer left out.",
    "insertions": "Most errors are insertions ({}): the recognizer wrote words that nobody said.",
}
MIN_SHARE = 0.03
"""Part of all errors that a group must have beyond what it would have at the total rate, to be named."""


def find(summary: Mapping[str, Any], worst_errors: Sequence[int] = ()) -> list[Markup]:
    """Return the sentences; ``worst_errors`` are the errors of the worst rows."""
    sentences = [
        _groups(summary),
        _kind(summary),
        _concentration(summary, worst_errors),
        _lost(summary),
        _formatting(summary),
        _invented(summary),
        _keywords(summary),
        _confidence(summary),
        _confusion(summary),
    ]
    return [sentence for sentence in sentences if sentence]


def group_label(column: str) -> str:
    """Return the name of a group as it stands in a sentence.

    >>> group_label("duration_band"), group_label("sample_rate")
    ('duration', 'sample rate')
    """
    return column.removesuffix("_band").replace("_", " ")


def excess_errors(row: Mapping[str, Any], rate: float) -> float:
    """Return the errors of a group beyond those it would have at the rate of all rows."""
    return _errors(row) - rate * float(row["num_words"])


def _errors(row: Mapping[str, Any]) -> int:
    return int(row["substitutions"] + row["deletions"] + row["insertions"])


def _kind(summary: Mapping[str, Any]) -> Markup | None:
    total = _errors(summary)
    kind = max(KINDS, key=lambda name: summary[name])
    if not total or summary[kind] <= total / 2:
        return None
    return Markup(KINDS[kind]).format(_bold(percent(summary[kind] / total, 0)))


def _groups(summary: Mapping[str, Any]) -> Markup | None:
    """Name the group with the most errors beyond what the total rate would give it, if its interval is above that."""
    rate, candidates = summary["wer"], []
    for column, rows in (summary.get("groups") or {}).items():
        for row in [] if column == "case" or len(rows) < 2 else rows:
            low = (row.get("wer_interval") or [row["wer"]])[0]
            excess = excess_errors(row, rate or 0.0)
            if low is not None and low > (rate or 0.0) and excess >= MIN_SHARE * _errors(summary):
                candidates.append((excess, column, row))
    if not candidates:
        return None
    _, column, row = max(candidates, key=lambda candidate: (candidate[0], candidate[1]))
    share = _errors(row) / _errors(summary)
    return Markup('Worst by {}: <a href="#where"><bdi>{}</bdi></a> with {}, and {} of all errors.').format(
        group_label(column), row["name"], _bold(percent(row["wer"])), percent(share, 0)
    )


def _concentration(summary: Mapping[str, Any], worst_errors: Sequence[int]) -> Markup | None:
    """Say in how few rows half of the errors are, where that is a minority worth looking at."""
    half, sum_so_far = _errors(summary) / 2, 0
    for number, errors in enumerate(sorted(worst_errors, reverse=True), start=1):
        sum_so_far += errors
        if sum_so_far >= half > 0:
            if number > 0.3 * summary["num_rows"]:
                return None
            part = percent(number / summary["num_rows"], 0 if number > 0.02 * summary["num_rows"] else 1)
            return Markup('Half of all errors are in <a href="#table">{:,} of {:,}</a> rows ({}).').format(
                number, summary["num_rows"], part
            )
    return None


def _lost(summary: Mapping[str, Any]) -> Markup | None:
    number = (summary.get("failures_by_reason") or {}).get("no-transcript", 0)
    if not number:
        return None
    return Markup('{} without a transcript: all their words count as deleted (<a href="#failures">list</a>).').format(
        _bold(f"{number:,} reference{'' if number == 1 else 's'}")
    )


def _formatting(summary: Mapping[str, Any]) -> Markup | None:
    raw, rate = summary.get("raw_wer"), summary["wer"]
    if raw is None or rate is None or raw - rate < 0.005:
        return None
    return Markup('{} points of the unnormalized {} are <a href="#how">formatting</a>, not hearing.').format(
        _bold(f"{100 * (raw - rate):.1f}"), percent(raw)
    )


def _invented(summary: Mapping[str, Any]) -> Markup | None:
    invented = summary.get("invented") or {}
    if not invented.get("num_words"):
        return None
    rate = f", {invented['per_minute']:.1f} a minute" if invented["per_minute"] is not None else ""
    return Markup('{} were <a href="#cases">recognized where nothing was said</a>{}.').format(
        _bold(f"{invented['num_words']:,} word{'' if invented['num_words'] == 1 else 's'}"), rate
    )


def _keywords(summary: Mapping[str, Any]) -> Markup | None:
    """Name the keyword that was missed most often."""
    missed = [(said - found, word, found, said) for word, found, said, _ in summary.get("keywords") or ()]
    number, word, found, said = max(missed, default=(0, "", 0, 0), key=lambda row: (row[0], row[1]))
    if not number:
        return None
    sentence = 'The keyword <b><bdi>{}</bdi></b> was <a href="#trust">found</a> {:,} of {:,} times.'
    return Markup(sentence).format(word, found, said)


def _confidence(summary: Mapping[str, Any]) -> Markup | None:
    """Say that confidences mislead, and in which direction."""
    points = (summary.get("calibration") or {}).get("points") or []
    number = sum(count for *_, count in points)
    excess = sum((confidence - right) * count for confidence, right, count in points) / number if number else 0.0
    if abs(excess) < MIN_EXCESS:
        return None
    sentence = 'Confidences are {} points too {} <a href="#trust">on average</a>: they are no probabilities.'
    return Markup(sentence).format(_bold(f"{100 * abs(excess):.0f}"), "high" if excess > 0 else "low")


def _confusion(summary: Mapping[str, Any]) -> Markup | None:
    rows = summary.get("confusions") or []
    if not rows or rows[0][-1] < 2:
        return None
    said, recognized, number = rows[0]
    return Markup(
        'The most frequent <a href="#why">confusion</a>: said <b><bdi>{}</bdi></b>, recognized <b><bdi>{}</bdi></b>, '
        "{:,} times."
    ).format(said, recognized, number)


def _bold(text: str) -> Markup:
    return Markup("<b>{}</b>").format(text)
