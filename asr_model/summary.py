"""Counts → the figures of a summary: rates, intervals, groups."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from asr_model.groups import group_order
from asr_model.intervals import rate_interval
from asr_model.normalization import step_labels
from asr_model.scoring import ErrorCounts, EvaluateSettings
from asr_model.tally import CASE, CASES, FIGURES, HISTOGRAM_BINS, TOTAL, Group, Tally

__all__ = ["describe", "figures_of"]

MAX_GROUP_VALUES = 500
"""Values of a group that are listed, those with the most words; the others are summed under ``all others``."""


def figures_of(tally: Tally, settings: EvaluateSettings) -> dict[str, Any]:
    """Return the figures of a summary: rates are all errors over all words (characters), never a mean of rates.

    ``raw_wer`` is before normalization; ``invented`` are the words recognized where the reference is empty.
    ``groups`` has for every name the figures of each value (``name``) in a readable order.
    """
    failures = dict(sorted(tally.failures.items()))
    total = tally.groups.get(TOTAL, Group())
    labels = ["0", *(str(100 * (i + 1) // HISTOGRAM_BINS) for i in range(HISTOGRAM_BINS)), "> 100"]
    return {
        **describe(total, settings),
        "num_failures": sum(failures.values()),
        "failures_by_reason": failures,
        "normalization": step_labels(settings.normalization),
        "groups": _group_rows(tally.groups, settings),
        "invented": _invented(tally.groups.get((CASE, "empty reference")), tally.groups.get((CASE, "both empty"))),
        "histogram": [[f"{label}\u202f%", tally.histogram[number]] for number, label in enumerate(labels)],
    }


def describe(group: Group, settings: EvaluateSettings) -> dict[str, Any]:
    """Return a group's figures by name, with the rates that follow from them; rates without words are None."""
    count = dict(zip(FIGURES, group.figures.tolist(), strict=True))
    words = ErrorCounts(*(count[name] for name in ("hits", "substitutions", "deletions", "insertions")))
    preserved = words.information_preserved
    raw = _rate(count.pop("raw_errors"), count.pop("raw_words"))
    return {
        "wer": _rate(words.num_errors, words.num_reference),
        "wer_interval": rate_interval(group.calls, settings.bootstrap_samples, settings.seed),
        "raw_wer": raw,
        "cer": _rate(count["character_errors"], count["num_characters"]),
        "mer": _rate(words.num_errors, words.hits + words.num_errors),
        "wip": None if preserved is None else round(preserved, 6),
        "wil": None if preserved is None else round(1 - preserved, 6),
        "ser": _rate(count["num_wrong"], count["num_rows"]),
        "num_words": words.num_reference,
        "seconds": count.pop("milliseconds") / 1000,
        **count,
    }


def _group_rows(groups: Mapping[tuple[str, str], Group], settings: EvaluateSettings) -> dict[str, list[dict[str, Any]]]:
    """Return the groups by name, each a list of its values (``name``) with their figures, in a readable order."""
    names = dict.fromkeys(name for name, _ in groups if name)
    order = {case: (0, float(number), "") for number, case in enumerate(CASES)}
    rows: dict[str, list[dict[str, Any]]] = {}
    for name in sorted(names, key=lambda name: (name == CASE, *names)):
        values = [value for group, value in groups if group == name]
        key = order.__getitem__ if name == CASE else group_order
        listed = {value: groups[name, value] for value in sorted(values, key=key)}
        rows[name] = [{"name": value, **describe(group, settings)} for value, group in _bounded(listed).items()]
    return rows


def _bounded(groups: dict[str, Group]) -> dict[str, Group]:
    """Return the groups with the most words, in their order, and the sum of all others."""
    if len(groups) <= MAX_GROUP_VALUES:
        return groups
    words = slice(FIGURES.index("hits"), FIGURES.index("deletions") + 1)
    ranked = sorted(groups, key=lambda value: (-int(groups[value].figures[words].sum()), value))
    kept = set(ranked[:MAX_GROUP_VALUES])
    others = sum((groups[value] for value in ranked[MAX_GROUP_VALUES:]), Group())
    return {value: group for value, group in groups.items() if value in kept} | {"all others": others}


def _invented(with_words: Group | None, without: Group | None) -> dict[str, Any]:
    """Return how many words were recognized in rows whose reference is empty, and per minute of those rows."""
    count = dict(zip(FIGURES, ((with_words or Group()) + (without or Group())).figures.tolist(), strict=True))
    minutes = count["milliseconds"] / 60_000
    return {
        "num_words": count["insertions"],
        "num_rows": count["num_rows"],
        "seconds": count["milliseconds"] / 1000,
        "per_minute": round(count["insertions"] / minutes, 3) if minutes else None,
    }


def _rate(errors: int, total: int) -> float | None:
    """Return errors by total, as stored: six digits, None where there is nothing to divide by."""
    return round(errors / total, 6) if total else None
