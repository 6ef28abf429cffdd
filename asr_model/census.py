"""What a corpus holds, as counts that add: those of all parts together are those of the whole, in any order."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping
from typing import Any, Union

from asr_model.records import Example

__all__ = ["Counts", "add_counts", "describe_corpus", "take_census"]

Counts = dict[str, Union[int, "Counts"]]
"""Whole numbers by name, in groups; JSON holds them as they are."""

DURATION_SECONDS = 0.5
LEVEL_DB = 3
"""Widths of the bins of durations and levels."""
CLIPPED_DB = -0.01
"""Peaks from here on are taken for clipped: 16-bit full scale is -0.0003 dB."""
MICROSECONDS = 1_000_000
MOST = 20
"""Speakers listed by name."""


def add_counts(one: Mapping[str, Any], other: Mapping[str, Any]) -> Counts:
    """Return the counts of two parts together.

    >>> add_counts({"a": 1, "b": {"x": 2}}, {"b": {"x": 1, "y": 5}})
    {'a': 1, 'b': {'x': 3, 'y': 5}}
    """
    total = dict(one)
    for name, value in other.items():
        if isinstance(value, Mapping):
            total[name] = add_counts(total.get(name, {}), value)
        else:
            total[name] = total.get(name, 0) + value
    return total


def take_census(examples: Iterable[Example], split: str) -> Counts:
    """Return the counts of some examples of a split; augmented copies are only numbered."""
    counts: dict[str, Any] = {"examples": 0, "copies": 0, "microseconds": 0}
    characters: Counter[str] = Counter()
    for example in examples:
        if example.copy:
            counts["copies"] += 1
            continue
        microseconds = round(example.duration * MICROSECONDS)
        counts["examples"] += 1
        counts["microseconds"] += microseconds
        _count(counts, "words", len(example.text.split()))
        characters.update(example.text)
        _count(counts, "durations", 1, int(example.duration / DURATION_SECONDS))
        _count(counts, "characters_per_second", 1, int(len(example.text) / max(example.duration, 1e-3)))
        _count(counts, "speakers", microseconds, example.speaker or "", split)
        for name, value in (
            ("splits", split),
            ("sample_rates", example.sample_rate),
            ("codecs", example.codec),
            ("channels", example.num_channels),
        ):
            _count(counts, name, 1, value, "examples")
            _count(counts, name, microseconds, value, "microseconds")
        for name, level in (("peak_db", example.peak_db), ("rms_db", example.rms_db)):
            if level is not None:
                _count(counts, name, 1, max(-120, int(level // LEVEL_DB) * LEVEL_DB))
        if example.peak_db is not None and example.peak_db >= CLIPPED_DB:
            _count(counts, "clipped", 1)
    return counts | {"characters": dict(characters)}


def describe_corpus(counts: Mapping[str, Any], failures: Mapping[str, int]) -> dict[str, Any]:
    """Return what ``corpus.json`` says: totals, distributions in the order of their values, speakers, failures."""
    speakers = dict(counts.get("speakers", {}))
    without = sum(speakers.pop("", {}).values())
    seconds_of = {name: sum(by_split.values()) / MICROSECONDS for name, by_split in speakers.items()}
    most = sorted(seconds_of.items(), key=lambda item: (-item[1], item[0]))
    shared = sorted(name for name, by_split in speakers.items() if len(by_split) > 1)
    splits = {
        name: {**_part(part), "speakers": sum(name in by_split for by_split in speakers.values())}
        for name, part in _ordered(counts, "splits", None)
    }
    characters = dict(_ordered(counts, "characters", None))
    return {
        "examples": counts.get("examples", 0),
        "copies": counts.get("copies", 0),
        "seconds": counts.get("microseconds", 0) / MICROSECONDS,
        "words": counts.get("words", 0),
        "characters": characters,
        "durations": {f"{int(n) * DURATION_SECONDS:g}": number for n, number in _ordered(counts, "durations", int)},
        "characters_per_second": dict(_ordered(counts, "characters_per_second", int)),
        "splits": splits,
        "sample_rates": {name: _part(part) for name, part in _ordered(counts, "sample_rates", int)},
        "codecs": {name: _part(part) for name, part in _ordered(counts, "codecs", None)},
        "channels": {name: _part(part) for name, part in _ordered(counts, "channels", int)},
        "peak_db": dict(_ordered(counts, "peak_db", int)),
        "rms_db": dict(_ordered(counts, "rms_db", int)),
        "clipped": counts.get("clipped", 0),
        "speakers": {
            "number": len(speakers),
            "seconds_without": without / MICROSECONDS,
            "in_several_splits": shared[:MOST],
            "num_in_several_splits": len(shared),
            "most": [{"speaker": name, "seconds": seconds} for name, seconds in most[:MOST]],
        },
        "failures": dict(sorted(failures.items(), key=lambda item: (-item[1], item[0]))),
    }


def _count(counts: dict[str, Any], name: str, value: int, *groups: Any) -> None:
    for group in groups:
        counts = counts.setdefault(name, {})
        name = str(group)
    counts[name] = counts.get(name, 0) + value


def _ordered(counts: Mapping[str, Any], name: str, key: Any) -> list[tuple[str, Any]]:
    """Return a group sorted by ``key`` of its names, or with the most examples first where there is none."""
    items = counts.get(name, {}).items()
    if key:
        return sorted(items, key=lambda item: key(item[0]))
    return sorted(
        items, key=lambda item: (-(item[1]["examples"] if isinstance(item[1], Mapping) else item[1]), item[0])
    )


def _part(part: Mapping[str, int]) -> dict[str, Any]:
    return {"examples": part["examples"], "seconds": part["microseconds"] / MICROSECONDS}
